//! Walks through a map in order of ids. A cursor is two numbers, so that it can stand in atomics; it
//! survives the replacement of the map: what was listed is not listed again.
//!
//! Users lie one behind the other, groups name the place of the next one; each record names the id
//! before its own. So a cursor that comes from another map, or points at anything but the next
//! record, is noticed, and the next higher id is looked for.

use crate::layout::{OF_USER, SectionKind};
use crate::read::{Bytes, Map, ReadError};
use crate::read_group::GroupHead;
use crate::read_user::{Room, UserRecord};

/// A place in the order of ids: the last id listed, where the next one stood then, and in which map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    last: u32,
    next: u32,
    /// Checksum of its header; 0 for none.
    map: u64,
}

/// Where a record is looked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// This map says that one begins there.
    Named(u32),
    /// Whoever says so may speak of another map.
    Claimed(u32),
}

impl Place {
    #[inline]
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Named(place) | Self::Claimed(place) => place,
        }
    }

    /// The user's, of one who stands for a private group.
    #[inline]
    pub(crate) fn of_user(self) -> Self {
        match self {
            Self::Named(place) => Self::Named(place & !OF_USER),
            Self::Claimed(place) => Self::Claimed(place & !OF_USER),
        }
    }
}

/// A record's id, the one before it, and the place of the next record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Links {
    pub(crate) id: u32,
    pub(crate) previous: u32,
    pub(crate) next: u32,
}

/// Where the first user lies.
const FIRST_USER: u32 = 1;

impl Cursor {
    /// From its numbers; any are a place.
    #[must_use]
    pub fn from_numbers([place, with_map]: [u64; 2]) -> Self {
        let [a, b, c, d, e, f, g, h] = place.to_le_bytes();
        Self {
            last: u32::from_le_bytes([a, b, c, d]),
            next: u32::from_le_bytes([e, f, g, h]),
            map: place ^ with_map,
        }
    }

    /// As two numbers; zeros are the start. The second holds the first as well: of two that were not
    /// written together no map is the one.
    #[must_use]
    pub fn numbers(self) -> [u64; 2] {
        let place = u64::from(self.last) | u64::from(self.next) << 32;
        [place, place ^ self.map]
    }

    /// Where the next record is, as a map with this checksum sees it.
    #[inline]
    fn place(self, first: u32, map: u64) -> Place {
        if self.last == 0 {
            Place::Named(first)
        } else if self.map == map {
            Place::Named(self.next)
        } else {
            Place::Claimed(self.next)
        }
    }
}

impl Links {
    /// Whether this record comes next after an id.
    #[inline]
    fn follows(self, last: u32) -> bool {
        self.previous <= last && last < self.id
    }

    #[inline]
    fn cursor(self, map: u64) -> Cursor {
        Cursor {
            last: self.id,
            next: self.next,
            map,
        }
    }
}

impl<B: Bytes> Map<B> {
    /// The user with the next higher id, and the cursor behind it.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or the text does not fit into the buffer.
    #[inline]
    pub fn user_after(
        &self,
        cursor: Cursor,
        buffer: &mut [u8],
    ) -> Result<Option<(UserRecord, Cursor)>, ReadError> {
        let last = cursor.last;
        if last >= self.header.last_uid {
            return Ok(None);
        }
        let place = cursor.place(FIRST_USER, self.header.sum);
        match self.user_next_at(place, last, buffer) {
            Err(ReadError::Damaged) => {
                let place = Place::Named(self.place_of_user_after(last)?);
                self.user_next_at(place, last, buffer).map(Some)
            }
            found => found.map(Some),
        }
    }

    /// Lets `read` have the group with the next higher id; the cursor behind it comes with the answer.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or what `read` says.
    pub fn group_after<T, E: From<ReadError>>(
        &self,
        cursor: Cursor,
        read: impl FnOnce(&GroupHead<'_>) -> Result<T, E>,
    ) -> Result<Option<(T, Cursor)>, E> {
        let last = cursor.last;
        if last >= self.header.last_gid {
            return Ok(None);
        }
        let (mut room, mut room_again) = (Room::default(), Room::default());
        let place = cursor.place(self.header.first_group, self.header.sum);
        let group = match self.group_next_at(place, last, &mut room) {
            Err(ReadError::Damaged) => {
                let place = Place::Named(self.place_of_group_after(last)?);
                self.group_next_at(place, last, &mut room_again)?
            }
            found => found?,
        };
        let cursor = group.links().cursor(self.header.sum);
        Ok(Some((read(&group)?, cursor)))
    }

    /// The user at a place, if it is the next one after an id.
    #[inline]
    fn user_next_at(
        &self,
        place: Place,
        last: u32,
        buffer: &mut [u8],
    ) -> Result<(UserRecord, Cursor), ReadError> {
        let mut room = Room::default();
        let user = match place {
            Place::Named(place) => self.user_at(place, &mut room)?,
            Place::Claimed(_) => self.user_told_at(place, &mut room)?,
        };
        let links = user.links(self.users_at());
        if links.follows(last) {
            Ok((user.hand_over(buffer)?, links.cursor(self.header.sum)))
        } else {
            Err(ReadError::Damaged)
        }
    }

    /// As [`Self::user_next_at`].
    #[inline]
    fn group_next_at<'r>(
        &'r self,
        place: Place,
        last: u32,
        room: &'r mut Room,
    ) -> Result<GroupHead<'r>, ReadError> {
        let group = self.group_at(place, room)?;
        let follows = group.links().follows(last);
        follows.then_some(group).ok_or(ReadError::Damaged)
    }

    /// Behind the user of this id, if it is there; otherwise everybody is looked at in turn.
    #[cold]
    fn place_of_user_after(&self, last: u32) -> Result<u32, ReadError> {
        let found = self.find(SectionKind::UsersById, &last.to_le_bytes(), |place| {
            let links = self.user_links_at(place)?;
            Ok::<_, ReadError>((links.id == last).then_some(links.next))
        })?;
        if let Some(next) = found {
            return Ok(next);
        }
        place_after(last, FIRST_USER, &|place| self.user_links_at(place))
    }

    fn user_links_at(&self, place: u32) -> Result<Links, ReadError> {
        let mut room = Room::default();
        let user = self.user_told_at(Place::Named(place), &mut room)?;
        Ok(user.links(self.users_at()))
    }

    fn users_at(&self) -> u64 {
        self.header.section(SectionKind::Users).offset
    }

    /// As [`Self::place_of_user_after`].
    #[cold]
    fn place_of_group_after(&self, last: u32) -> Result<u32, ReadError> {
        let next_of = |group: &GroupHead<'_>| Ok::<_, ReadError>(group.links().next);
        if let Some(next) = self.group_by_id(last, next_of)? {
            return Ok(next);
        }
        let links_at = |place| {
            let mut room = Room::default();
            let group = self.group_at(Place::Named(place), &mut room)?;
            Ok(group.links())
        };
        place_after(last, self.header.first_group, &links_at)
    }
}

/// Walks from the first record to the one behind an id. Ids grow with each step, so it ends.
fn place_after(
    last: u32,
    first: u32,
    links_at: &dyn Fn(u32) -> Result<Links, ReadError>,
) -> Result<u32, ReadError> {
    let (mut place, mut before) = (first, 0);
    loop {
        let links = links_at(place)?;
        if links.previous != before || links.id <= before {
            return Err(ReadError::Damaged);
        }
        if links.id > last {
            return Ok(place);
        }
        (place, before) = (links.next, links.id);
    }
}
