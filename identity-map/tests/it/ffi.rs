//! Maps memory for writing, as whoever wants to change it under a reader would.

#![expect(unsafe_code, reason = "shared memory is raw memory")]

use std::ffi::c_void;
use std::os::fd::BorrowedFd;
use std::ptr::null_mut;

use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

/// A writable mapping.
pub(crate) struct Writable {
    start: *mut c_void,
    length: usize,
}

impl Writable {
    pub(crate) fn of(file: BorrowedFd<'_>, length: usize) -> rustix::io::Result<Self> {
        let access = ProtFlags::READ | ProtFlags::WRITE;
        // SAFETY: a new mapping, where the kernel likes.
        let start = unsafe { mmap(null_mut(), length, access, MapFlags::SHARED, file, 0) }?;
        Ok(Self { start, length })
    }
}

impl Drop for Writable {
    fn drop(&mut self) {
        // SAFETY: this mapping, used by nobody any more.
        let _ = unsafe { munmap(self.start, self.length) };
    }
}
