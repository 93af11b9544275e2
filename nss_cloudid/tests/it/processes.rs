//! Processes that do unusual things with descriptors, threads and children.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::ffi::{Guarded, Key, NOT_FOUND, SUCCESS, UNAVAILABLE};
use crate::ffi::{child_says, close, group, group_list, on, open_descriptors, user};
use crate::host::Host;
use crate::people::{ALICE, three};

/// Every kind of lookup, each with its right answer.
fn all_is_well(memory: &Guarded) -> bool {
    user(memory, Key::Name("alice"), 1024).status == SUCCESS
        && user(memory, Key::Id(ALICE), 1024).status == SUCCESS
        && user(memory, Key::Name("mallory"), 1024).status == NOT_FOUND
        && user(memory, Key::Id(ALICE + 9), 1024).status == UNAVAILABLE
        && group(memory, Key::Name("dev"), 1024).status == SUCCESS
        && group_list("alice", &[], 0, -1).status == SUCCESS
}

#[test]
fn nss_06_descriptors_of_the_program_are_left_alone() {
    let host = Host::knowing(&three());
    on(&host, || {
        let memory = Guarded::new();
        assert!(all_is_well(&memory));
        for descriptor in 3..40 {
            close(descriptor);
        }
        assert!(all_is_well(&memory), "with everything closed");
        let own: Vec<File> = (0..20).map(|_| tempfile::tempfile().unwrap()).collect();
        assert!((3..20).all(|number| own.iter().any(|file| file.as_raw_fd() == number)));
        let inodes = || {
            own.iter()
                .map(|file| file.metadata().unwrap().ino())
                .collect::<Vec<_>>()
        };
        let before = inodes();
        assert!(all_is_well(&memory), "with other files in their place");
        assert_eq!(inodes(), before);
        assert!(own.iter().all(|file| file.metadata().unwrap().len() == 0));
    });
}

#[test]
fn nss_08_a_hundred_thousand_open_descriptors_do_not_matter() {
    /// What `select` can hold, where a careless module breaks; few machines allow the whole number.
    const FD_SETSIZE: i32 = 1024;
    let host = Host::knowing(&three());
    on(&host, || {
        let opened = i32::try_from(open_descriptors(100_000)).unwrap();
        assert!(opened > 4 * FD_SETSIZE);
        // A machine that allows fewer has none left; the next one shall have a high number.
        close(opened - 1);
        assert!(all_is_well(&Guarded::new()));
    });
}

#[test]
fn without_a_free_descriptor_it_is_unavailable() {
    let host = Host::knowing(&three());
    on(&host, || {
        let memory = Guarded::new();
        open_descriptors(1 << 18);
        for _ in 0..3 {
            let said = user(&memory, Key::Name("alice"), 1024);
            assert_eq!((said.status, said.errno), (UNAVAILABLE, libc::EAGAIN));
        }
        close(1000);
        assert!(all_is_well(&memory), "one free descriptor is enough");
    });
}

#[test]
fn lookups_go_on_while_others_fork_and_in_the_child() {
    let host = Host::knowing(&three());
    let done = AtomicBool::new(false);
    let look_up = || {
        on(&host, || {
            let memory = Guarded::new();
            while !done.load(Ordering::Relaxed) {
                assert!(all_is_well(&memory));
            }
        });
    };
    std::thread::scope(|scope| {
        scope.spawn(look_up);
        scope.spawn(look_up);
        on(&host, || {
            let memory = Guarded::new();
            let children = (0..100).filter(|_| child_says(|| all_is_well(&memory)));
            assert_eq!(children.count(), 100);
        });
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn nss_18_a_cacher_that_hangs_delays_unknown_ids_only() {
    let host = Host::knowing(&three());
    let _nobody_accepts = UnixListener::bind(host.socket()).unwrap();
    // In a process of its own: this one remembers that the cacher said nothing.
    let in_time = on(&host, || {
        child_says(|| {
            let memory = Guarded::new();
            let before = now();
            assert!(all_is_well(&memory));
            let took = before.elapsed();
            assert!(
                took >= Duration::from_millis(45),
                "the unknown id was not asked: {took:?}"
            );
            assert!(took < Duration::from_millis(500), "{took:?}");
            let mut quickest = Duration::MAX;
            for _ in 0..20 {
                let before = now();
                assert!(all_is_well(&memory));
                quickest = quickest.min(before.elapsed());
            }
            quickest < Duration::from_millis(10)
        })
    });
    assert!(in_time);
}

#[test]
fn a_listing_of_unknown_owners_does_not_wait_for_each() {
    let host = Host::knowing(&three());
    let _nobody_accepts = UnixListener::bind(host.socket()).unwrap();
    let in_time = on(&host, || {
        child_says(|| {
            let memory = Guarded::new();
            let before = now();
            let unknown = (80_000..81_000).map(|id| user(&memory, Key::Id(id), 1024).status);
            unknown.filter(|status| *status == UNAVAILABLE).count() == 1_000
                && before.elapsed() < Duration::from_secs(3)
        })
    });
    assert!(in_time);
}

#[expect(clippy::disallowed_methods, reason = "measures")]
fn now() -> Instant {
    Instant::now()
}
