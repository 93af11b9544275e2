//! Walks through a map in order of ids. A cursor is one number, so that it can stand in an atomic;
//! it survives the replacement of the map: what was listed is not listed again.
//!
//! Users lie one behind the other, groups name the place of the next one; each record names the id
//! before its own. So a cursor that comes from another map, or points at anything but the next
//! record, is noticed, and the next higher id is looked for.

use crate::layout::SectionKind;
use crate::read::{Bytes, Map, ReadError};
use crate::read_group::GroupHead;
use crate::read_user::{UserRecord, UserRoom};

/// A place in the order of ids: the last id listed, and where the next one stood then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    last: u32,
    next: u32,
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
    /// From its number; any number is a place.
    #[must_use]
    pub fn from_number(number: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = number.to_le_bytes();
        Self {
            last: u32::from_le_bytes([a, b, c, d]),
            next: u32::from_le_bytes([e, f, g, h]),
        }
    }

    /// As a number; 0 is the start.
    #[must_use]
    pub fn number(self) -> u64 {
        u64::from(self.last) | u64::from(self.next) << 32
    }
}

impl Links {
    /// Whether this record comes next after an id.
    #[inline]
    fn follows(self, last: u32) -> bool {
        self.previous <= last && last < self.id
    }

    #[inline]
    fn cursor(self) -> Cursor {
        Cursor {
            last: self.id,
            next: self.next,
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
        let Cursor { last, next } = cursor;
        if last >= self.header.last_uid {
            return Ok(None);
        }
        let place = if last == 0 { FIRST_USER } else { next };
        match self.user_next_at(place, last, buffer) {
            Err(ReadError::Damaged) => {
                let place = self.place_of_user_after(last)?;
                self.user_next_at(place, last, buffer).map(Some)
            }
            found => found.map(Some),
        }
    }

    /// The group with the next higher id, and the cursor behind it.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    pub fn group_after(&self, cursor: Cursor) -> Result<Option<(GroupHead, Cursor)>, ReadError> {
        let Cursor { last, next } = cursor;
        if last >= self.header.last_gid {
            return Ok(None);
        }
        let place = if last == 0 {
            self.header.first_group
        } else {
            next
        };
        let group = match self.group_next_at(place, last) {
            Err(ReadError::Damaged) => {
                self.group_next_at(self.place_of_group_after(last)?, last)?
            }
            found => found?,
        };
        let cursor = group.links().cursor();
        Ok(Some((group, cursor)))
    }

    /// The user at a place, if it is the next one after an id.
    #[inline]
    fn user_next_at(
        &self,
        place: u32,
        last: u32,
        buffer: &mut [u8],
    ) -> Result<(UserRecord, Cursor), ReadError> {
        let mut room = UserRoom::default();
        let user = self.user_at(place, &mut room)?;
        let links = user.links(self.users_at());
        if links.follows(last) {
            Ok((user.hand_over(buffer)?, links.cursor()))
        } else {
            Err(ReadError::Damaged)
        }
    }

    /// As [`Self::user_next_at`].
    fn group_next_at(&self, place: u32, last: u32) -> Result<GroupHead, ReadError> {
        let mut group = GroupHead::empty();
        self.group_at(place, &mut group)?;
        if group.links().follows(last) {
            Ok(group)
        } else {
            Err(ReadError::Damaged)
        }
    }

    /// Behind the user of this id, if it is there; otherwise everybody is looked at in turn.
    #[cold]
    fn place_of_user_after(&self, last: u32) -> Result<u32, ReadError> {
        let mut search = self.search(SectionKind::UsersById, &last.to_le_bytes());
        while let Some(place) = self.next_place(&mut search)? {
            let links = self.user_links_at(place)?;
            if links.id == last {
                return Ok(links.next);
            }
        }
        place_after(last, FIRST_USER, &|place| self.user_links_at(place))
    }

    fn user_links_at(&self, place: u32) -> Result<Links, ReadError> {
        let mut room = UserRoom::default();
        let user = self.user_told_at(place, &mut room)?;
        Ok(user.links(self.users_at()))
    }

    fn users_at(&self) -> u64 {
        self.header.section(SectionKind::Users).offset
    }

    /// As [`Self::place_of_user_after`].
    #[cold]
    fn place_of_group_after(&self, last: u32) -> Result<u32, ReadError> {
        if let Some(group) = self.group_by_id(last)? {
            return Ok(group.links().next);
        }
        let links_at = |place| {
            let mut group = GroupHead::empty();
            self.group_at(place, &mut group)?;
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
