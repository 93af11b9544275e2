//! One lookup: find in the map, copy into the caller's buffer, tell where the parts came to lie. What
//! the map lacks is asked of the cacher only where the map itself says so, and never while the map is
//! in use.
//!
//! Where the parts lie is told by a call: an answer that is handed from function to function is
//! copied each time, and waits for itself.

use identity_map::{Bytes, GroupHead, Map, Owners};
use local_protocol::Sought;
use posix_names::{Gid, Uid, is_name};

use crate::answer::Failure;
use crate::growing::GROWING;
use crate::owner;
use crate::pack::{self, GroupPlaces, UserPlaces};
use crate::source::{Question, answer};

/// What a map says to a question.
enum Told {
    Found,
    Nobody,
    AskCacher,
}

impl Told {
    #[inline]
    fn by_id<B: Bytes>(map: &Map<B>, id: u32, found: Option<()>) -> Self {
        match found {
            Some(()) => Self::Found,
            None if map.owners() != Owners::Off && map.ranges_hold(id) => Self::AskCacher,
            None => Self::Nobody,
        }
    }

    #[inline]
    fn by_name<B: Bytes>(map: &Map<B>, found: Option<()>) -> Self {
        match found {
            Some(()) => Self::Found,
            None if map.owners() == Owners::All => Self::AskCacher,
            None => Self::Nobody,
        }
    }
}

