//! A map in a sealed memory file: made once by the cacher, mapped by processes that look up much.
//! Nobody, root and the cacher included, can shrink, grow or write it any more, so a mapped read is
//! never a signal, and what the cacher has found whole stays whole. Which map is in force stands in a
//! memory file of its own, which only the cacher can write.

use std::fs::File;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rustix::fs::{MemfdFlags, fcntl_add_seals, ftruncate, memfd_create};

use crate::ffi::{FROZEN, Frozen, MARKED, Words};
use crate::hash::digest;
use crate::keeper::{Keeper, is_alive};
use crate::layout::{HEADER_BYTES, MAP_BYTES_MAX};
use crate::read::{Bytes, Map, ReadError};

/// A memory file of a map.
#[derive(Debug)]
pub struct SealedMap {
    file: File,
    sum: u64,
}

impl SealedMap {
    /// Puts a map into a new memory file, seals it and sums it whole. Readers need not: from then on
    /// nothing in it changes.
    ///
    /// # Errors
    /// It is no map, or not whole; the kernel refuses, or there is no memory.
    pub fn new(map: &[u8]) -> io::Result<Self> {
        let mut file = new_file(c"identity.map")?;
        file.write_all(map)?;
        fcntl_add_seals(&file, FROZEN)?;
        let frozen = Frozen::of(file.as_fd(), LENGTHS).map_err(io::Error::other)?;
        let bytes = frozen.bytes();
        let header = Map::open(bytes, bytes.len() as u64)
            .map_err(io::Error::other)?
            .header;
        let behind = bytes.get(HEADER_BYTES..).unwrap_or_default();
        if digest(behind) != header.digest {
            return Err(io::Error::other(ReadError::Damaged));
        }
        Ok(Self {
            file,
            sum: header.sum,
        })
    }

    /// The file, to be sent to whoever asks for it.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The memory file that says which map is in force, and whether the one who says so is still there.
#[derive(Debug)]
pub struct Mark {
    file: File,
    /// Dropped before the words: what it leaves behind is written into them.
    _keeper: Option<Keeper>,
    words: Arc<Words>,
}

impl Mark {
    /// Says at first that none is in force.
    ///
    /// # Errors
    /// The kernel refuses, or there is no memory.
    pub fn new() -> io::Result<Self> {
        let file = new_file(c"identity.mark")?;
        ftruncate(&file, Words::BYTES as u64)?;
        let words = Arc::new(Words::writable(file.as_fd())?);
        fcntl_add_seals(&file, MARKED)?;
        Ok(Self {
            file,
            // Without one the words name nobody, and readers look after the published map themselves.
            _keeper: Keeper::of(Arc::clone(&words)).ok(),
            words,
        })
    }

    /// The file, to be sent along with the map's.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Tells every process which map is in force: all others are superseded.
    pub fn put(&self, map: Option<&SealedMap>) {
        let sum = map.map_or(NONE, |map| map.sum);
        self.words.in_force().store(sum, Ordering::Release);
    }
}

/// What the mark says when no map is in force; a map whose header has this sum is never held.
const NONE: u64 = 0;

/// What a mark says of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The cacher lives, and has published no other.
    InForce,
    /// There is another, or the cacher has taken all of them back.
    Superseded,
    /// It was in force when the cacher ended, and nobody is there to say more.
    Orphaned,
}

/// The bytes of a mapped memory file.
#[derive(Debug)]
pub struct MemoryFile {
    frozen: Frozen,
    mark: Words,
    /// What the mark says as long as this map is in force.
    sum: u64,
}

impl Map<MemoryFile> {
    /// Maps a memory file and its mark, as the cacher sent them. The descriptors are needed no longer.
    ///
    /// # Errors
    /// A seal is missing, so that somebody could change or cut it under the reader; or it is no map.
    pub fn open_memory(file: BorrowedFd<'_>, mark: BorrowedFd<'_>) -> Result<Self, ReadError> {
        let bytes = MemoryFile {
            frozen: Frozen::of(file, LENGTHS)?,
            mark: Words::readable(mark)?,
            sum: NONE,
        };
        let length = bytes.frozen.bytes().len() as u64;
        let mut map = Self::open(bytes, length)?;
        map.bytes.sum = map.header.sum;
        Ok(map)
    }

    /// What the cacher says of this map.
    #[must_use]
    #[inline]
    pub fn standing(&self) -> Standing {
        let in_force = self.bytes.mark.in_force().load(Ordering::Acquire);
        if in_force != self.bytes.sum || in_force == NONE {
            Standing::Superseded
        } else if is_alive(self.bytes.mark.keeper().load(Ordering::Relaxed)) {
            Standing::InForce
        } else {
            Standing::Orphaned
        }
    }
}

impl Bytes for MemoryFile {
    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.frozen.bytes().read_at(offset, buffer)
    }

    const ARE_FROZEN: bool = true;

    #[inline]
    fn frozen(&self, offset: u64) -> Result<&[u8], ReadError> {
        let from = usize::try_from(offset).map_err(|_| ReadError::Damaged)?;
        self.frozen.bytes().get(from..).ok_or(ReadError::Damaged)
    }
}

/// How long a map in memory can be.
const LENGTHS: RangeInclusive<u64> = HEADER_BYTES as u64..=MAP_BYTES_MAX;

/// Never to be executed, where the kernel knows that (since 6.3).
fn new_file(name: &std::ffi::CStr) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| memfd_create(name, flags))?;
    Ok(file.into())
}
