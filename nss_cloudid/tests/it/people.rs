//! People for tests, as a map and as lines of passwd and group.

use identity_map::{MapContent, MapGroup, MapUser, MemberPolicy, Owners};
use posix_names::{Gid, Uid};

pub(crate) const ALICE: u32 = 70_001;
pub(crate) const DEV: u32 = 71_000;

pub(crate) fn user(name: &str, uid: u32, groups: &[u32]) -> MapUser<'static> {
    let uid = Uid::new(u64::from(uid)).unwrap();
    MapUser {
        uid,
        gid: uid.private_group(),
        gecos: format!("Person {name}").into(),
        home: format!("/home/{name}").into(),
        shell: "/bin/bash".into(),
        groups: groups.iter().map(|id| gid(*id)).collect(),
        name: name.to_owned().into(),
    }
}

pub(crate) fn group(name: &str, number: u32, members: &[&str]) -> MapGroup<'static> {
    let member = |name: &&str| String::from(*name).into();
    MapGroup {
        name: name.to_owned().into(),
        gid: gid(number),
        members: members.iter().map(member).collect(),
    }
}

pub(crate) fn content(
    users: Vec<MapUser<'static>>,
    groups: Vec<MapGroup<'static>>,
) -> MapContent<'static> {
    MapContent {
        version: 1,
        issued_at_ms: 1_790_000_000_000,
        enumerate: true,
        member_policy: MemberPolicy::All,
        owners: Owners::Ids,
        users,
        groups,
    }
}

/// Alice, Bob and Carol, their private groups, and two teams.
pub(crate) fn three() -> MapContent<'static> {
    content(
        vec![
            user("alice", ALICE, &[DEV, DEV + 1]),
            user("bob", ALICE + 1, &[DEV]),
            user("carol", ALICE + 2, &[]),
        ],
        vec![
            group("alice", ALICE, &[]),
            group("bob", ALICE + 1, &[]),
            group("carol", ALICE + 2, &[]),
            group("dev", DEV, &["alice", "bob"]),
            group("ops", DEV + 1, &["alice"]),
        ],
    )
}

/// The users as lines of `/etc/passwd`.
pub(crate) fn passwd_lines(content: &MapContent<'_>) -> String {
    let line = |user: &MapUser<'_>| {
        let (name, home) = (&user.name, &user.home);
        let (gecos, shell) = (&user.gecos, &user.shell);
        format!(
            "{name}:x:{}:{}:{gecos}:{home}:{shell}\n",
            user.uid, user.gid
        )
    };
    content.users.iter().map(line).collect()
}

/// The groups as lines of `/etc/group`.
pub(crate) fn group_lines(content: &MapContent<'_>) -> String {
    let line = |group: &MapGroup<'_>| {
        let mut members: Vec<&str> = group.members.iter().map(|name| &**name).collect();
        members.sort_unstable();
        format!("{}:x:{}:{}\n", group.name, group.gid, members.join(","))
    };
    content.groups.iter().map(line).collect()
}

fn gid(number: u32) -> Gid {
    Gid::new(u64::from(number)).unwrap()
}
