//! Maps memory files. What is mapped as [`Frozen`] nobody can change any more, so it is read like
//! any other bytes; what can change are two words, read and written as atomics.

#![expect(unsafe_code, reason = "the kernel's mappings are raw memory")]

use std::os::fd::BorrowedFd;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU32, AtomicU64};

use rustix::fs::{FileType, SealFlags, fcntl_get_seals, fstat};
use rustix::io::Result;
use rustix::mm::{MapFlags, ProtFlags, mmap, mmap_anonymous, munmap};

use crate::read::ReadError;

/// Seals of bytes that stay as they are: nobody writes, cuts or grows them, also not through a
/// mapping made before, for the kernel refuses these seals while there is one.
pub(crate) const FROZEN: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::WRITE)
    .union(SealFlags::SEAL);

/// Seals of words that only their maker writes, through the mapping made before the file was sealed.
pub(crate) const MARKED: SealFlags = SealFlags::SHRINK
    .union(SealFlags::GROW)
    .union(SealFlags::FUTURE_WRITE)
    .union(SealFlags::SEAL);

/// The length of a memory file that has all these seals.
pub(crate) fn sealed_bytes(
    file: BorrowedFd<'_>,
    seals: SealFlags,
) -> std::result::Result<u64, ReadError> {
    let held = fcntl_get_seals(file).map_err(|_| ReadError::NotTrusted)?;
    let facts = fstat(file).map_err(|_| ReadError::Unreadable)?;
    if !held.contains(seals) || FileType::from_raw_mode(facts.st_mode) != FileType::RegularFile {
        return Err(ReadError::NotTrusted);
    }
    u64::try_from(facts.st_size).map_err(|_| ReadError::Damaged)
}

/// A mapping, unmapped with this.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: *mut u8,
    length: usize,
}

// SAFETY: this is an address; what may be done with the memory is said by those who hold it.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn of(file: BorrowedFd<'_>, length: usize, access: ProtFlags, kind: MapFlags) -> Result<Self> {
        // SAFETY: a new mapping, where the kernel likes.
        let start = unsafe { mmap(null_mut(), length, access, kind, file, 0) }?.cast();
        Ok(Self { start, length })
    }

    /// Zeros that stay where they are as long as the process lives.
    pub(crate) fn shared(length: usize) -> Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, where the kernel likes.
        let start = unsafe { mmap_anonymous(null_mut(), length, access, MapFlags::SHARED) }?.cast();
        Ok(Self { start, length })
    }

    pub(crate) fn start(&self) -> *mut u8 {
        self.start
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this mapping, to which nothing points any more.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}

/// The bytes of a memory file that nobody can change.
#[derive(Debug)]
pub(crate) struct Frozen(Mapping);

impl Frozen {
    /// Maps a whole file, if it has the seals and its length is one of these.
    pub(crate) fn of(
        file: BorrowedFd<'_>,
        lengths: std::ops::RangeInclusive<u64>,
    ) -> std::result::Result<Self, ReadError> {
        let bytes = sealed_bytes(file, FROZEN)?;
        if !lengths.contains(&bytes) {
            return Err(ReadError::Damaged);
        }
        let length = usize::try_from(bytes).map_err(|_| ReadError::Damaged)?;
        let mapping = Mapping::of(file, length, ProtFlags::READ, MapFlags::PRIVATE);
        Ok(Self(mapping.map_err(|_| ReadError::Unreadable)?))
    }

    #[inline]
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: mapped for reading as long as `self`, and sealed: no byte changes or goes away.
        unsafe { std::slice::from_raw_parts(self.0.start, self.0.length) }
    }
}

/// The two numbers of a mark: which map is in force, and who keeps the mark.
#[derive(Debug)]
pub(crate) struct Words(Mapping);

impl Words {
    pub(crate) const BYTES: usize = 16;
    const KEEPER_AT: usize = 8;

    /// Maps them for reading, if the file has the seals. It may be longer: what a later version keeps
    /// behind them is not looked at.
    pub(crate) fn readable(file: BorrowedFd<'_>) -> std::result::Result<Self, ReadError> {
        if sealed_bytes(file, MARKED)? < Self::BYTES as u64 {
            return Err(ReadError::Damaged);
        }
        let mapping = Mapping::of(file, Self::BYTES, ProtFlags::READ, MapFlags::SHARED);
        Ok(Self(mapping.map_err(|_| ReadError::Unreadable)?))
    }

    /// Maps them for reading and writing. The file is as long as they are, and not sealed yet.
    pub(crate) fn writable(file: BorrowedFd<'_>) -> Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        Mapping::of(file, Self::BYTES, access, MapFlags::SHARED).map(Self)
    }

    #[inline]
    pub(crate) fn in_force(&self) -> &AtomicU64 {
        // SAFETY: the start of a mapping of a file that is no shorter and cannot be cut.
        unsafe { AtomicU64::from_ptr(self.0.start.cast()) }
    }

    #[inline]
    pub(crate) fn keeper(&self) -> &AtomicU32 {
        // SAFETY: as above, and aligned, because a mapping is.
        unsafe { AtomicU32::from_ptr(self.0.start.wrapping_add(Self::KEEPER_AT).cast()) }
    }
}
