//! Maps sealed memory files. The bytes belong to the cacher, which could change them at any time,
//! so they are only ever copied out, by volatile loads that no other process can turn into anything
//! else than wrong bytes.

#![expect(unsafe_code, reason = "the kernel's mappings are raw memory")]

use std::os::fd::BorrowedFd;
use std::ptr::null_mut;
use std::sync::atomic::AtomicU32;

use rustix::io::Result;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// So much is copied at a time: first lines of the CPU cache, then words.
const LINE_BYTES: usize = 64;
const WORD_BYTES: usize = 8;

/// A mapping of the first bytes of a file; it ends with this.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: *mut u8,
    length: usize,
}

// SAFETY: the memory is only read, or reached through atomics, and unmapped by the one owner.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// Maps for reading. The file must be sealed against shrinking, or a read may kill the process.
    pub(crate) fn readable(file: BorrowedFd<'_>, length: usize) -> Result<Self> {
        Self::new(file, length, ProtFlags::READ)
    }

    /// Maps for reading and writing.
    pub(crate) fn writable(file: BorrowedFd<'_>, length: usize) -> Result<Self> {
        Self::new(file, length, ProtFlags::READ | ProtFlags::WRITE)
    }

    fn new(file: BorrowedFd<'_>, length: usize, access: ProtFlags) -> Result<Self> {
        // SAFETY: a new mapping, where the kernel likes.
        let start = unsafe { mmap(null_mut(), length, access, MapFlags::SHARED, file, 0) }?;
        Ok(Self {
            start: start.cast(),
            length,
        })
    }

    /// Copies bytes out; false when they do not lie inside.
    pub(crate) fn copy_out(&self, from: usize, buffer: &mut [u8]) -> bool {
        let inside = from
            .checked_add(buffer.len())
            .is_some_and(|end| end <= self.length);
        if !inside {
            return false;
        }
        let start = self.start.wrapping_add(from);
        let (lines, rest) = buffer.as_chunks_mut::<LINE_BYTES>();
        let start = copy_chunks(start, lines);
        let (words, rest) = rest.as_chunks_mut::<WORD_BYTES>();
        let start = copy_chunks(start, words);
        let (bytes, _) = rest.as_chunks_mut::<1>();
        copy_chunks(start, bytes);
        true
    }

    /// A number of four bytes; `None` when it does not lie inside at a multiple of four.
    pub(crate) fn number(&self, at: usize) -> Option<&AtomicU32> {
        let bytes = size_of::<AtomicU32>();
        if !at.is_multiple_of(bytes) || at.checked_add(bytes)? > self.length {
            return None;
        }
        let place = self.start.wrapping_add(at).cast();
        // SAFETY: inside the mapping and aligned, and alive as long as `self`.
        Some(unsafe { AtomicU32::from_ptr(place) })
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: this mapping, to which nothing points any more.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}

/// Copies chunks from inside a mapping; where they end. Each byte is read once, whatever becomes of
/// it meanwhile.
#[inline]
fn copy_chunks<const N: usize>(mut at: *const u8, chunks: &mut [[u8; N]]) -> *const u8 {
    for chunk in chunks {
        // SAFETY: the caller has checked that so many bytes lie inside the mapping, and bytes have
        // no alignment. Volatile, because their owner may change them.
        *chunk = unsafe { at.cast::<[u8; N]>().read_volatile() };
        at = at.wrapping_add(N);
    }
    at
}