/// The user of a name, told to `tell` with the buffer.
///
/// # Errors
/// No such user, no room, or no telling.
#[inline]
pub fn user_by_name(
    name: &[u8],
    buffer: &mut [u8],
    mut tell: impl FnMut(UserPlaces, &mut [u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    match answer(UserByName(name, buffer, &mut tell))? {
        Told::Found => Ok(()),
        Told::AskCacher => tell(
            owner::user(Sought::UserOfName(text(name)?), buffer)?,
            buffer,
        ),
        Told::Nobody => Err(Failure::NotFound),
    }
}

/// The user of an id, told to `tell` with the buffer.
///
/// # Errors
/// No such user, no room, or no telling.
#[inline]
pub fn user_by_id(
    uid: u32,
    buffer: &mut [u8],
    mut tell: impl FnMut(UserPlaces, &mut [u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    Uid::new(u64::from(uid)).map_err(|_| Failure::NotFound)?;
    match answer(UserById(uid, buffer, &mut tell))? {
        Told::Found => Ok(()),
        Told::AskCacher => tell(owner::user(Sought::UserOfId(uid), buffer)?, buffer),
        Told::Nobody => Err(Failure::NotFound),
    }
}

/// The group of a name, told to `tell` with the buffer.
///
/// # Errors
/// No such group, no room, or no telling.
#[inline]
pub fn group_by_name(
    name: &[u8],
    buffer: &mut [u8],
    mut tell: impl FnMut(GroupPlaces, &mut [u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    match answer(GroupByName(name, buffer, &mut tell))? {
        Told::Found => Ok(()),
        Told::AskCacher => tell(
            owner::group(Sought::GroupOfName(text(name)?), buffer)?,
            buffer,
        ),
        Told::Nobody => Err(Failure::NotFound),
    }
}

/// The group of an id, told to `tell` with the buffer.
///
/// # Errors
/// No such group, no room, or no telling.
#[inline]
pub fn group_by_id(
    gid: u32,
    buffer: &mut [u8],
    mut tell: impl FnMut(GroupPlaces, &mut [u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    Gid::new(u64::from(gid)).map_err(|_| Failure::NotFound)?;
    GROWING.refuse(gid, buffer.len())?;
    match answer(GroupById(gid, buffer, &mut tell))? {
        Told::Found => Ok(()),
        Told::AskCacher => tell(owner::group(Sought::GroupOfId(gid), buffer)?, buffer),
        Told::Nobody => Err(Failure::NotFound),
    }
}

/// Where the ids of groups are put, once it is known how many there are.
pub trait GroupRoom {
    /// Room for so many ids, of four bytes each.
    ///
    /// # Errors
    /// There is none.
    fn bytes(&mut self, groups: usize) -> Result<&mut [u8], Failure>;
}

/// Puts the ids of a user's groups into the room, little endian. Whom the map lacks has no groups
/// here.
///
/// # Errors
/// No such user, no room, or no telling.
#[inline]
pub fn groups_of_user(name: &[u8], room: &mut impl GroupRoom) -> Result<(), Failure> {
    answer(GroupsOfUser(name, room))
}

struct UserByName<'a, T>(&'a [u8], &'a mut [u8], &'a mut T);
struct UserById<'a, T>(u32, &'a mut [u8], &'a mut T);
struct GroupByName<'a, T>(&'a [u8], &'a mut [u8], &'a mut T);
struct GroupById<'a, T>(u32, &'a mut [u8], &'a mut T);
struct GroupsOfUser<'a, R>(&'a [u8], &'a mut R);

impl<T: FnMut(UserPlaces, &mut [u8]) -> Result<(), Failure>> Question for UserByName<'_, T> {
    type Answer = Told;

    #[inline]
    fn ask<B: Bytes>(&mut self, map: &Map<B>) -> Result<Told, Failure> {
        let Self(name, buffer, tell) = self;
        let found = map.user_by_name(name, buffer)?;
        let found = found.map(|user| tell(user.into(), buffer)).transpose()?;
        Ok(Told::by_name(map, found))
    }
}

impl<T: FnMut(UserPlaces, &mut [u8]) -> Result<(), Failure>> Question for UserById<'_, T> {
    type Answer = Told;

    #[inline]
    fn ask<B: Bytes>(&mut self, map: &Map<B>) -> Result<Told, Failure> {
        let Self(uid, buffer, tell) = self;
        let found = map.user_by_id(*uid, buffer)?;
        let found = found.map(|user| tell(user.into(), buffer)).transpose()?;
        Ok(Told::by_id(map, *uid, found))
    }
}

impl<T: FnMut(GroupPlaces, &mut [u8]) -> Result<(), Failure>> Question for GroupByName<'_, T> {
    type Answer = Told;

    #[inline]
    fn ask<B: Bytes>(&mut self, map: &Map<B>) -> Result<Told, Failure> {
        let Self(name, buffer, tell) = self;
        let packed = |group: &GroupHead<'_>| tell(pack::group(map, group, buffer)?, buffer);
        let found = map.group_by_name(name, packed)?;
        Ok(Told::by_name(map, found))
    }
}

impl<T: FnMut(GroupPlaces, &mut [u8]) -> Result<(), Failure>> Question for GroupById<'_, T> {
    type Answer = Told;

    #[inline]
    fn ask<B: Bytes>(&mut self, map: &Map<B>) -> Result<Told, Failure> {
        let Self(gid, buffer, tell) = self;
        let packed = |group: &GroupHead<'_>| {
            let needed = pack::least_bytes(group);
            if buffer.len() < needed {
                GROWING.remember(*gid, needed, buffer.len());
            }
            tell(pack::group(map, group, buffer)?, buffer)
        };
        let found = map.group_by_id(*gid, packed)?;
        Ok(Told::by_id(map, *gid, found))
    }
}

impl<R: GroupRoom> Question for GroupsOfUser<'_, R> {
    type Answer = ();

    #[inline]
    fn ask<B: Bytes>(&mut self, map: &Map<B>) -> Result<(), Failure> {
        let Self(name, room) = self;
        let found = map.groups_of(name, |list| {
            let told = map.read_group_list(list, room.bytes(list.count())?);
            told.map_err(Failure::from)
        });
        found?.ok_or(Failure::NotFound)
    }
}

/// A name that the directory could have; no other is asked about.
fn text(name: &[u8]) -> Result<&str, Failure> {
    let name = str::from_utf8(name).map_err(|_| Failure::NotFound)?;
    is_name(name).then_some(name).ok_or(Failure::NotFound)
}
