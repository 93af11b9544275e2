//! Writes to memory that a reader has mapped, as only its owner can.

#![expect(unsafe_code, reason = "shared memory is raw memory")]

use std::os::fd::BorrowedFd;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU8, Ordering};

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A writable mapping.
pub(crate) struct Writable {
    start: *mut u8,
    length: usize,
}

// SAFETY: reached through atomics only.
unsafe impl Sync for Writable {}

impl Writable {
    pub(crate) fn of(file: BorrowedFd<'_>, length: usize) -> rustix::io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, where the kernel likes.
        let start = unsafe { mmap(null_mut(), length, access, MapFlags::SHARED, file, 0) }?;
        Ok(Self {
            start: start.cast(),
            length,
        })
    }

    pub(crate) fn flip(&self, at: usize, mask: u8) {
        assert!(at < self.length);
        // SAFETY: inside the mapping.
        let byte = unsafe { AtomicU8::from_ptr(self.start.wrapping_add(at)) };
        byte.fetch_xor(mask, Ordering::Relaxed);
    }
}

impl Drop for Writable {
    fn drop(&mut self) {
        // SAFETY: this mapping, used by nobody any more.
        let _ = unsafe { munmap(self.start.cast(), self.length) };
    }
}
