//! The people of the benchmark: the same in every run. Most are in one to nine groups, one in a
//! thousand in fifty; one group has 5,000 members.

use std::collections::{BTreeMap, BTreeSet};

use posix_names::{FIRST_RANGE, SECOND_RANGE};

/// Members of the large group, where there are as many users.
const LARGE: usize = 5_000;
/// Groups of one user in a thousand. Their names begin with `many-`, for the floor to know them.
const MANY: usize = 50;
const GIVEN: [&str; 13] = [
    "ada", "ben", "cleo", "dina", "eli", "fay", "gus", "hana", "ivo", "jana", "kai", "lea", "max",
];
const FAMILY: [&str; 11] = [
    "adams", "baker", "clark", "davis", "evans", "frank", "green", "hayes", "irwin", "jones",
    "keller",
];

/// A user. Everybody's primary group is the same one.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) id: u32,
    pub(crate) comment: String,
    /// Places in [`Population::groups`].
    pub(crate) groups: BTreeSet<usize>,
}

/// A group that is nobody's private one.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) id: u32,
    /// Places in [`Population::users`].
    pub(crate) members: Vec<usize>,
}

/// Everybody.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) users: Vec<User>,
    pub(crate) groups: Vec<Group>,
    /// How many of the groups, from the first, are small ones.
    pub(crate) small_groups: usize,
}

/// Place of the group with [`LARGE`] members.
const LARGE_GROUP: usize = 0;
/// Between them: everybody's primary group, which lists nobody.
const FIRST_TEAM: usize = 2;
/// Id of the group at place 0.
const FIRST_GROUP_ID: u32 = *FIRST_RANGE.start() + 1_000;
/// Id of everybody's primary group.
pub(crate) const PRIMARY_GROUP_ID: u32 = FIRST_GROUP_ID + 1;

impl Population {
    /// So many users.
    pub(crate) fn of(count: usize) -> Self {
        let (teams, projects) = ((count / 10).max(1), (count / 100).max(60));
        let mut groups: Vec<Group> = Vec::with_capacity(FIRST_TEAM + teams + projects);
        let names = ["large-group".to_owned(), "everybody-here".to_owned()]
            .into_iter()
            .chain((0..teams).map(|number| format!("team{number:05}")))
            .chain((0..projects).map(|number| format!("project{number:04}")));
        for (id, name) in (FIRST_GROUP_ID..).zip(names) {
            let members = Vec::new();
            groups.push(Group { name, id, members });
        }
        let large_every = (count / LARGE).max(1);
        let users: Vec<User> = (0..count)
            .map(|number| user(number, teams, projects, number % large_every == 0))
            .collect();
        for (number, user) in users.iter().enumerate() {
            for place in &user.groups {
                if let Some(group) = groups.get_mut(*place) {
                    group.members.push(number);
                }
            }
        }
        Self {
            users,
            groups,
            small_groups: teams,
        }
    }

    /// Every user in an order without meaning, so that the first ones are a sample of all.
    pub(crate) fn shuffled(&self) -> Vec<&User> {
        let mixed: BTreeMap<u64, &User> = (0..)
            .zip(&self.users)
            .map(|(number, user)| (mixed(number, 9), user))
            .collect();
        mixed.into_values().collect()
    }

    /// The small groups, likewise.
    pub(crate) fn shuffled_small_groups(&self) -> Vec<&Group> {
        let small = self.groups.iter().skip(FIRST_TEAM);
        let mixed: BTreeMap<u64, &Group> = (0..)
            .zip(small.take(self.small_groups))
            .map(|(number, group)| (mixed(number, 10), group))
            .collect();
        mixed.into_values().collect()
    }

    /// The group of 5,000.
    pub(crate) fn large_group(&self) -> Option<&Group> {
        self.groups.get(LARGE_GROUP)
    }
}

impl User {
    /// Whether this is one of those in fifty groups.
    pub(crate) fn is_in_many(&self) -> bool {
        self.groups.len() == MANY
    }

    pub(crate) fn home(&self) -> String {
        format!("/home/{}", self.name)
    }
}

fn user(number: usize, teams: usize, projects: usize, in_large: bool) -> User {
    let many = number % 1_000 == 500;
    let wanted = if many { MANY } else { 1 + below(9, number, 3) };
    let mut groups = BTreeSet::from([FIRST_TEAM + number % teams]);
    if in_large {
        groups.insert(LARGE_GROUP);
    }
    let mut draw = 100;
    while groups.len() < wanted {
        groups.insert(FIRST_TEAM + teams + below(projects, number, draw));
        draw += 1;
    }
    let given = GIVEN
        .get(below(GIVEN.len(), number, 1))
        .copied()
        .unwrap_or_default();
    let family = FAMILY
        .get(below(FAMILY.len(), number, 2))
        .copied()
        .unwrap_or_default();
    let prefix = if many { "many-" } else { "" };
    let step = u32::try_from(number).unwrap_or_default() * 7;
    User {
        name: format!("{prefix}{family}{number:06}"),
        id: SECOND_RANGE.start() + step,
        comment: format!("{given} {family}"),
        groups,
    }
}

fn below(limit: usize, number: usize, draw: u64) -> usize {
    let mixed = mixed(number as u64, draw);
    usize::try_from(mixed % limit.max(1) as u64).unwrap_or_default()
}

/// A number without pattern for each pair (splitmix64).
fn mixed(number: u64, draw: u64) -> u64 {
    let mut mixed = number
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .wrapping_add(draw.wrapping_mul(0xd1b5_4a32_d192_ed03));
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_group_has_5000_members_and_one_user_in_a_thousand_fifty_groups() {
        let population = Population::of(10_000);
        assert_eq!(population.large_group().unwrap().members.len(), LARGE);
        let many = population.users.iter().filter(|user| user.is_in_many());
        assert_eq!(many.count(), 10);
        assert_eq!(population.shuffled().len(), 10_000);
        assert_eq!(population.shuffled_small_groups().len(), 1_000);
    }
}
