//! Maps memory for writing, as whoever wants to change it under a reader would; and a process that can
//! be killed.

#![expect(unsafe_code, reason = "shared memory is raw memory; to fork is unsafe")]

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

/// A fork of this process, killed when it is dropped.
pub(crate) struct Child(libc::pid_t);

impl Child {
    pub(crate) fn doing(work: impl FnOnce()) -> Self {
        // SAFETY: the child does its work, and is killed or leaves at once.
        let process = unsafe { libc::fork() };
        assert!(process >= 0, "no fork");
        if process == 0 {
            // SAFETY: ends a child whose parent has died.
            unsafe { libc::alarm(60) };
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: leaves without running anything of the parent's.
            unsafe { libc::_exit(1) };
        }
        Self(process)
    }

    pub(crate) fn id(&self) -> libc::pid_t {
        self.0
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // SAFETY: this child, not waited for yet.
        unsafe { libc::kill(self.0, libc::SIGKILL) };
        // SAFETY: as above.
        unsafe { libc::waitpid(self.0, null_mut(), 0) };
    }
}
