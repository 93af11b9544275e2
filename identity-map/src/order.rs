//! Walks through a map in order of ids. A cursor is one number, so that it can stand in an atomic;
//! it survives the replacement of the map: what was listed is not listed again.

use crate::layout::{BUCKET_BYTES, SLOTS_PER_BUCKET, SectionKind, u32_at};
use crate::read::{Bytes, Map, ReadError};

/// A place in the order of ids: the last id listed, and where the next one stood then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cursor {
    last: u32,
    next: u32,
}

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

impl<B: Bytes> Map<B> {
    /// Id, place and following cursor of the first record behind a cursor.
    pub(crate) fn next_in_order(
        &self,
        order: SectionKind,
        count: u32,
        cursor: Cursor,
    ) -> Result<Option<(u32, u32, Cursor)>, ReadError> {
        let mut entries = Entries::of(self, order);
        let mut index = cursor.next.min(count);
        if !entries.stands_behind(index, cursor.last)? {
            index = entries.first_behind(count, cursor.last)?;
        }
        if index >= count {
            return Ok(None);
        }
        let (id, place) = entries.at(index)?;
        if id <= cursor.last {
            return Err(ReadError::Damaged);
        }
        let next = index.saturating_add(1);
        Ok(Some((id, place, Cursor { last: id, next })))
    }
}

/// A list in order, and its bucket that was read last: neighbours mostly share one.
struct Entries<'a, B> {
    map: &'a Map<B>,
    order: SectionKind,
    bucket: Option<(u32, [u8; BUCKET_BYTES])>,
}

impl<'a, B: Bytes> Entries<'a, B> {
    fn of(map: &'a Map<B>, order: SectionKind) -> Self {
        Self {
            map,
            order,
            bucket: None,
        }
    }

    /// Whether the entry before an index is the one listed last, so that the index goes on from it.
    fn stands_behind(&mut self, index: u32, last: u32) -> Result<bool, ReadError> {
        match index.checked_sub(1) {
            Some(before) => Ok(self.at(before)?.0 == last),
            None => Ok(last == 0),
        }
    }

    fn first_behind(&mut self, count: u32, last: u32) -> Result<u32, ReadError> {
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.at(middle)?.0 <= last {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// Id and place of an entry.
    fn at(&mut self, index: u32) -> Result<(u32, u32), ReadError> {
        let slots = u32::from(SLOTS_PER_BUCKET);
        let number = index / slots;
        let bucket = match self.bucket {
            Some((read, bucket)) if read == number => bucket,
            Some(_) | None => self.map.bucket(self.order, u64::from(number))?,
        };
        self.bucket = Some((number, bucket));
        let at = 8 + 8 * (index % slots) as usize;
        Ok((u32_at(&bucket, at), u32_at(&bucket, at + 4)))
    }
}
