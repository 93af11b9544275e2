//! The groups of a user: whole, once each, behind those that glibc knows.

use crate::ffi::{Guarded, Key, NOT_FOUND, SUCCESS, TRY_AGAIN, UNAVAILABLE};
use crate::ffi::{group, group_list, on};
use crate::host::Host;
use crate::people::{ALICE, DEV, content, group as a_group, three, user};

const NO_LIMIT: i64 = -1;

#[test]
fn nss_14_every_number_of_groups_comes_whole() {
    for count in [0, 1, 16, 17, 1_000, 65_536] {
        let groups: Vec<u32> = (0..count).map(|n| 0x7000_0000 + n).collect();
        let host = Host::knowing(&content(vec![user("alice", ALICE, &groups)], vec![]));
        let said = on(&host, || group_list("alice", &[ALICE], ALICE, NO_LIMIT));
        assert_eq!((said.status, said.errno), (SUCCESS, libc::ERANGE));
        let mut expected = vec![ALICE];
        expected.extend(&groups);
        assert_eq!(said.entry.unwrap(), expected);
    }
}

#[test]
fn nss_14_what_glibc_knows_or_skips_is_not_added_again() {
    let host = Host::knowing(&three());
    let said = on(&host, || group_list("alice", &[27, DEV], DEV + 1, NO_LIMIT));
    assert_eq!(said.entry.unwrap(), [27, DEV]);
    let said = on(&host, || group_list("alice", &[], 27, NO_LIMIT));
    assert_eq!(said.entry.unwrap(), [DEV, DEV + 1]);
}

#[test]
fn nss_14_the_limit_of_the_caller_is_kept() {
    let host = Host::knowing(&three());
    for (limit, expected) in [
        (1, vec![27]),
        (2, vec![27, DEV]),
        (3, vec![27, DEV, DEV + 1]),
    ] {
        let said = on(&host, || group_list("alice", &[27], 27, limit));
        assert_eq!((said.status, said.entry), (SUCCESS, Some(expected)));
    }
}

#[test]
fn an_unknown_user_and_a_missing_map_add_nothing() {
    let host = Host::knowing(&three());
    let said = on(&host, || group_list("mallory", &[27], 27, NO_LIMIT));
    assert_eq!((said.status, said.errno), (NOT_FOUND, libc::ENOENT));
    assert_eq!(said.entry.unwrap(), [27]);
    let said = on(&Host::new(), || group_list("alice", &[27], 27, NO_LIMIT));
    assert_eq!((said.status, said.errno), (UNAVAILABLE, libc::EAGAIN));
    assert_eq!(said.entry.unwrap(), [27]);
}

#[test]
fn nss_14_a_group_of_100000_comes_whole_or_says_erange() {
    let names: Vec<String> = (0..100_000).map(|n| format!("person{n:06}")).collect();
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    let host = Host::knowing(&content(vec![], vec![a_group("many", DEV, &members)]));
    on(&host, || {
        let memory = Guarded::new();
        let small = group(&memory, Key::Name("many"), 2_000_000);
        let large = group(&memory, Key::Name("many"), 2_300_000);
        assert_eq!((small.status, small.errno), (TRY_AGAIN, libc::ERANGE));
        assert_eq!(large.entry.unwrap().members, names);
    });
}
