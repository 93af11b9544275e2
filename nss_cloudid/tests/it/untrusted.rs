//! A map that is missing, damaged or not the cacher's alone is *cannot tell*, at once; local users
//! are found all the same.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use identity_map::write_map;

use crate::ffi::{Guarded, Key, SUCCESS, UNAVAILABLE};
use crate::ffi::{group, group_list, make_node, null_device, on, user};
use crate::host::Host;
use crate::people::{ALICE, DEV, three};

type Spoil = fn(&Host);

const SPOILED: &[(&str, Spoil)] = &[
    ("missing", |host| fs::remove_file(host.map()).unwrap()),
    ("empty", |host| fs::write(host.map(), "").unwrap()),
    ("text", |host| {
        fs::write(host.map(), "alice:x:0:0".repeat(99)).unwrap()
    }),
    ("cut", |host| {
        let bytes = fs::read(host.map()).unwrap();
        fs::write(host.map(), &bytes[..bytes.len() - 1]).unwrap();
    }),
    ("a person's", |host| {
        chown(host.map(), Some(1000), None).unwrap()
    }),
    ("a directory user's", |host| {
        chown(host.map(), Some(ALICE), None).unwrap()
    }),
    ("another system user's", |host| {
        chown(host.map(), Some(2), None).unwrap()
    }),
    ("group-writable", |host| set_mode(host, 0o664)),
    ("world-writable", |host| set_mode(host, 0o646)),
    ("a folder", |host| {
        fs::remove_file(host.map()).unwrap();
        fs::create_dir(host.map()).unwrap();
    }),
    ("a symbolic link", |host| {
        fs::rename(host.map(), host.path("run/other")).unwrap();
        symlink(host.path("run/other"), host.map()).unwrap();
    }),
    ("a FIFO", |host| {
        fs::remove_file(host.map()).unwrap();
        make_node(&host.map(), libc::S_IFIFO | 0o644, 0);
    }),
    ("a device", |host| {
        fs::remove_file(host.map()).unwrap();
        make_node(&host.map(), libc::S_IFCHR | 0o644, null_device());
    }),
];

fn set_mode(host: &Host, mode: u32) {
    fs::set_permissions(host.map(), fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn nss_19_what_cannot_be_trusted_is_unavailable_at_once() {
    for (what, spoil) in SPOILED {
        let host = Host::knowing(&three());
        spoil(&host);
        on(&host, || {
            let memory = Guarded::new();
            let mut quickest = Duration::MAX;
            for _ in 0..5 {
                let before = now();
                let alice = user(&memory, Key::Name("alice"), 1024);
                quickest = quickest.min(before.elapsed());
                assert_eq!(
                    (alice.status, alice.errno),
                    (UNAVAILABLE, libc::EAGAIN),
                    "{what}"
                );
            }
            assert!(quickest < Duration::from_millis(1), "{what}: {quickest:?}");
            let said = [
                user(&memory, Key::Id(ALICE), 1024).status,
                user(&memory, Key::Next, 1024).status,
                group(&memory, Key::Name("dev"), 1024).status,
                group(&memory, Key::Id(DEV), 1024).status,
                group(&memory, Key::Next, 1024).status,
                group_list("alice", &[], 0, -1).status,
            ];
            assert_eq!(said, [UNAVAILABLE; 6], "{what}");
        });
        let root = host.says(&["getent", "passwd", "root"]);
        assert!(root.starts_with("root:x:0:0"), "{what}");
    }
}

#[test]
fn nss_19_a_map_of_mode_000_is_unavailable_to_users() {
    let host = Host::knowing(&three());
    set_mode(&host, 0);
    let as_nobody = [
        "setpriv",
        "--reuid=65534",
        "--clear-groups",
        "getent",
        "passwd",
    ];
    let getent = |name| host.run(&[&as_nobody[..], &[name]].concat());
    assert_eq!(getent("alice").status.code(), Some(2));
    assert!(getent("root").status.success());
}

#[test]
fn a_map_of_the_system_account_that_owns_the_folder_is_trusted() {
    let host = Host::knowing(&three());
    chown(host.path("run"), Some(2), None).unwrap();
    chown(host.map(), Some(2), None).unwrap();
    let alice = |host: &Host| {
        on(host, || {
            user(&Guarded::new(), Key::Name("alice"), 1024).status
        })
    };
    assert_eq!(alice(&host), SUCCESS);
    fs::set_permissions(host.path("run"), fs::Permissions::from_mode(0o775)).unwrap();
    assert_eq!(alice(&host), UNAVAILABLE);
}

#[test]
fn nss_01_readers_survive_a_map_that_is_cut_grown_and_replaced() {
    let host = Host::knowing(&three());
    let whole = write_map(&three()).unwrap();
    let done = AtomicBool::new(false);
    let read = || {
        on(&host, || {
            let memory = Guarded::new();
            let mut hits = 0;
            while !done.load(Ordering::Relaxed) {
                let alice = user(&memory, Key::Id(ALICE), 1024);
                let dev = group(&memory, Key::Name("dev"), 1024);
                assert!(matches!(alice.status, SUCCESS | UNAVAILABLE), "{alice:?}");
                if let Some(alice) = alice.entry {
                    assert!(alice.line.starts_with("alice:x:70001:70001:"));
                    hits += 1;
                }
                if let Some(dev) = dev.entry {
                    assert_eq!(dev.members, ["alice", "bob"]);
                }
            }
            hits
        })
    };
    std::thread::scope(|scope| {
        let readers = [scope.spawn(read), scope.spawn(read), scope.spawn(read)];
        for round in 0..300_u32 {
            for length in [0, 1, 383, 4095, whole.len() as u64 + 1] {
                let file = fs::OpenOptions::new().write(true).open(host.map()).unwrap();
                file.set_len(length).unwrap();
            }
            fs::remove_file(host.map()).unwrap();
            host.publish(&three());
            if round % 3 == 0 {
                let mut flipped = whole.clone();
                flipped[round as usize * 7 % whole.len()] ^= 1;
                fs::write(host.map(), flipped).unwrap();
                host.publish(&three());
            }
        }
        done.store(true, Ordering::Relaxed);
        let hits: u32 = readers
            .into_iter()
            .map(|reader| reader.join().unwrap())
            .sum();
        assert!(hits > 0, "no reader ever found alice");
    });
}

#[expect(clippy::disallowed_methods, reason = "measures")]
fn now() -> Instant {
    Instant::now()
}
