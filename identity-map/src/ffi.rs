//! Maps sealed memory files. The bytes belong to the cacher, which could change them at any time,
//! so they are only ever copied out, by loads that no other process can turn into anything else
//! than wrong bytes.

#![expect(unsafe_code, reason = "the kernel's mappings are raw memory")]

use std::os::fd::BorrowedFd;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

use rustix::io::Result;
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

const WORD_BYTES: usize = size_of::<u64>();
/// From here on it pays to let the CPU copy a block.
const BLOCK_BYTES_MIN: usize = 512;

/// A mapping of the first bytes of a file; it ends with this.
#[derive(Debug)]
pub(crate) struct Mapping {
    start: *mut u8,
    length: usize,
}

// SAFETY: the memory is reached through atomics and machine code only, and unmapped by the one owner.
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
    #[inline(never)]
    pub(crate) fn copy_out(&self, from: usize, buffer: &mut [u8]) -> bool {
        let inside = from
            .checked_add(buffer.len())
            .is_some_and(|end| end <= self.length);
        if !inside {
            return false;
        }
        let at = self.start.wrapping_add(from);
        if buffer.len() >= BLOCK_BYTES_MIN {
            copy_block(at, buffer);
        } else {
            copy_words(at, buffer);
        }
        true
    }

    /// Copies a few bytes out; false when they do not lie inside.
    #[inline]
    pub(crate) fn copy_array<const N: usize>(&self, from: usize, array: &mut [u8; N]) -> bool {
        let inside = self.length.checked_sub(N).is_some_and(|last| from <= last);
        if inside {
            copy_array(self.start.wrapping_add(from), array);
        }
        inside
    }

    /// A number of four bytes; `None` when it does not lie inside at a multiple of four.
    #[inline]
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

/// Copies what the caller has checked to lie inside a mapping.
#[inline]
fn copy_words(mut at: *mut u8, buffer: &mut [u8]) {
    let before_words = at.align_offset(WORD_BYTES).min(buffer.len());
    let (before, rest) = buffer.split_at_mut(before_words);
    let (words, after) = rest.as_chunks_mut::<WORD_BYTES>();
    at = copy_bytes(at, before);
    for word in words {
        // SAFETY: aligned after the bytes before, and inside the mapping.
        let source = unsafe { AtomicU64::from_ptr(at.cast()) };
        *word = source.load(Ordering::Relaxed).to_ne_bytes();
        at = at.wrapping_add(WORD_BYTES);
    }
    copy_bytes(at, after);
}

/// As [`copy_words`]; where the bytes end.
#[inline]
fn copy_bytes(mut at: *mut u8, buffer: &mut [u8]) -> *mut u8 {
    for byte in buffer {
        // SAFETY: inside the mapping.
        let source = unsafe { AtomicU8::from_ptr(at) };
        *byte = source.load(Ordering::Relaxed);
        at = at.wrapping_add(1);
    }
    at
}

/// As [`copy_words`], for many bytes: one instruction, of which the compiler knows nothing but that
/// it writes the buffer.
#[cfg(target_arch = "x86_64")]
#[inline]
fn copy_block(at: *mut u8, buffer: &mut [u8]) {
    // SAFETY: reads inside the mapping and writes the buffer, from front to back: the direction
    // flag is clear wherever functions are called.
    unsafe {
        std::arch::asm!(
            "rep movsb",
            inout("rcx") buffer.len() => _,
            inout("rsi") at => _,
            inout("rdi") buffer.as_mut_ptr() => _,
            options(nostack, preserves_flags),
        );
    }
}

/// As [`copy_words`], for a few bytes, sixteen at a time.
#[cfg(target_arch = "x86_64")]
#[inline]
fn copy_array<const N: usize>(mut at: *mut u8, array: &mut [u8; N]) {
    const { assert!(N.is_multiple_of(16)) };
    let (parts, _) = array.as_chunks_mut::<16>();
    for part in parts {
        // SAFETY: reads inside the mapping, as the caller has checked, and writes this part.
        unsafe {
            std::arch::asm!(
                "movups {sixteen}, [{at}]",
                "movups [{part}], {sixteen}",
                sixteen = out(xmm_reg) _,
                at = in(reg) at,
                part = in(reg) part.as_mut_ptr(),
                options(nostack, preserves_flags),
            );
        }
        at = at.wrapping_add(16);
    }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn copy_array<const N: usize>(at: *mut u8, array: &mut [u8; N]) {
    copy_words(at, array);
}

#[cfg(not(target_arch = "x86_64"))]
#[inline]
fn copy_block(at: *mut u8, buffer: &mut [u8]) {
    copy_words(at, buffer);
}
