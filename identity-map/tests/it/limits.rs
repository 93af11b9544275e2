//! Limits and refusals of the writer.

use identity_map::{GROUPS_PER_USER_MAX, MapContent, WriteError, write_map};
use posix_names::{Gid, Uid};

use crate::sample::{content, group, group_named, groups_of, opened, user};

#[test]
fn nss_13_an_id_out_of_range_cannot_be_written() {
    for id in [
        0,
        1,
        999,
        65_534,
        4_294_967_295,
        4_294_967_296,
        1 << 63,
        u64::MAX,
    ] {
        assert!(Uid::new(id).is_err() && Gid::new(id).is_err(), "{id}");
    }
}

#[test]
fn nss_14_every_number_of_groups_up_to_the_limit_comes_back_whole() {
    for count in [0, 1, 16, 17, 1_000, 65_536] {
        let groups: Vec<u32> = (0..count).map(|n| 0x7000_0000 + n).collect();
        let content = one_user(&groups);
        let bytes = write_map(&content).unwrap();
        let found = groups_of(&opened(&bytes), "alice").unwrap().unwrap();
        assert_eq!(found, groups);
    }
}

#[test]
fn nss_14_a_group_too_many_is_a_loud_error() {
    let groups: Vec<u32> = (0..=65_536).map(|n| 0x7000_0000 + n).collect();
    let error = write_map(&one_user(&groups)).unwrap_err();
    assert!(matches!(
        error,
        WriteError::TooManyGroups { count: 65_537, .. }
    ));
    let text = error.to_string();
    assert!(
        text.contains("alice") && text.contains(&GROUPS_PER_USER_MAX.to_string()),
        "{text}"
    );
}

#[test]
fn nss_14_a_group_of_100000_members_comes_back_whole() {
    let names: Vec<String> = (0..100_000).map(|n| format!("person{n:06}")).collect();
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    let groups = vec![group("whole-company", 70_001, &members)];
    let bytes = write_map(&MapContent {
        groups,
        ..MapContent::default()
    })
    .unwrap();
    let map = opened(&bytes);
    let company = group_named(&map, "whole-company").unwrap().unwrap();
    assert_eq!(company.members.len(), 100_000);
    assert_eq!(company.members, names);
}

#[test]
fn a_group_named_twice_in_a_list_counts_once() {
    let bytes = write_map(&one_user(&[70_003, 70_002, 70_003])).unwrap();
    assert_eq!(
        groups_of(&opened(&bytes), "alice").unwrap().unwrap(),
        [70_002, 70_003]
    );
}

#[test]
fn clashing_names_and_ids_are_refused_by_name() {
    let users = |users| MapContent {
        users,
        ..MapContent::default()
    };
    let groups = |groups| MapContent {
        groups,
        ..MapContent::default()
    };
    let cases = [
        (
            users(vec![user("alice", 70_000, &[]), user("alice", 70_001, &[])]),
            "alice",
        ),
        (
            users(vec![user("alice", 70_000, &[]), user("bob", 70_000, &[])]),
            "70000",
        ),
        (
            groups(vec![group("dev", 70_000, &[]), group("dev", 70_001, &[])]),
            "dev",
        ),
        (
            groups(vec![group("dev", 70_000, &[]), group("web", 70_000, &[])]),
            "70000",
        ),
    ];
    for (content, named) in cases {
        let text = write_map(&content).unwrap_err().to_string();
        assert!(text.contains(named), "{text}");
    }
}

#[test]
fn a_map_of_two_thousand_users_stays_below_300_bytes_each() {
    let bytes = write_map(&content(2_000)).unwrap();
    assert!(bytes.len() < 2_000 * 300, "{} bytes", bytes.len());
}

fn one_user(groups: &[u32]) -> MapContent<'static> {
    MapContent {
        users: vec![user("alice", 70_000, groups)],
        ..MapContent::default()
    }
}
