//! Through glibc's own programs.

use identity_map::MapContent;

use crate::host::Host;
use crate::inside::random_answers;
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

/// The same data in `files` and in cloudid: every program must print the same. One difference is
/// meant: an id of the directory's ranges that nobody has is *cannot tell* while no cacher runs.
#[test]
fn nss_24_files_and_cloudid_give_the_same_answers() {
    let (files, cloudid) = files_and_cloudid();
    let script = r#"
        for name in person0 person1 person17 person99 person100 mallory 70000 70099 '' 'a b' \
            root nobody 0 65534 4294967295 4294967296 18446744073709551616 -1 0x0 ' 0'; do
            echo "== $name"
            getent passwd "$name"; echo $?
            getent group "$name"; echo $?
            getent initgroups "$name"; echo $?
            id "$name" 2>&1; echo $?
            id -Gn "$name" 2>&1; echo $?
        done
        for group in team0 team1 team9 whole empty nogroup 90000 90005 90010 90011 999; do
            echo "== $group"
            getent group "$group"; echo $?
        done
        getent passwd; getent group
    "#;
    let said = [&files, &cloudid].map(|host| host.says(&["sh", "-c", script]));
    let [files, cloudid] = said.each_ref().map(|said| said.lines().collect::<Vec<_>>());
    assert!(files.len() > 250, "{} lines", files.len());
    for (files, cloudid) in files.iter().zip(&cloudid) {
        assert_eq!(files, cloudid);
    }
    assert_eq!(files.len(), cloudid.len());
}

#[test]
fn nss_24_random_operations_have_the_same_results_and_errors() {
    let (files, cloudid) = files_and_cloudid();
    let [files, cloudid] = [&files, &cloudid].map(random_answers);
    assert!(files.len() > 10_000, "{} answers", files.len());
    let found = |answers: &[String]| answers.iter().filter(|answer| answer.contains(':')).count();
    assert!(found(&files) > files.len() / 2);
    for (number, (files, cloudid)) in files.iter().zip(&cloudid).enumerate() {
        assert_eq!(files, cloudid, "operation {number}");
    }
    assert_eq!(files.len(), cloudid.len());
}

/// Two hosts with the same people: one has them in its files, the other in its map.
fn files_and_cloudid() -> (Host, Host) {
    let (files, cloudid) = (Host::new(), Host::new());
    let people = many();
    files.names_from("files");
    files.local(&passwd_lines(&people), &group_lines(&people));
    cloudid.publish(&people);
    (files, cloudid)
}

/// A hundred people in up to ten groups, everybody in one, and an empty one.
fn many() -> MapContent<'static> {
    let names: Vec<String> = (0..100).map(|n| format!("person{n}")).collect();
    let teams_of = |n: u32| (0..n % 11).map(|team| 90_000 + team).collect::<Vec<u32>>();
    let mut users = Vec::new();
    let mut members = vec![Vec::new(); 10];
    for (n, name) in (0..).zip(&names) {
        let mut groups = teams_of(n);
        for gid in &groups {
            members[(gid - 90_000) as usize].push(name.as_str());
        }
        groups.push(90_010);
        users.push(user(name, 70_000 + n, &groups));
    }
    let mut groups: Vec<_> = (0..)
        .zip(&members)
        .map(|(team, members)| group(&format!("team{team}"), 90_000 + team, members))
        .collect();
    let everybody: Vec<&str> = names.iter().map(String::as_str).collect();
    groups.push(group("whole", 90_010, &everybody));
    groups.push(group("empty", 90_011, &[]));
    content(users, groups)
}
