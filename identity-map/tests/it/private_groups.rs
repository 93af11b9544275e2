//! A user stands for the private group; nobody who asks can tell it from a group of its own.

use identity_map::{Cursor, Map, MapContent, MapGroup, MapUser, MemberPolicy, write_map};
use proptest::prelude::*;

use crate::sample::{FoundGroup, content, group, group_after, group_named, group_numbered};
use crate::sample::{opened, user};

/// Two users with private groups, one empty and one of one; a group between, and one with the name
/// of a user and members of its own.
fn mixed() -> MapContent<'static> {
    MapContent {
        users: vec![
            user("alice", 70_000, &[70_001]),
            user("bob", 70_002, &[]),
            user("carol", 70_004, &[]),
        ],
        groups: vec![
            group("alice", 70_000, &["alice"]),
            group("between", 70_001, &["alice", "bob"]),
            group("bob", 70_002, &[]),
            group("carol", 70_004, &["alice", "carol"]),
        ],
        enumerate: true,
        ..MapContent::default()
    }
}

fn listed(map: &Map<&[u8]>, mut cursor: Cursor) -> Vec<FoundGroup> {
    let mut found = Vec::new();
    while let Ok(Some((group, next))) = group_after(map, cursor) {
        found.push(group);
        cursor = Cursor::from_numbers(next.numbers());
    }
    found
}

fn expected(groups: &[MapGroup<'_>]) -> Vec<FoundGroup> {
    let mut expected: Vec<_> = groups
        .iter()
        .map(|group| {
            let mut members: Vec<String> = group.members.iter().map(ToString::to_string).collect();
            members.sort();
            FoundGroup {
                gid: group.gid.get(),
                name: group.name.to_string(),
                members,
            }
        })
        .collect();
    expected.sort_by_key(|group| group.gid);
    expected
}

#[test]
fn private_groups_are_found_and_listed_among_the_others() {
    let content = mixed();
    let bytes = write_map(&content).unwrap();
    let map = opened(&bytes);
    let groups = expected(&content.groups);
    assert_eq!(listed(&map, Cursor::default()), groups);
    for group in groups {
        let named = group_named(&map, &group.name).unwrap().unwrap();
        let numbered = group_numbered(&map, group.gid).unwrap().unwrap();
        assert_eq!((&named, &numbered), (&group, &group));
    }
}

#[test]
fn a_private_group_needs_no_record() {
    let mut without = content(500);
    without.groups.clear();
    let private = |one: &MapUser<'_>| group(&one.name, one.uid.get(), &[&one.name]);
    let mut private_only = without.clone();
    private_only.groups = without.users.iter().map(private).collect();
    let more = write_map(&private_only).unwrap().len() - write_map(&without).unwrap().len();
    assert!(more < 500 * 40, "{more} bytes, which indexes take");
}

#[test]
fn without_members_a_private_group_is_empty() {
    let content = MapContent {
        member_policy: MemberPolicy::None,
        ..mixed()
    };
    let bytes = write_map(&content).unwrap();
    let alice = group_named(&opened(&bytes), "alice").unwrap().unwrap();
    assert!(alice.members.is_empty());
}

#[test]
fn a_user_with_a_long_record_stands_for_the_group_as_well() {
    let mut content = mixed();
    content.users[0].gecos = "long ".repeat(40).into();
    let bytes = write_map(&content).unwrap();
    let map = opened(&bytes);
    assert_eq!(listed(&map, Cursor::default()), expected(&content.groups));
    assert!(map.user_by_id(70_000, &mut [0; 1024]).unwrap().is_some());
}

proptest! {
    /// What was listed is not listed again, and nobody with a higher id is left out, wherever the
    /// map is replaced and whoever is missing in the new one.
    #[test]
    fn nss_21_a_listing_goes_on_in_any_other_map(
        first in prop::collection::btree_set(0..30_u32, 0..20),
        second in prop::collection::btree_set(0..30_u32, 0..20),
        steps in 0..20_usize,
    ) {
        let people = |numbers: &std::collections::BTreeSet<u32>| {
            let name = |n: u32| format!("person{n}");
            let users: Vec<MapUser<'_>> =
                numbers.iter().map(|n| user(&name(*n), 70_000 + n, &[])).collect();
            let private = |n: u32| group(&name(n), 70_000 + n, &[&name(n)]);
            let groups = numbers.iter().map(|n| match n % 3 {
                0 => private(*n),
                1 => group(&format!("team{n}"), 70_000 + n, &[&name(*n)]),
                _ => group(&name(*n), 70_000 + n, &[]),
            });
            let groups = groups.collect();
            MapContent { users, groups, enumerate: true, ..MapContent::default() }
        };
        let (before, after) = (people(&first), people(&second));
        let (before, after) = (write_map(&before).unwrap(), write_map(&after).unwrap());
        let (before, after) = (opened(&before), opened(&after));
        let (mut of_users, mut of_groups) = (Cursor::default(), Cursor::default());
        let mut last = 0;
        for n in first.iter().take(steps) {
            of_users = before.user_after(of_users, &mut [0; 1024]).unwrap().unwrap().1;
            of_groups = group_after(&before, of_groups).unwrap().unwrap().1;
            last = 70_000 + n;
        }
        let expected: Vec<u32> =
            second.iter().map(|n| 70_000 + n).filter(|id| *id > last).collect();
        let groups: Vec<u32> = listed(&after, of_groups).iter().map(|group| group.gid).collect();
        prop_assert_eq!(&groups, &expected);
        let mut users = Vec::new();
        while let Some((user, next)) = after.user_after(of_users, &mut [0; 1024]).unwrap() {
            users.push(user.uid);
            of_users = next;
        }
        prop_assert_eq!(&users, &expected);
    }
}
