//! What the identity map of this host says, borrowed from the slice in force and the tables made of
//! it: nothing of a hundred thousand people is copied before the map itself.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use identity_map::{MapContent, MapGroup, MapUser, MemberPolicy, WriteError, write_map};
use policy::UserState;
use posix_names::{Gid, HomeDirectory, Uid};
use signed_bundle::{GroupNumbers, GroupRecord, VirtualGroup};

use crate::apply::{Inputs, is_unused, own_groups, virtual_group};
use crate::config::Members;
use crate::people::Seen;
use crate::tables::Tables;

const NO_LOGIN_SHELL: &str = "/usr/sbin/nologin";

/// The bytes of the map.
///
/// # Errors
/// Something exceeds a limit of the format.
pub fn map_of(inputs: &Inputs, tables: &Tables) -> Result<Vec<u8>, WriteError> {
    let mut content = content(inputs, tables);
    match write_map(&content) {
        Err(clash) if clash.is_clash() => {
            first_of_each(&mut content);
            write_map(&content)
        }
        written => written,
    }
}

fn content<'a>(inputs: &'a Inputs, tables: &'a Tables) -> MapContent<'a> {
    let mut content = MapContent {
        version: inputs.manifest.version,
        issued_at_ms: inputs.manifest.issued.as_millisecond(),
        enumerate: inputs.nss.enumerate,
        member_policy: match inputs.nss.members {
            Members::All | Members::Here => MemberPolicy::All,
            Members::None => MemberPolicy::None,
        },
        owners: inputs.nss.owners,
        ..MapContent::default()
    };
    add_everyone(&mut content, inputs, tables);
    add_strangers(&mut content, inputs);
    content
}

/// A map with two records of one name or number is not written at all, so the first stays: people
/// of the bundle before strangers, virtual groups before others, shared ones before private ones.
fn first_of_each(content: &mut MapContent<'_>) {
    let (mut names, mut uids) = (HashSet::new(), HashSet::new());
    content.users.retain(|user| {
        !names.contains(&user.name) && uids.insert(user.uid) && names.insert(user.name.clone())
    });
    let (mut names, mut gids) = (HashSet::new(), HashSet::new());
    content.groups.retain(|group| {
        !names.contains(&group.name) && gids.insert(group.gid) && names.insert(group.name.clone())
    });
}

/// The virtual groups, the groups of the bundle, and its people with a private group for each. People
/// in order of names, and so the members of every group: that is the order the map wants. They are
/// looked at in the order in which they lie in memory, and then put into that of their names.
fn add_everyone<'a>(content: &mut MapContent<'a>, inputs: &'a Inputs, tables: &'a Tables) {
    let mut virtuals = Virtuals::of(inputs, tables);
    let mut numbered = Numbered::of(inputs);
    let mut everyone = Everyone::of(inputs, tables, &mut numbered);
    let mut private = Vec::with_capacity(tables.people.len());
    content.users.reserve_exact(tables.people.len());
    for place in tables.people.places_by_name() {
        let Some((mut user, is_listed, places)) = everyone.taken(*place) else {
            continue;
        };
        let Cow::Borrowed(name) = user.name else {
            continue;
        };
        for place in places {
            user.groups.extend(numbered.join(*place, name, is_listed));
        }
        virtuals.join(&mut user, name, is_listed);
        let gid = user.uid.private_group();
        if !numbered.has(gid) {
            private.push(MapGroup {
                name: Cow::Borrowed(name),
                gid,
                members: Vec::new(),
            });
        }
        content.users.push(user);
    }
    let groups = virtuals.groups().chain(numbered.groups).chain(private);
    content.groups = groups.collect();
}

/// All people without their groups, and beside them in which groups they are.
struct Everyone<'a> {
    /// By place in the slice.
    people: Vec<Option<(MapUser<'a>, bool, Range<u32>)>>,
    /// Places among the groups, those of one person together.
    groups: Vec<u32>,
}

impl<'a> Everyone<'a> {
    /// Tells each group as well how many are listed in it.
    fn of(inputs: &Inputs, tables: &'a Tables, numbered: &mut Numbered<'a>) -> Self {
        let mut all = Self {
            people: Vec::with_capacity(tables.people.len()),
            groups: Vec::new(),
        };
        let mut listed = vec![0_usize; numbered.groups.len()];
        let mut end = 0;
        for person in tables.people.in_slice() {
            let is_listed = match inputs.nss.members {
                Members::All => true,
                Members::Here => person.is_some_and(|one| one.state() == UserState::Active),
                Members::None => false,
            };
            let begin = end;
            let numbers = person.iter().flat_map(|person| person.view().groups());
            for place in numbers.filter_map(|number| numbered.place(number)) {
                all.groups.push(place);
                end += 1;
                if let Some(listed) = listed.get_mut(place as usize) {
                    *listed += usize::from(is_listed);
                }
            }
            let user = person.as_ref().and_then(map_user);
            all.people
                .push(user.map(|user| (user, is_listed, begin..end)));
        }
        for (group, count) in numbered.groups.iter_mut().zip(listed) {
            group.members.reserve_exact(count);
        }
        all
    }

