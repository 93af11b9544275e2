//! A map in a sealed memory file: made once by the cacher, mapped by processes that look up much.
//! Nobody, root and the cacher included, can shrink, grow or write it any more, so a mapped read is
//! never a signal, and what was once found whole stays whole. Which map is in force stands in a
//! memory file of its own, which only the cacher can write.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::Ordering;

use rustix::fs::{MemfdFlags, fcntl_add_seals, ftruncate, memfd_create};

use crate::ffi::{Bits, FROZEN, Frozen, MARKED, Word};
use crate::layout::{HEADER_BYTES, MAP_BYTES_MAX, RECORD_ALIGN};
use crate::read::{Bytes, Map, ReadError};

/// A memory file of a map.
#[derive(Debug)]
pub struct SealedMap {
    file: File,
    sum: u64,
}

impl SealedMap {
    /// Puts a map into a new memory file and seals it.
    ///
    /// # Errors
    /// It is no map, the kernel refuses, or there is no memory.
    pub fn new(map: &[u8]) -> io::Result<Self> {
        let opened = Map::open(map, map.len() as u64).map_err(io::Error::other)?;
        let mut file = new_file(c"identity.map")?;
        file.write_all(map)?;
        fcntl_add_seals(&file, FROZEN)?;
        Ok(Self {
            file,
            sum: opened.header.sum,
        })
    }

    /// The file, to be sent to whoever asks for it.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

/// The memory file that says which map is in force.
#[derive(Debug)]
pub struct Mark {
    file: File,
    word: Word,
}

impl Mark {
    /// Says at first that none is.
    ///
    /// # Errors
    /// The kernel refuses, or there is no memory.
    pub fn new() -> io::Result<Self> {
        let file = new_file(c"identity.mark")?;
        ftruncate(&file, Word::BYTES as u64)?;
        let word = Word::writable(file.as_fd())?;
        fcntl_add_seals(&file, MARKED)?;
        Ok(Self { file, word })
    }

    /// The file, to be sent along with the map's.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Tells every process which map is in force: all others are superseded.
    pub fn put(&self, map: Option<&SealedMap>) {
        let sum = map.map_or(NONE, |map| map.sum);
        self.word.get().store(sum, Ordering::Release);
    }
}

/// What the mark says when no map is in force; a map whose header has this sum is never held.
const NONE: u64 = 0;

/// The bytes of a mapped memory file.
#[derive(Debug)]
pub struct MemoryFile {
    frozen: Frozen,
    mark: Word,
    /// What the mark says as long as this map is in force.
    sum: u64,
    /// Which of the records and buckets were found whole: one bit for each place where one can begin.
    starts: Bits,
    /// The same of what belongs to a record and has a sum of its own.
    bodies: Bits,
}

impl Map<MemoryFile> {
    /// Maps a memory file and its mark, as the cacher sent them. The descriptors are needed no longer.
    ///
    /// # Errors
    /// A seal is missing, so that somebody could change or cut it under the reader; or it is no map.
    pub fn open_memory(file: BorrowedFd<'_>, mark: BorrowedFd<'_>) -> Result<Self, ReadError> {
        let frozen = Frozen::of(file, HEADER_BYTES as u64..=MAP_BYTES_MAX)?;
        let mark = Word::readable(mark)?;
        let length = frozen.bytes().len();
        let bits = || Bits::new(length / RECORD_ALIGN).map_err(|_| ReadError::Unreadable);
        let bytes = MemoryFile {
            frozen,
            mark,
            sum: NONE,
            starts: bits()?,
            bodies: bits()?,
        };
        let mut map = Self::open(bytes, length as u64)?;
        map.bytes.sum = map.header.sum;
        Ok(map)
    }

    /// Whether the cacher has published a newer one.
    #[must_use]
    #[inline]
    pub fn is_superseded(&self) -> bool {
        self.bytes.is_superseded()
    }
}

impl MemoryFile {
    /// Whether the cacher has published a newer map than the one in this file.
    #[must_use]
    #[inline]
    pub fn is_superseded(&self) -> bool {
        let said = self.mark.get().load(Ordering::Acquire);
        said != self.sum || said == NONE
    }
}

impl Bytes for MemoryFile {
    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.frozen.bytes().read_at(offset, buffer)
    }

    #[inline]
    fn known(&self, offset: u64) -> Option<&[u8]> {
        let at = usize::try_from(offset).ok()?;
        if !self.starts.is_set(bit_of(at)?) {
            return None;
        }
        self.frozen.bytes().get(at..)
    }

    fn found_whole(&self, offset: u64) {
        if let Some(bit) = usize::try_from(offset).ok().and_then(bit_of) {
            self.starts.set(bit);
        }
    }

    fn is_body_known(&self, record: u64) -> bool {
        let bit = usize::try_from(record).ok().and_then(bit_of);
        bit.is_some_and(|bit| self.bodies.is_set(bit))
    }

    fn found_body_whole(&self, record: u64) {
        if let Some(bit) = usize::try_from(record).ok().and_then(bit_of) {
            self.bodies.set(bit);
        }
    }
}

/// The bit of what begins at an offset. Where nothing can begin there is none.
#[inline]
fn bit_of(at: usize) -> Option<usize> {
    at.is_multiple_of(RECORD_ALIGN).then_some(at / RECORD_ALIGN)
}

/// Never to be executed, where the kernel knows that (since 6.3).
fn new_file(name: &std::ffi::CStr) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create(name, flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| memfd_create(name, flags))?;
    Ok(file.into())
}
