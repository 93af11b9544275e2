//! The shared object itself: what it exports, what it needs, what it leaves behind.

use std::fs;
use std::process::Command;

use crate::ffi::{Guarded, Key, NOT_FOUND, SUCCESS, UNAVAILABLE, group, group_list, on, user};
use crate::host::{Host, module};
use crate::people::{ALICE, three};

const EXPORTED: [&str; 11] = [
    "_nss_cloudid_endgrent",
    "_nss_cloudid_endpwent",
    "_nss_cloudid_getgrent_r",
    "_nss_cloudid_getgrgid_r",
    "_nss_cloudid_getgrnam_r",
    "_nss_cloudid_getpwent_r",
    "_nss_cloudid_getpwnam_r",
    "_nss_cloudid_getpwuid_r",
    "_nss_cloudid_initgroups_dyn",
    "_nss_cloudid_setgrent",
    "_nss_cloudid_setpwent",
];

#[test]
fn nss_16_nothing_but_the_functions_of_glibc_is_exported() {
    let listed = output("nm", &["-D", "--defined-only", "--format=posix"]);
    let mut names: Vec<&str> = listed
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    names.sort_unstable();
    assert_eq!(names, EXPORTED);
}

#[test]
fn only_the_c_library_is_needed_and_the_name_is_glibcs() {
    let dynamic = output("readelf", &["-d"]);
    let needed = dynamic.lines().filter(|line| line.contains("(NEEDED)"));
    for line in needed {
        let known = ["libc.so.6", "ld-linux"];
        assert!(known.iter().any(|name| line.contains(name)), "{line}");
    }
    assert!(
        dynamic.contains("Library soname: [libnss_cloudid.so.2]"),
        "{dynamic}"
    );
    assert!(dynamic.contains("NODELETE"), "{dynamic}");
}

#[test]
fn nss_07_many_lookups_leave_no_descriptor_behind() {
    lookups_by_file(4_000);
}

#[test]
#[ignore = "takes minutes"]
fn soak_nss_07_a_million_lookups_leave_no_descriptor_behind() {
    lookups_by_file(250_000);
}

/// Four lookups a round, and now and then one of somebody unknown and one in a damaged map.
fn lookups_by_file(rounds: u32) {
    let host = Host::knowing(&three());
    on(&host, || {
        let memory = Guarded::new();
        let before = descriptors();
        for round in 0..rounds {
            assert_eq!(user(&memory, Key::Name("alice"), 1024).status, SUCCESS);
            assert_eq!(user(&memory, Key::Name("mallory"), 1024).status, NOT_FOUND);
            assert_eq!(group(&memory, Key::Name("dev"), 1024).status, SUCCESS);
            assert_eq!(group_list("alice", &[], 0, -1).status, SUCCESS);
            if round % 50 == 0 {
                assert_eq!(user(&memory, Key::Id(ALICE + 9), 1024).status, UNAVAILABLE);
                fs::write(host.map(), "damaged").unwrap();
                assert_eq!(user(&memory, Key::Name("alice"), 1024).status, UNAVAILABLE);
                host.publish(&three());
            }
        }
        assert_eq!(descriptors(), before);
    });
}

fn descriptors() -> usize {
    fs::read_dir("/proc/thread-self/fd").unwrap().count()
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program)
        .args(arguments)
        .arg(module())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} failed");
    String::from_utf8(output.stdout).unwrap()
}
