//! The map is replaced all the time under processes of both kinds.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::cacher::Cacher;
use crate::ffi::{Guarded, Key, NOT_FOUND, SUCCESS, child_says, process_on, rewind, user};
use crate::host::Host;
use crate::memory::{alice, all_is_well, changed, descriptors, held, look_up_much};
use crate::people::{content, three, user as a_user};
use crate::programs::run_alone;

/// Publishes two versions in turn until the work is done.
fn while_replaced<T>(host: &Host, cacher: &Cacher, work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                cacher.publish(host, &changed());
                cacher.publish(host, &three());
            }
        });
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        result.unwrap()
    })
}

fn lookups_under_replacement(rounds: u32) {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    let well = while_replaced(&host, &cacher, || {
        process_on(&host, || {
            let memory = Guarded::new();
            let before = descriptors();
            let right = (0..rounds).all(|round| {
                let line = alice(&memory);
                let known = line.contains(":Person alice:") || line.contains(":Alice Changed:");
                known && (round % 50 != 0 || (all_is_well(&memory) && held() <= 1))
            });
            right && descriptors() == before
        })
    });
    assert!(well);
    assert!(
        cacher.connections() > 2,
        "the map in memory was never asked for"
    );
}

#[test]
fn nss_03_each_answer_is_of_one_version_and_at_most_one_map_is_held() {
    lookups_under_replacement(5_000);
}

#[test]
#[ignore = "takes minutes"]
fn soak_lookups_under_replacement() {
    lookups_under_replacement(2_000_000);
}

#[test]
fn nss_07_lookups_in_memory_leave_no_descriptor_behind() {
    lookups_in_memory(10_000);
}

#[test]
#[ignore = "takes minutes"]
fn soak_a_million_lookups_in_memory_leave_no_descriptor_behind() {
    (0..20).for_each(|_| lookups_in_memory(50_000));
}

fn lookups_in_memory(rounds: u32) {
    let host = Host::knowing(&three());
    let _cacher = Cacher::of(&host, &three());
    let clean = process_on(&host, || {
        let memory = Guarded::new();
        let before = descriptors();
        let well = (0..rounds).all(|_| {
            user(&memory, Key::Name("alice"), 80).status == SUCCESS
                && user(&memory, Key::Name("mallory"), 80).status == NOT_FOUND
        });
        well && held() == 1 && descriptors() == before
    });
    assert!(clean);
}

#[test]
fn nss_09_children_answer_whatever_the_parent_was_doing() {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    let well = while_replaced(&host, &cacher, || {
        process_on(&host, || {
            let done = AtomicBool::new(false);
            std::thread::scope(|scope| {
                for _ in 0..3 {
                    scope.spawn(|| {
                        let memory = Guarded::new();
                        while !done.load(Ordering::Relaxed) {
                            assert!(alice(&memory).starts_with("alice:x:70001:"));
                        }
                    });
                }
                let memory = Guarded::new();
                // Two: a map that another thread was letting go of stays mapped in the child.
                let children = (0..200).all(|_| {
                    child_says(|| look_up_much(&memory) && all_is_well(&memory) && held() <= 2)
                });
                done.store(true, Ordering::Relaxed);
                children
            })
        })
    });
    assert!(well);
}

#[test]
fn nss_09_a_fork_in_the_middle_of_a_fetch_leaves_nobody_waiting() {
    let host = Host::knowing(&three());
    // It accepts connections and never answers.
    let _hangs = std::os::unix::net::UnixListener::bind(host.socket()).unwrap();
    let well = process_on(&host, || {
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                assert!(look_up_much(&Guarded::new()));
                done.store(true, Ordering::Relaxed);
            });
            let memory = Guarded::new();
            let mut forks = 0;
            while forks < 5 || !done.load(Ordering::Relaxed) {
                forks += 1;
                if !child_says(|| (0..5).all(|_| look_up_much(&memory))) {
                    return false;
                }
            }
            true
        })
    });
    assert!(well);
}

fn listing(people: u32) {
    let names: Vec<String> = (0..people).map(|n| format!("person{n:06}")).collect();
    let users = names.iter().zip(0x7000_0000..);
    let users = users.map(|(name, uid)| a_user(name, uid, &[])).collect();
    let content = content(users, Vec::new());
    let host = Host::knowing(&content);
    let _cacher = Cacher::of(&host, &content);
    let well = process_on(&host, || {
        let memory = Guarded::new();
        (0..2).all(|_| {
            rewind();
            let next = || user(&memory, Key::Next, 1024).entry.map(|entry| entry.line);
            // Lookups in between do not disturb the listing.
            let listed = std::iter::from_fn(next).inspect(|_| {
                user(&memory, Key::Name("person000003"), 1024);
            });
            listed
                .zip(&names)
                .filter(|(line, name)| line.starts_with(*name))
                .count()
                == names.len()
        }) && held() == 1
    });
    assert!(well);
}

#[test]
fn nss_21_a_listing_from_memory_names_everybody_once() {
    listing(5_000);
}

#[test]
fn nss_21_two_threads_and_nested_listings_end_and_name_everybody_once_while_the_map_is_replaced() {
    let names: Vec<String> = (0..2_000).map(|n| format!("person{n}")).collect();
    let users = names.iter().zip(0x7000_0000..);
    let users = users.map(|(name, uid)| a_user(name, uid, &[])).collect();
    let content = content(users, Vec::new());
    let host = Host::knowing(&content);
    let cacher = Cacher::of(&host, &content);
    let done = AtomicBool::new(false);
    let said = std::thread::scope(|scope| {
        scope.spawn(|| {
            // The same people in a new file each time.
            while !done.load(Ordering::Relaxed) {
                cacher.publish(&host, &content);
            }
        });
        let said = std::panic::catch_unwind(|| run_alone(&host, "listing", &["2000", "5"]));
        done.store(true, Ordering::Relaxed);
        said.unwrap()
    });
    assert_eq!(said.number("listed"), 10_000, "{said:?}");
}

#[test]
#[ignore = "takes a minute"]
fn soak_a_listing_of_a_hundred_thousand() {
    listing(100_000);
}
