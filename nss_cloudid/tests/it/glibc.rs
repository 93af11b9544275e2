//! Through glibc's own programs.

use crate::host::Host;
use crate::people::{content, group, group_lines, passwd_lines, three, user};

#[test]
fn getent_and_id_see_people_of_the_map() {
    let host = Host::knowing(&three());
    let alice = "alice:x:70001:70001:Person alice:/home/alice:/bin/bash\n";
    assert_eq!(host.says(&["getent", "passwd", "alice"]), alice);
    assert_eq!(host.says(&["getent", "passwd", "70001"]), alice);
    assert_eq!(
        host.says(&["getent", "group", "dev"]),
        "dev:x:71000:alice,bob\n"
    );
    assert_eq!(
        host.says(&["getent", "group", "71001"]),
        "ops:x:71001:alice\n"
    );
    assert_eq!(
        host.says(&["id", "alice"]),
        "uid=70001(alice) gid=70001(alice) groups=70001(alice),71000(dev),71001(ops)\n"
    );
    assert_eq!(
        host.run(&["getent", "passwd", "mallory"]).status.code(),
        Some(2)
    );
}

#[test]
fn local_users_are_seen_without_a_map() {
    let host = Host::new();
    assert!(
        host.says(&["getent", "passwd", "root"])
            .starts_with("root:x:0:0:")
    );
    assert_eq!(
        host.says(&["id", "root"]),
        "uid=0(root) gid=0(root) groups=0(root)\n"
    );
    assert!(host.says(&["getent", "passwd"]).starts_with("root:x:0:0:"));
}

#[test]
fn nobody_is_listed_unless_the_map_says_so() {
    let mut people = three();
    people.enumerate = false;
    let host = Host::knowing(&people);
    assert!(!host.says(&["getent", "passwd"]).contains("alice"));
    assert!(!host.says(&["getent", "group"]).contains("dev"));
    assert!(host.says(&["getent", "passwd", "alice"]).contains("alice"));
}
