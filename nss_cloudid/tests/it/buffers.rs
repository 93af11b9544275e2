//! Buffers of every length, each ending at a page that nobody may touch; with the length the
//! alignment of the start goes through every value.

use crate::ffi::{
    Group, Guarded, Key, NOT_FOUND, SUCCESS, TRY_AGAIN, UNAVAILABLE, group, on, rewind, user,
};
use crate::host::Host;
use crate::people::{ALICE, DEV, content, group as a_group, three, user as a_user};

const ALICE_LINE: &str = "alice:x:70001:70001:Person alice:/home/alice:/bin/bash";

#[test]
fn nss_05_a_user_comes_whole_or_not_at_all() {
    let host = Host::knowing(&three());
    on(&host, || {
        let memory = Guarded::new();
        for length in 0..=4096 {
            for key in [Key::Name("alice"), Key::Id(ALICE), Key::Next] {
                rewind();
                let said = user(&memory, key, length);
                // The fields, their separators as NULs and one NUL more, without the two numbers.
                if length < ALICE_LINE.len() + 1 - "70001:70001:".len() {
                    assert_eq!((said.status, said.errno), (TRY_AGAIN, libc::ERANGE));
                } else {
                    assert_eq!((said.status, said.errno), (SUCCESS, libc::ERANGE));
                    assert_eq!(said.entry.unwrap().line, ALICE_LINE);
                }
            }
        }
    });
}

#[test]
fn nss_05_a_group_comes_whole_or_not_at_all_with_aligned_pointers() {
    let names: Vec<String> = (0..100).map(|n| format!("person{n}")).collect();
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    let groups = vec![a_group("dev", DEV, &members), a_group("ops", DEV + 1, &[])];
    let host = Host::knowing(&content(vec![a_user("alice", ALICE, &[])], groups));
    on(&host, || {
        let memory = Guarded::new();
        for (wanted, id, count) in [("dev", DEV, 100), ("ops", DEV + 1, 0)] {
            let mut fitted = false;
            for length in 0..=4096 {
                let by_name = group(&memory, Key::Name(wanted), length);
                let by_id = group(&memory, Key::Id(id), length);
                assert_eq!(by_name, by_id);
                if by_name.status == SUCCESS {
                    fitted = true;
                    let Group { name, gid, members } = by_name.entry.unwrap();
                    assert_eq!((name.as_str(), gid, members.len()), (wanted, id, count));
                    assert!(members.iter().all(|member| names.contains(member)));
                } else {
                    assert!(!fitted, "{length} is enough, but less was");
                    assert_eq!((by_name.status, by_name.errno), (TRY_AGAIN, libc::ERANGE));
                }
            }
            assert!(fitted);
        }
    });
}

#[test]
fn nss_05_a_listing_goes_on_where_the_buffer_was_too_small() {
    let host = Host::knowing(&three());
    on(&host, || {
        let memory = Guarded::new();
        rewind();
        let mut names = Vec::new();
        loop {
            assert_eq!(
                group(&memory, Key::Next, 10).errno != libc::ERANGE,
                names.len() == 5
            );
            let said = group(&memory, Key::Next, 1024);
            let Some(entry) = said.entry else {
                assert_eq!((said.status, said.errno), (NOT_FOUND, libc::ENOENT));
                break;
            };
            names.push(entry.name);
        }
        assert_eq!(names, ["alice", "bob", "carol", "dev", "ops"]);
    });
}

#[test]
fn nss_05_errno_is_erange_for_a_small_buffer_only() {
    let host = Host::knowing(&three());
    on(&host, || {
        let memory = Guarded::new();
        let long = "n".repeat(10_000);
        for name in ["mallory", "", "dev", "ALICE", &long] {
            let said = user(&memory, Key::Name(name), 4096);
            assert_eq!(
                (said.status, said.errno),
                (NOT_FOUND, libc::ENOENT),
                "{name}"
            );
        }
        for length in [0, 4096] {
            let said = user(&memory, Key::Id(0), length);
            assert_eq!((said.status, said.errno), (NOT_FOUND, libc::ENOENT));
        }
    });
}

#[test]
fn nss_05_a_buffer_that_grows_is_told_to_grow_on_and_no_other_is_told_what_was_true_once() {
    let names: Vec<String> = (0..100).map(|n| format!("person{n}")).collect();
    let members: Vec<&str> = names.iter().map(String::as_str).collect();
    let with = |members: &[&str]| {
        let users = vec![a_user("alice", ALICE, &[])];
        content(users, vec![a_group("dev", DEV, members)])
    };
    let host = Host::knowing(&with(&members));
    let map = host.map();
    on(&host, || {
        let memory = Guarded::new();
        let said = |length| {
            let said = group(&memory, Key::Id(DEV), length);
            (said.status, said.errno)
        };
        let (too_small, silent) = ((TRY_AGAIN, libc::ERANGE), (UNAVAILABLE, libc::EAGAIN));
        assert_eq!(said(256), too_small);
        std::fs::remove_file(&map).unwrap();
        // Not looked up: there is nothing to look at.
        assert_eq!([512, 1024].map(said), [too_small, too_small]);
        assert_eq!([1024, 512, 0, 4096].map(said), [silent; 4]);
        host.publish(&with(&["alice"]));
        assert_eq!(said(1024).0, SUCCESS);
        assert_eq!(said(4096).0, SUCCESS);
    });
}
