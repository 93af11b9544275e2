//! Processes that live while the map is replaced again and again, and while others fork: they hold
//! one map at most, no file that is gone, and no more memory than at first.

use std::fs;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::cacher::Cacher;
use crate::ffi::{Guarded, process_on, take_an_hour};
use crate::host::Host;
use crate::memory::{alice, changed, descriptors, held, look_up_much};
use crate::people::three;
use crate::programs::run;

/// Memory of one's own that may come and go, in KiB.
const NOISE_KIB: u64 = 1024;

/// Descriptors and mappings of this process whose file has been replaced, memory files apart.
fn pinned() -> usize {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let gone = |path: &str| path.contains("identity.map") && !path.contains("memfd:");
    let mapped = maps.lines().filter(|line| gone(line)).count();
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let open = open.filter_map(|entry| fs::read_link(entry.path()).ok());
    mapped + open.filter(|path| gone(&path.to_string_lossy())).count()
}

fn own_memory_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let of = |line: &str| line.split_whitespace().nth(1)?.parse::<u64>().ok();
    let lines = status.lines().filter(|line| line.starts_with("RssAnon:"));
    lines.filter_map(of).sum()
}

fn replaced(times: u32) {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    let (mut end, mut say_end) = std::io::pipe().unwrap();
    let given_up = AtomicBool::new(false);
    let well = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut replaced = 0;
            // On a busy machine the process may come late.
            while (replaced < times || cacher.connections() <= 2)
                && !given_up.load(Ordering::Relaxed)
            {
                cacher.publish(&host, &changed());
                cacher.publish(&host, &three());
                replaced += 2;
            }
            say_end.write_all(b"!").unwrap();
        });
        let well = process_on(&host, || {
            take_an_hour();
            let memory = Guarded::new();
            let end = std::thread::spawn(move || {
                end.read_exact(&mut [0]).unwrap();
                end
            });
            assert!(look_up_much(&memory));
            let (open, own) = (descriptors(), own_memory_kib());
            while !end.is_finished() {
                let line = alice(&memory);
                assert!(line.contains(":Person alice:") || line.contains(":Alice Changed:"));
                assert!(held() <= 1 && pinned() == 0);
            }
            assert_eq!(descriptors(), open);
            own_memory_kib() < own + NOISE_KIB
        });
        given_up.store(true, Ordering::Relaxed);
        well
    });
    assert!(well);
    assert!(cacher.connections() > 2, "no map was fetched anew");
}

#[test]
fn nss_04_however_often_the_map_is_replaced_one_is_held_and_no_file_is_pinned() {
    replaced(1_000);
}

#[test]
#[ignore = "takes minutes"]
fn soak_nss_04_a_hundred_thousand_replacements() {
    replaced(100_000);
}

fn forks(seconds: &str) {
    let host = Host::knowing(&three());
    let cacher = Cacher::of(&host, &three());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // The same people, again and again.
            while !done.load(Ordering::Relaxed) {
                cacher.publish(&host, &three());
            }
        });
        let ended = std::panic::catch_unwind(|| run(&host, "forks", &[seconds]));
        done.store(true, Ordering::Relaxed);
        let said = ended.unwrap();
        assert!(said.number("lookups") > 100, "{said:?}");
        assert!(said.number("children") > 10, "{said:?}");
        assert!(said.number("held") <= 1, "{said:?}");
    });
}

#[test]
fn nss_09_thirty_two_threads_look_up_while_others_fork_look_up_and_exec() {
    forks("3");
}

#[test]
#[ignore = "takes an hour"]
fn soak_hour_nss_09_thirty_two_threads_look_up_while_others_fork_look_up_and_exec() {
    forks("3600");
}
