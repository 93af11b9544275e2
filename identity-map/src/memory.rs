//! A map in a sealed memory file: made once by the cacher, mapped by processes that look up much.
//! Nobody, root included, can shrink, grow or write it, so a mapped read is never a signal; only the
//! word *superseded* changes, through the mapping that the cacher made before the file was sealed.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::fs::{FileType, MemfdFlags, SealFlags};
use rustix::fs::{fcntl_add_seals, fcntl_get_seals, fstat, memfd_create};

use crate::ffi::Mapping;
use crate::layout::{HEADER_BYTES, MAP_BYTES_MAX, SUPERSEDED_AT};
use crate::read::{Bytes, Map, ReadError};

/// A memory file of a map, and the right to say that it is superseded.
#[derive(Debug)]
pub struct SealedMap {
    file: File,
    header: Mapping,
}

impl SealedMap {
    /// Puts a map into a new memory file and seals it.
    ///
    /// # Errors
    /// The kernel refuses, or there is no memory.
    pub fn new(map: &[u8]) -> io::Result<Self> {
        let mut file = new_file()?;
        file.write_all(map)?;
        let header = Mapping::writable(file.as_fd(), HEADER_BYTES)?;
        fcntl_add_seals(&file, seals())?;
        Ok(Self { file, header })
    }

    /// The file, to be sent to whoever asks for it.
    #[must_use]
    pub fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Tells every process that has mapped it to look elsewhere.
    pub fn supersede(&self) {
        if let Some(word) = self.header.number(SUPERSEDED_AT) {
            word.store(1, Ordering::Release);
        }
    }
}

/// The bytes of a mapped memory file.
#[derive(Debug)]
pub struct MemoryFile {
    mapping: Mapping,
    /// Offset and sum, mixed, of long parts that were found whole.
    whole: [AtomicU64; REMEMBERED],
}

/// How many long parts are remembered.
const REMEMBERED: usize = 16;

impl Map<MemoryFile> {
    /// Maps a memory file that the cacher sent. The descriptor is needed no longer.
    ///
    /// # Errors
    /// A seal is missing, so that somebody could cut it under the reader; or it is no map.
    pub fn open_memory(file: BorrowedFd<'_>) -> Result<Self, ReadError> {
        let held = fcntl_get_seals(file).map_err(|_| ReadError::NotTrusted)?;
        if !held.contains(seals()) {
            return Err(ReadError::NotTrusted);
        }
        let facts = fstat(file).map_err(|_| ReadError::Unreadable)?;
        if FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile {
            return Err(ReadError::NotTrusted);
        }
        let bytes = u64::try_from(facts.st_size).map_err(|_| ReadError::Damaged)?;
        if !(HEADER_BYTES as u64..=MAP_BYTES_MAX).contains(&bytes) {
            return Err(ReadError::Damaged);
        }
        let length = usize::try_from(bytes).map_err(|_| ReadError::Damaged)?;
        let mapping = Mapping::readable(file, length).map_err(|_| ReadError::Unreadable)?;
        let whole = [const { AtomicU64::new(0) }; REMEMBERED];
        Self::open(MemoryFile { mapping, whole }, bytes)
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
        let word = self.mapping.number(SUPERSEDED_AT);
        word.is_none_or(|word| word.load(Ordering::Acquire) != 0)
    }
}

impl Bytes for MemoryFile {
    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        let from = usize::try_from(offset).map_err(|_| ReadError::Damaged)?;
        if self.mapping.copy_out(from, buffer) {
            Ok(())
        } else {
            Err(ReadError::Damaged)
        }
    }

    #[inline]
    fn read_array<const N: usize>(
        &self,
        offset: u64,
        array: &mut [u8; N],
    ) -> Result<(), ReadError> {
        let from = usize::try_from(offset).map_err(|_| ReadError::Damaged)?;
        if self.mapping.copy_array(from, array) {
            Ok(())
        } else {
            Err(ReadError::Damaged)
        }
    }

    fn is_known_whole(&self, offset: u64, sum: u64) -> bool {
        let slot = self.slot_of(offset);
        slot.is_some_and(|slot| slot.load(Ordering::Relaxed) == marked(offset, sum))
    }

    fn known_whole(&self, offset: u64, sum: u64) {
        if let Some(slot) = self.slot_of(offset) {
            slot.store(marked(offset, sum), Ordering::Relaxed);
        }
    }
}

impl MemoryFile {
    fn slot_of(&self, offset: u64) -> Option<&AtomicU64> {
        let spread = marked(offset, 0) >> (u64::BITS - REMEMBERED.ilog2());
        self.whole.get(usize::try_from(spread).ok()?)
    }
}

/// One number for an offset and a sum. Offsets are less than 2^30, and the factor is odd: two
/// offsets never give one number with the same sum.
fn marked(offset: u64, sum: u64) -> u64 {
    sum ^ offset.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Without `SEAL` somebody could add `WRITE`, and the cacher could say *superseded* no more.
fn seals() -> SealFlags {
    SealFlags::SHRINK | SealFlags::GROW | SealFlags::FUTURE_WRITE | SealFlags::SEAL
}

/// Never to be executed, where the kernel knows that (since 6.3).
fn new_file() -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let file = memfd_create(c"identity.map", flags | MemfdFlags::NOEXEC_SEAL)
        .or_else(|_| memfd_create(c"identity.map", flags))?;
    Ok(file.into())
}
