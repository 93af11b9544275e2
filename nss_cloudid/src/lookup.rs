//! One lookup: find in the map, copy into the caller's buffer. What the map lacks is asked of the
//! cacher only where the map itself says so, and never while the map is in use.

use std::path::Path;

use identity_map::{GroupList, Map, Owners};
use local_protocol::Sought;
use posix_names::{Gid, Uid, is_name};

use crate::answer::Failure;
use crate::owner;
use crate::pack::{self, GroupPlaces, UserPlaces};
use crate::source::{Source, with_map};

/// Where answers come from.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// The identity map.
    pub map: &'a Path,
    /// Where the cacher hands out the map in memory, and tells what the map lacks.
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

/// What a map says to a question.
enum Told<T> {
    Found(T),
    Nobody,
    AskCacher,
}

impl<T> Told<T> {
    #[inline]
    fn by_id(map: &Map<Source>, id: u32, found: Option<T>) -> Self {
        match found {
            Some(found) => Self::Found(found),
            None if map.owners() != Owners::Off && map.ranges_hold(id) => Self::AskCacher,
            None => Self::Nobody,
        }
    }

    #[inline]
    fn by_name(map: &Map<Source>, found: Option<T>) -> Self {
        match found {
            Some(found) => Self::Found(found),
            None if map.owners() == Owners::All => Self::AskCacher,
            None => Self::Nobody,
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
    let told = with_map(sources, |map| {
        let found = map.user_by_name(name, buffer)?;
        Ok(Told::by_name(map, found))
    })?;
    match told {
        Told::Found(user) => Ok(user.into()),
        Told::AskCacher => owner::user(sources.socket, Sought::UserOfName(text(name)?), buffer),
        Told::Nobody => Err(Failure::NotFound),
    }
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
    let told = with_map(sources, |map| {
        let found = map.user_by_id(uid, buffer)?;
        Ok(Told::by_id(map, uid, found))
    })?;
    match told {
        Told::Found(user) => Ok(user.into()),
        Told::AskCacher => owner::user(sources.socket, Sought::UserOfId(uid), buffer),
        Told::Nobody => Err(Failure::NotFound),
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
    let told = with_map(sources, |map| {
        // By reference: a group is long, and is not moved.
        let found = match &map.group_by_name(name) {
            Ok(Some(found)) => Some(pack::group(map, found, buffer)?),
            Ok(None) => None,
            Err(error) => return Err((*error).into()),
        };
        Ok(Told::by_name(map, found))
    })?;
    match told {
        Told::Found(group) => Ok(group),
        Told::AskCacher => owner::group(sources.socket, Sought::GroupOfName(text(name)?), buffer),
        Told::Nobody => Err(Failure::NotFound),
    }
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
    let told = with_map(sources, |map| {
        // By reference: a group is long, and is not moved.
        let found = match &map.group_by_id(gid) {
            Ok(Some(found)) => Some(pack::group(map, found, buffer)?),
            Ok(None) => None,
            Err(error) => return Err((*error).into()),
        };
        Ok(Told::by_id(map, gid, found))
    })?;
    match told {
        Told::Found(group) => Ok(group),
        Told::AskCacher => owner::group(sources.socket, Sought::GroupOfId(gid), buffer),
        Told::Nobody => Err(Failure::NotFound),
    }
}

/// Lets `read` have the map and where in it the groups of a user are listed. Whom the map lacks has
/// no groups here.
///
/// # Errors
/// No such user, no telling, or what `read` says.
pub fn groups_of_user(
    sources: Sources<'_>,
    name: &[u8],
    mut read: impl FnMut(&Map<Source>, &GroupList) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_map(sources, |map| match &map.group_list_of(name) {
        Ok(Some(list)) => read(map, list),
        Ok(None) => Err(Failure::NotFound),
        Err(error) => Err((*error).into()),
    })
}

/// A name that the directory could have; no other is asked about.
fn text(name: &[u8]) -> Result<&str, Failure> {
    let name = str::from_utf8(name).map_err(|_| Failure::NotFound)?;
    is_name(name).then_some(name).ok_or(Failure::NotFound)
}
