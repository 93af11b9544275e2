//! Opens a map and finds records in it. Nothing is allocated; what is looked at is first copied
//! out, then checked, and no byte is read a second time.

use posix_names::{FIRST_RANGE, SECOND_RANGE};

use crate::content::Owners;
use crate::hash::{Probe, bucket_seed, checksum, first_choice_buckets};
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

    /// The same for a few bytes, whose number is known when this is compiled.
    ///
    /// # Errors
    /// The bytes are not there.
    #[inline]
    fn read_array<const N: usize>(
        &self,
        offset: u64,
        array: &mut [u8; N],
    ) -> Result<(), ReadError> {
        self.read_at(offset, array)
    }

    /// Whether a long part at an offset had this sum, in bytes that nobody can have changed since.
    fn is_known_whole(&self, _offset: u64, _sum: u64) -> bool {
        false
    }

    /// Remembers that it had.
    fn known_whole(&self, _offset: u64, _sum: u64) {}
}

impl Bytes for &[u8] {
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
        Search {
            index,
            tag: probe.tag,
            bucket: probe.bucket,
            last: probe.bucket + SPILL_BUCKETS,
            read: [0; BUCKET_BYTES],
            slot: NOT_READ,
        }
    }

    /// The place of the next record that the index names for the key.
    ///
    /// Not inlined: the module that is loaded into every process is small.
    #[inline(never)]
    pub(crate) fn next_place(&self, search: &mut Search) -> Result<Option<u32>, ReadError> {
        if search.slot == NOT_READ {
            self.read_bucket(search)?;
        }
        loop {
            let (_, slots) = search.read.as_chunks::<8>().0.split_at(1);
            for [a, b, c, d, place @ ..] in slots.iter().skip(search.slot) {
                let place = u32::from_le_bytes(*place);
                if place == 0 {
                    return Ok(None);
                }
                search.slot += 1;
                if u32::from_le_bytes([*a, *b, *c, *d]) == search.tag {
                    return Ok(Some(place));
                }
            }
            if search.bucket == search.last {
                return Ok(None);
            }
            search.bucket += 1;
            self.read_bucket(search)?;
        }
    }

    /// Reads the bucket that a search has come to, and checks it.
    #[inline]
    fn read_bucket(&self, search: &mut Search) -> Result<(), ReadError> {
        let within = search.bucket.saturating_mul(BUCKET_BYTES as u64);
        self.read_array_within(search.index, within, &mut search.read)?;
        let (sum, slots) = search.read.split_at(8);
        if checksum(slots, bucket_seed(search.index, search.bucket)) != u64_at(sum, 0) {
            return Err(ReadError::Damaged);
        }
        search.slot = 0;
        Ok(())
    }

    /// As [`Self::read_within`], for a few bytes.
    #[inline]
    pub(crate) fn read_array_within<const N: usize>(
        &self,
        section: SectionKind,
        within: u64,
        array: &mut [u8; N],
    ) -> Result<(), ReadError> {
        let section = self.header.section(section);
        if within > section.bytes.saturating_sub(N as u64) || section.bytes < N as u64 {
            return Err(ReadError::Damaged);
        }
        self.bytes.read_array(section.offset + within, array)
    }

    /// Reads inside one section and nowhere else.
    #[inline]
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
}

/// How far a search in an index has come.
pub(crate) struct Search {
    index: SectionKind,
    tag: u32,
    bucket: u64,
    last: u64,
    /// The bucket it has come to: a sum, and tag and place of each slot.
    read: [u8; BUCKET_BYTES],
    /// The next slot to look at.
    slot: usize,
}

/// The first bucket was not read yet.
const NOT_READ: usize = usize::MAX;

/// Offset inside its section of the record at a place.
#[inline]
pub(crate) fn offset_of(place: u32) -> Result<u64, ReadError> {
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
