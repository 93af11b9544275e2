//! One lookup: open the map, find, copy into the caller's buffer, close. Only for an id of the
//! directory's ranges that the map lacks is the cacher asked.

use std::path::Path;

use identity_map::{GroupList, Map, MapFile};
use posix_names::{Gid, Uid};

use crate::answer::Failure;
use crate::owner;
use crate::pack::{self, GroupPlaces, UserPlaces};

/// Where answers come from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The identity map.
    pub map: &'a Path,
    /// Where the cacher answers whose an unknown id is.
    pub socket: &'a Path,
}

impl Sources<'static> {
    /// The paths of an installed host.
    #[must_use]
    pub fn of_this_host() -> Self {
        Self {
            map: Path::new(identity_map::PUBLISHED_MAP),
            socket: Path::new(local_protocol::NSS_SOCKET),
        }
    }
}

/// The user of a name.
///
/// # Errors
/// No such user, no room, or no telling.
pub fn user_by_name(
    sources: Sources<'_>,
    name: &[u8],
    buffer: &mut [u8],
) -> Result<UserPlaces, Failure> {
    let map = Map::open_file(sources.map)?;
    let user = map.user_by_name(name, buffer)?;
    user.map(UserPlaces::from).ok_or(Failure::NotFound)
}

/// The user of an id.
///
/// # Errors
/// No such user, no room, or no telling.
pub fn user_by_id(
    sources: Sources<'_>,
    uid: u32,
    buffer: &mut [u8],
) -> Result<UserPlaces, Failure> {
    Uid::new(u64::from(uid)).map_err(|_| Failure::NotFound)?;
    let map = Map::open_file(sources.map)?;
    match map.user_by_id(uid, buffer)? {
        Some(user) => Ok(user.into()),
        None if map.ranges_hold(uid) => {
            drop(map);
            owner::user(sources.socket, uid, buffer)
        }
        None => Err(Failure::NotFound),
    }
}

/// The group of a name.
///
/// # Errors
/// No such group, no room, or no telling.
pub fn group_by_name(
    sources: Sources<'_>,
    name: &[u8],
    buffer: &mut [u8],
) -> Result<GroupPlaces, Failure> {
    let map = Map::open_file(sources.map)?;
    let group = map.group_by_name(name)?.ok_or(Failure::NotFound)?;
    pack::group(&map, &group, buffer)
}

/// The group of an id.
///
/// # Errors
/// No such group, no room, or no telling.
pub fn group_by_id(
    sources: Sources<'_>,
    gid: u32,
    buffer: &mut [u8],
) -> Result<GroupPlaces, Failure> {
    Gid::new(u64::from(gid)).map_err(|_| Failure::NotFound)?;
    let map = Map::open_file(sources.map)?;
    match map.group_by_id(gid)? {
        Some(group) => pack::group(&map, &group, buffer),
        None if map.ranges_hold(gid) => {
            drop(map);
            owner::group(sources.socket, gid, buffer)
        }
        None => Err(Failure::NotFound),
    }
}

/// The map and where in it the groups of a user are listed.
///
/// # Errors
/// No such user, or no telling.
pub fn groups_of_user(
    sources: Sources<'_>,
    name: &[u8],
) -> Result<(Map<MapFile>, GroupList), Failure> {
    let map = Map::open_file(sources.map)?;
    let list = map.group_list_of(name)?.ok_or(Failure::NotFound)?;
    Ok((map, list))
}
