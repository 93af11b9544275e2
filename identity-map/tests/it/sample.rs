//! Content for tests.

use std::ffi::CStr;

use identity_map::{
    Bytes, Cursor, GroupHead, Map, MapContent, MapGroup, MapUser, MemberPolicy, Owners,
};
use identity_map::{ReadError, UserRecord};
use posix_names::{Gid, Uid};

pub(crate) const FIRST_UID: u32 = 70_000;
pub(crate) const FIRST_GID: u32 = 90_000;

pub(crate) fn gid(number: u32) -> Gid {
    Gid::new(u64::from(number)).unwrap()
}

pub(crate) fn user(name: &str, uid: u32, groups: &[u32]) -> MapUser<'static> {
    let uid = Uid::new(u64::from(uid)).unwrap();
    MapUser {
        uid,
        gid: uid.private_group(),
        gecos: format!("Person {name}").into(),
        home: format!("/home/{name}").into(),
        shell: "/bin/bash".into(),
        groups: groups.iter().copied().map(gid).collect(),
        name: name.to_owned().into(),
    }
}

pub(crate) fn group(name: &str, number: u32, members: &[&str]) -> MapGroup<'static> {
    MapGroup {
        name: name.to_owned().into(),
        gid: gid(number),
        members: members
            .iter()
            .map(|name| String::from(*name).into())
            .collect(),
    }
}

/// So many users; user n is in n % 5 of the five groups.
pub(crate) fn content(users: u32) -> MapContent<'static> {
    let in_groups = |n: u32| (0..n % 5).map(|k| FIRST_GID + k).collect::<Vec<_>>();
    let people: Vec<MapUser<'_>> = (0..users)
        .map(|n| user(&format!("person{n}"), FIRST_UID + n, &in_groups(n)))
        .collect();
    let groups = (0..5)
        .map(|k| {
            let members = people
                .iter()
                .filter(|user| user.groups.contains(&gid(FIRST_GID + k)));
            MapGroup {
                name: format!("team{k}").into(),
                gid: gid(FIRST_GID + k),
                members: members.map(|user| user.name.clone()).collect(),
            }
        })
        .collect();
    MapContent {
        version: 7,
        issued_at_ms: 1_790_000_000_000,
        enumerate: true,
        member_policy: MemberPolicy::All,
        owners: Owners::Ids,
        users: people,
        groups,
    }
}

pub(crate) fn opened(bytes: &[u8]) -> Map<&[u8]> {
    Map::open(bytes, bytes.len() as u64).unwrap()
}

/// A user as read, with the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) user: UserRecord,
    text: Vec<u8>,
}

impl Found {
    pub(crate) fn text(&self) -> &[u8] {
        &self.text
    }

    /// Name, password field, comment, home, shell.
    pub(crate) fn fields(&self) -> [&str; 5] {
        self.user.starts.map(|start| {
            let field = CStr::from_bytes_until_nul(&self.text[usize::from(start)..]).unwrap();
            field.to_str().unwrap()
        })
    }
}

/// Looks for a user with a buffer that is large enough.
pub(crate) fn find(
    lookup: impl FnOnce(&mut [u8]) -> Result<Option<UserRecord>, ReadError>,
) -> Result<Option<Found>, ReadError> {
    let mut buffer = [0; 1024];
    let found = lookup(&mut buffer)?;
    Ok(found.map(|user| Found {
        user,
        text: buffer[..usize::from(user.text_bytes)].to_vec(),
    }))
}

pub(crate) fn by_name<B: Bytes>(map: &Map<B>, name: &str) -> Result<Option<Found>, ReadError> {
    find(|buffer| map.user_by_name(name.as_bytes(), buffer))
}

pub(crate) fn by_id<B: Bytes>(map: &Map<B>, uid: u32) -> Result<Option<Found>, ReadError> {
    find(|buffer| map.user_by_id(uid, buffer))
}

/// The groups of a user as numbers.
pub(crate) fn groups_of<B: Bytes>(map: &Map<B>, name: &str) -> Result<Option<Vec<u32>>, ReadError> {
    map.groups_of(name.as_bytes(), |list| {
        let mut bytes = vec![0; list.bytes()];
        map.read_group_list(list, &mut bytes)?;
        let (ids, _) = bytes.as_chunks::<4>();
        Ok(ids.iter().map(|id| u32::from_le_bytes(*id)).collect())
    })
}

/// A group as numbers and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundGroup {
    pub(crate) gid: u32,
    pub(crate) name: String,
    pub(crate) members: Vec<String>,
}

pub(crate) fn group_named<B: Bytes>(
    map: &Map<B>,
    name: &str,
) -> Result<Option<FoundGroup>, ReadError> {
    map.group_by_name(name.as_bytes(), |group| whole(map, group))
}

pub(crate) fn group_numbered<B: Bytes>(
    map: &Map<B>,
    gid: u32,
) -> Result<Option<FoundGroup>, ReadError> {
    map.group_by_id(gid, |group| whole(map, group))
}

pub(crate) fn group_after<B: Bytes>(
    map: &Map<B>,
    cursor: Cursor,
) -> Result<Option<(FoundGroup, Cursor)>, ReadError> {
    map.group_after(cursor, |group| whole(map, group))
}

fn whole<B: Bytes>(map: &Map<B>, group: &GroupHead<'_>) -> Result<FoundGroup, ReadError> {
    Ok(FoundGroup {
        gid: group.gid(),
        name: String::from_utf8_lossy(group.name()).into_owned(),
        members: members_of(map, group)?,
    })
}

/// The members of a group as text.
fn members_of<B: Bytes>(map: &Map<B>, group: &GroupHead<'_>) -> Result<Vec<String>, ReadError> {
    let mut bytes = vec![0; group.members_bytes()];
    map.read_members(group, &mut bytes)?;
    let (_, names) = bytes.split_at(group.members());
    let names = names
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty());
    Ok(names
        .map(|name| String::from_utf8_lossy(name).into_owned())
        .collect())
}
