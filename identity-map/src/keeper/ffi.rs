//! What a thread leaves to the kernel: a list with one entry, which names the word to be changed.
//! Shapes and rules are those of `linux/futex.h` and `Documentation/locking/robust-futex-ABI.rst`.

#![expect(unsafe_code, reason = "the kernel reads a list of raw pointers")]

use std::io;
use std::ptr::null_mut;
use std::sync::atomic::Ordering::Release;

use libc::{c_long, size_t};

use crate::ffi::{Mapping, Words};

/// Whether the thread that a word names is still there. When it ends, the kernel takes its number out.
#[inline]
pub(crate) fn is_alive(word: u32) -> bool {
    word & libc::FUTEX_TID_MASK != 0
}

/// `struct robust_list`.
#[repr(C)]
struct Entry {
    next: *mut Self,
}

/// `struct robust_list_head`, and the only entry of the list.
#[repr(C)]
struct List {
    first: Entry,
    /// From an entry to its word.
    offset: c_long,
    pending: *mut Entry,
    entry: Entry,
}

/// What the kernel reads when the thread ends. In shared memory: the private memory of a process that
/// is killed because there is none left may be gone before.
#[derive(Debug)]
pub(super) struct Testament(Mapping);

impl Testament {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self(Mapping::shared(size_of::<List>())?))
    }

    /// Has the kernel change the keeper's word when the calling thread ends. To be kept until then.
    pub(super) fn is_left_by_this_thread(&self, words: &Words) -> io::Result<()> {
        let list: *mut List = self.0.start().cast();
        // SAFETY: inside the mapping, of which this is the only use.
        let entry = unsafe { &raw mut (*list).entry };
        let word = words.keeper().as_ptr();
        let offset = word.addr().wrapping_sub(entry.addr()).cast_signed();
        let content = List {
            first: Entry { next: entry },
            offset: offset as c_long,
            pending: null_mut(),
            // Back to the start, as a list of one ends.
            entry: Entry { next: list.cast() },
        };
        // SAFETY: the mapping is as long as a list, and aligned, because a mapping is.
        unsafe { list.write(content) };
        // SAFETY: who made this thread keeps the list and the words until the thread has ended.
        let done = unsafe { libc::syscall(libc::SYS_set_robust_list, list, size_of_head()) };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
        // Named only now: a thread that ends before would be believed to live.
        words.keeper().store(this_thread(), Release);
        Ok(())
    }
}

fn size_of_head() -> size_t {
    std::mem::offset_of!(List, entry)
}

/// The number that the kernel compares with: in the process's own namespace.
fn this_thread() -> u32 {
    let number = rustix::thread::gettid().as_raw_nonzero().get();
    number.cast_unsigned() & libc::FUTEX_TID_MASK
}