    /// Somebody, once.
    fn taken(&mut self, place: u32) -> Option<(MapUser<'a>, bool, &[u32])> {
        let (user, is_listed, groups) = self.people.get_mut(place as usize)?.take()?;
        let groups = groups.start as usize..groups.end as usize;
        Some((user, is_listed, self.groups.get(groups)?))
    }
}

/// Somebody without their groups.
fn map_user<'a>(person: &Seen<'a>) -> Option<MapUser<'a>> {
    let view = *person.view();
    Some(MapUser {
        name: Cow::Borrowed(view.username),
        uid: Uid::new(u64::from(view.uid)).ok()?,
        gid: Gid::new(u64::from(view.gid)).ok()?,
        gecos: Cow::Borrowed(view.gecos),
        home: view.home_text(),
        shell: Cow::Borrowed(person.shell_text()),
        groups: Vec::with_capacity(8),
    })
}

/// The groups that sshd's settings go by.
struct Virtuals<'a> {
    everybody: Option<MapGroup<'a>>,
    key_and_code: Option<MapGroup<'a>>,
    /// Uids of those in the latter, in order.
    asked: &'a [u32],
}

impl<'a> Virtuals<'a> {
    fn of(inputs: &Inputs, tables: &'a Tables) -> Self {
        let group = |which| {
            let (name, gid) = virtual_group(inputs, which)?;
            let name = Cow::Owned(name.to_string());
            let members = Vec::new();
            Some(MapGroup { name, gid, members })
        };
        let asked = tables.key_and_code.as_slice();
        Self {
            everybody: group(VirtualGroup::Everybody),
            key_and_code: group(VirtualGroup::KeyAndCode).filter(|_| !asked.is_empty()),
            asked,
        }
    }

    fn join(&mut self, user: &mut MapUser<'a>, name: &'a str, is_listed: bool) {
        if let Some(everybody) = &mut self.everybody {
            user.groups.push(everybody.gid);
            let listed = is_listed.then_some(Cow::Borrowed(name));
            everybody.members.extend(listed);
        }
        let asked = self.asked.binary_search(&user.uid.get()).is_ok();
        // Always listed in full: what sshd does not see there it does not do.
        if let Some(group) = self.key_and_code.as_mut().filter(|_| asked) {
            user.groups.push(group.gid);
            group.members.push(Cow::Borrowed(name));
        }
    }

    fn groups(self) -> impl Iterator<Item = MapGroup<'a>> {
        [self.key_and_code, self.everybody].into_iter().flatten()
    }
}

/// The groups of the bundle as they fill, found by the numbers that stand in people's records.
struct Numbered<'a> {
    groups: Vec<MapGroup<'a>>,
    gids: HashSet<Gid>,
    /// By number: the place among the groups, for those that are on this host.
    places: Vec<Option<u32>>,
}

impl<'a> Numbered<'a> {
    fn of(inputs: &'a Inputs) -> Self {
        let own: Vec<&GroupRecord> = own_groups(inputs).collect();
        let empty = own.iter().map(|group| MapGroup {
            name: Cow::Borrowed(group.name.as_str()),
            gid: group.gid,
            members: Vec::new(),
        });
        Self {
            groups: empty.collect(),
            gids: own.iter().map(|group| group.gid).collect(),
            places: places(&own, inputs.read.group_numbers()),
        }
    }

    fn has(&self, gid: Gid) -> bool {
        self.gids.contains(&gid)
    }

    fn place(&self, number: u32) -> Option<u32> {
        *self.places.get(number as usize)?
    }

    /// The gid of the group at a place, which lists the person where members are listed.
    fn join(&mut self, place: u32, name: &'a str, is_listed: bool) -> Option<Gid> {
        let group = self.groups.get_mut(place as usize)?;
        let listed = is_listed.then_some(Cow::Borrowed(name));
        group.members.extend(listed);
        Some(group.gid)
    }
}

fn places(own: &[&GroupRecord], numbers: &GroupNumbers) -> Vec<Option<u32>> {
    let mut places = Vec::new();
    for (place, group) in (0_u32..).zip(own) {
        let Some(number) = numbers.number(&group.id) else {
            continue;
        };
        let number = number as usize;
        places.resize(places.len().max(number + 1), None);
        if let Some(empty) = places.get_mut(number) {
            *empty = Some(place);
        }
    }
    places
}

/// Owners of files without rights here: name and number agree, and nobody can log in as them.
fn add_strangers<'a>(content: &mut MapContent<'a>, inputs: &'a Inputs) {
    let local = &inputs.local;
    let group = |name: &'a str, gid: Gid| {
        is_unused(inputs, name, gid).then_some(MapGroup {
            name: Cow::Borrowed(name),
            gid,
            members: Vec::new(),
        })
    };
    for (name, gid) in &inputs.strangers.groups {
        content.groups.extend(group(name.as_str(), *gid));
    }
    for (name, uid) in &inputs.strangers.users {
        if local.users.contains_key(name.as_str()) || local.has_uid(uid.get()) {
            continue;
        }
        let gid = uid.private_group();
        content.groups.extend(group(name.as_str(), gid));
        content.users.push(MapUser {
            name: Cow::Borrowed(name.as_str()),
            uid: *uid,
            gid,
            gecos: Cow::default(),
            home: Cow::Owned(HomeDirectory::of(name).into()),
            shell: Cow::Borrowed(NO_LOGIN_SHELL),
            groups: Vec::new(),
        });
    }
}
