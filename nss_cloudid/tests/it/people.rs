//! People for tests, as a map and as lines of passwd and group.

use identity_map::{MapContent, MapGroup, MapUser, MemberPolicy, Owners};
use posix_names::{Gecos, Gid, GroupName, HomeDirectory, LoginShell, Uid, UserName};

pub(crate) const ALICE: u32 = 70_001;
pub(crate) const DEV: u32 = 71_000;

pub(crate) fn user(name: &str, uid: u32, groups: &[u32]) -> MapUser {
    let uid = Uid::new(u64::from(uid)).unwrap();
    let name = UserName::parse(name).unwrap();
    MapUser {
        uid,
        gid: uid.private_group(),
        gecos: Gecos::cleaned(&format!("Person {name}")),
        home: HomeDirectory::of(&name),
        shell: LoginShell::parse("/bin/bash").unwrap(),
        groups: groups.iter().map(|id| gid(*id)).collect(),
        name,
    }
}

pub(crate) fn group(name: &str, number: u32, members: &[&str]) -> MapGroup {
    let member = |name: &&str| UserName::parse(name).unwrap();
    MapGroup {
        name: GroupName::parse(name).unwrap(),
        gid: gid(number),
        members: members.iter().map(member).collect(),
    }
}

pub(crate) fn content(users: Vec<MapUser>, groups: Vec<MapGroup>) -> MapContent {
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
pub(crate) fn three() -> MapContent {
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
pub(crate) fn passwd_lines(content: &MapContent) -> String {
    let line = |user: &MapUser| {
        let (name, home) = (&user.name, &user.home);
        let (gecos, shell) = (user.gecos.as_str(), &user.shell);
        format!(
            "{name}:x:{}:{}:{gecos}:{home}:{shell}\n",
            user.uid, user.gid
        )
    };
    content.users.iter().map(line).collect()
}

/// The groups as lines of `/etc/group`.
pub(crate) fn group_lines(content: &MapContent) -> String {
    let line = |group: &MapGroup| {
        let mut members: Vec<&str> = group.members.iter().map(|name| name.as_str()).collect();
        members.sort_unstable();
        format!("{}:x:{}:{}\n", group.name, group.gid, members.join(","))
    };
    content.groups.iter().map(line).collect()
}

fn gid(number: u32) -> Gid {
    Gid::new(u64::from(number)).unwrap()
}
