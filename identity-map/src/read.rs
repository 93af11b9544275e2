//! Opens a map and finds records in it. Nothing is allocated. Bytes that somebody could change are
//! first copied out, then checked, and never read a second time; those that nobody can change any
//! more were summed as a whole before, and are read where they lie.

use posix_names::{FIRST_RANGE, SECOND_RANGE};

use crate::content::Owners;
use crate::hash::{Probe, Slots, bucket_seed, checksum, first_choice_buckets};
use crate::layout::{
    BUCKET_BYTES, HEADER_BYTES, Header, MAP_BYTES_MAX, RECORD_ALIGN, SPILL_BUCKETS, SectionKind,
    u64_at,
};
use crate::tags::{Words, fitting};

/// Where the bytes of a map come from: a file, or memory that somebody else may change.
pub trait Bytes {
    /// Fills the buffer with the bytes at an offset, or fails; never fills it in part.
    ///
    /// # Errors
    /// The bytes are not there.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError>;

    /// Whether nobody can change them, and the whole was summed when it was made so. Then records are
    /// read where they lie, and need no sum of their own.
    const ARE_FROZEN: bool = false;

    /// The bytes from an offset on, where they lie, if they are frozen.
    ///
    /// # Errors
    /// There are none.
    #[inline]
    fn frozen(&self, _offset: u64) -> Result<&[u8], ReadError> {
        Err(ReadError::Damaged)
    }
}

impl Bytes for &[u8] {
    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let from = usize::try_from(offset).map_err(|_| ReadError::Damaged)?;
        let found = self
            .get(from..)
            .and_then(|rest| rest.get(..buffer.len()))
            .ok_or(ReadError::Damaged)?;
        buffer.copy_from_slice(found);
        Ok(())
    }
}

/// Why a map gave no record. None of them means that a name does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is no map, or it cannot be opened or read.
    #[error("no readable identity map")]
    Unreadable,
    /// What lies there belongs to somebody else, can be written by others, or is no plain file.
    #[error("the identity map is not a plain file of root's or cloudid's alone")]
    NotTrusted,
    /// Bytes do not fit their checksum, or point outside the map.
    #[error("the identity map is damaged")]
    Damaged,
    /// There is such a record, and the buffer is too small for it.
    #[error("the buffer is too small")]
    BufferTooSmall,
}

/// An opened map whose header was checked.
#[derive(Debug)]
pub struct Map<B> {
    pub(crate) bytes: B,
    pub(crate) header: Header,
}

impl<B: Bytes> Map<B> {
    /// Checks the header of a map of this length.
    ///
    /// # Errors
    /// It is no map, not this length, or damaged.
    pub fn open(bytes: B, length: u64) -> Result<Self, ReadError> {
        if !(HEADER_BYTES as u64..=MAP_BYTES_MAX).contains(&length) {
            return Err(ReadError::Damaged);
        }
        let mut header = [0; HEADER_BYTES];
        bytes.read_at(0, &mut header)?;
        let header = Header::parse(&header, length)?;
        Ok(Self { bytes, header })
    }

    /// Whether both are copies of one map.
    pub fn is_same_as<C>(&self, other: &Map<C>) -> bool {
        self.header == other.header
    }

    /// Gives back what the map was opened on.
    pub fn into_bytes(self) -> B {
        self.bytes
    }

    /// Version of the bundle this map was made from.
    pub fn version(&self) -> u64 {
        self.header.version
    }

    /// When that bundle was signed, milliseconds since 1970.
    pub fn issued_at_ms(&self) -> i64 {
        self.header.issued_at_ms
    }

    /// Whether users and groups may be listed.
    pub fn enumerates(&self) -> bool {
        self.header.enumerate
    }

    /// Whether groups list their members.
    pub fn lists_members(&self) -> bool {
        self.header.members
    }

    /// What the cacher may be asked about, once this map lacks it.
    #[inline]
    pub fn owners(&self) -> Owners {
        self.header.owners
    }

    /// Number of users.
    pub fn users(&self) -> u32 {
        self.header.users
    }

    /// Number of groups.
    pub fn groups(&self) -> u32 {
        self.header.groups
    }

