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

/// Where the bytes of a map come from: a file, or memory that somebody else may change.
pub trait Bytes {
    /// Fills the buffer with the bytes at an offset, or fails; never fills it in part.
    ///
    /// # Errors
    /// The bytes are not there.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError>;

    /// The bytes from an offset on, where they lie, if nobody can change them and the whole was summed
    /// when it was made so: then they need no sum of their own. `None` where there are none.
    #[inline]
    fn frozen(&self, _offset: u64) -> Option<&[u8]> {
        None
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

    /// What the map was opened on.
    pub fn bytes(&self) -> &B {
        &self.bytes
    }

    /// The same map, its bytes wrapped into something else.
    pub fn with_bytes<C: Bytes>(self, wrap: impl FnOnce(B) -> C) -> Map<C> {
        Map {
            bytes: wrap(self.bytes),
            header: self.header,
        }
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

    /// Begins to look for a key in an index.
    #[inline]
    pub(crate) fn search(&self, index: SectionKind, key: &[u8]) -> Search {
        let section = self.header.section(index);
        let probe = Probe::new(key, self.header.seed, first_choice_buckets(section));
        let slots = Slots::with_places_of(self.header.place_bits);
        Search {
            index,
            slots,
            tag: slots.shortened(probe.tag),
            bucket: probe.bucket,
            left: SPILL_BUCKETS,
            next: FIRST_SLOT,
            copy: None,
        }
    }

    /// The place of the next record that the index names for the key.
    ///
    /// Not inlined: the module that is loaded into every process is small.
    #[inline(never)]
    pub(crate) fn next_place(&self, search: &mut Search) -> Result<Option<u32>, ReadError> {
        loop {
            let within = search.bucket * BUCKET_BYTES as u64;
            let offset = self.header.section(search.index).offset + within;
            let bucket = match self.bytes.frozen(offset) {
                Some(lies) => lies.first_chunk().ok_or(ReadError::Damaged)?,
                None => self.copied_bucket(search.index, search.bucket, &mut search.copy)?,
            };
            let (slots, _) = bucket.as_chunks::<4>();
            let (search_slots, tag) = (search.slots, search.tag);
            for (index, slot) in slots.iter().enumerate().skip(search.next) {
                let slot = u32::from_le_bytes(*slot);
                if slot == 0 {
                    return Ok(None);
                }
                if search_slots.tag(slot) == tag {
                    search.next = index + 1;
                    return Ok(Some(search_slots.place(slot)));
                }
            }
            if search.left == 0 {
                return Ok(None);
            }
            search.left -= 1;
            search.bucket += 1;
            search.next = FIRST_SLOT;
            search.copy = None;
        }
    }

    /// A bucket of an index, copied once and checked: a sum, and tag and place of each slot.
    #[inline(never)]
    fn copied_bucket<'a>(
        &self,
        index: SectionKind,
        bucket: u64,
        room: &'a mut Option<[u8; BUCKET_BYTES]>,
    ) -> Result<&'a [u8; BUCKET_BYTES], ReadError> {
        if room.is_none() {
            let within = bucket * BUCKET_BYTES as u64;
            let mut copy = [0; BUCKET_BYTES];
            self.read_within(index, within, &mut copy)?;
            let (sum, slots) = copy.split_at(8);
            if checksum(slots, bucket_seed(index, bucket)) != u64_at(sum, 0) {
                return Err(ReadError::Damaged);
            }
            *room = Some(copy);
        }
        room.as_ref().ok_or(ReadError::Damaged)
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

/// Number of the first slot: before it lies the sum, as long as two.
const FIRST_SLOT: usize = 2;

/// How far a search in an index has come.
pub(crate) struct Search {
    index: SectionKind,
    slots: Slots,
    tag: u32,
    bucket: u64,
    /// How many buckets may still come after this one.
    left: u64,
    /// The next slot to look at.
    next: usize,
    /// The bucket, if it had to be copied.
    copy: Option<[u8; BUCKET_BYTES]>,
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