    /// Whether an id lies in the directory's ranges, so that its owner may be asked for.
    #[inline]
    pub fn ranges_hold(&self, id: u32) -> bool {
        let mut ranges = self.header.ranges.iter();
        is_ours(id) && ranges.any(|(first, last)| (*first..=*last).contains(&id))
    }

    /// Lets `look` see each place that an index names for a key, until it has found what it wants.
    #[inline]
    pub(crate) fn find<T, E: From<ReadError>>(
        &self,
        index: SectionKind,
        key: &[u8],
        mut look: impl FnMut(u32) -> Result<Option<T>, E>,
    ) -> Result<Option<T>, E> {
        let section = self.header.section(index);
        let probe = Probe::new(key, self.header.seed, first_choice_buckets(section));
        let slots = Slots::with_places_of(self.header.place_bits);
        let wanted = slots.slot(probe.tag, 0);
        for bucket in probe.bucket..probe.bucket + 1 + SPILL_BUCKETS {
            let mut room = [0; BUCKET_BYTES];
            let words = self.bucket(index, bucket, &mut room)?;
            let mut fitting = fitting(words, wanted, slots.tag_mask());
            while let Some(word) = words.get(fitting.trailing_zeros() as usize) {
                let slot = u32::from_le_bytes(*word);
                if slot != 0
                    && let Some(found) = look(slots.place(slot))?
                {
                    return Ok(Some(found));
                }
                fitting &= fitting - 1;
            }
            // Slots are filled from the first on: only a full bucket spills over.
            if words.last() == Some(&[0; 4]) {
                return Ok(None);
            }
        }
        Ok(None)
    }

    /// A bucket: as it lies, or copied once and checked.
    #[inline]
    fn bucket<'a>(
        &'a self,
        index: SectionKind,
        bucket: u64,
        room: &'a mut [u8; BUCKET_BYTES],
    ) -> Result<&'a Words, ReadError> {
        let within = bucket * BUCKET_BYTES as u64;
        let bytes: &[u8; BUCKET_BYTES] = if B::ARE_FROZEN {
            let lies = self
                .bytes
                .frozen(self.header.section(index).offset + within)?;
            lies.first_chunk().ok_or(ReadError::Damaged)?
        } else {
            self.read_within(index, within, room)?;
            let (sum, slots) = room.split_at(8);
            if checksum(slots, bucket_seed(index, bucket)) != u64_at(sum, 0) {
                return Err(ReadError::Damaged);
            }
            room
        };
        let (words, _) = bytes.as_chunks::<4>();
        words.first_chunk().ok_or(ReadError::Damaged)
    }

    /// Reads inside one section and nowhere else.
    #[inline(never)]
    pub(crate) fn read_within(
        &self,
        section: SectionKind,
        within: u64,
        buffer: &mut [u8],
    ) -> Result<(), ReadError> {
        let section = self.header.section(section);
        let end = within.checked_add(buffer.len() as u64);
        if end.is_none_or(|end| end > section.bytes) {
            return Err(ReadError::Damaged);
        }
        self.bytes.read_at(section.offset + within, buffer)
    }

    /// Offset in the map of a record at a place of its section.
    #[inline]
    pub(crate) fn offset_of(&self, section: SectionKind, place: u32) -> Result<u64, ReadError> {
        let section = self.header.section(section);
        let within = within_of(place)?;
        if within >= section.bytes {
            return Err(ReadError::Damaged);
        }
        Ok(section.offset + within)
    }
}

/// Offset inside its section of the record at a place.
#[inline]
fn within_of(place: u32) -> Result<u64, ReadError> {
    match place.checked_sub(1) {
        Some(units) => Ok(u64::from(units) * RECORD_ALIGN as u64),
        None => Err(ReadError::Damaged),
    }
}

/// Place of a record that follows on one that ends at an offset; 0, where no record is, if there is
/// no such place.
#[inline]
pub(crate) fn place_at(end: u64) -> u32 {
    let units = end.div_ceil(RECORD_ALIGN as u64) + 1;
    u32::try_from(units).unwrap_or(0)
}

/// Whether an id is one that the directory may hand out; the map's word alone is not enough.
#[inline]
pub(crate) fn is_ours(id: u32) -> bool {
    FIRST_RANGE.contains(&id) || SECOND_RANGE.contains(&id)
}
