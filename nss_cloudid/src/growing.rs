//! Whoever asks for a large group with a small buffer asks again with one twice as large, until the
//! group fits: seven times for 5,000 members. The steps in between are told from here, without a look
//! at the map. A buffer that has not grown is looked up each time: nobody is told for ever what was
//! true once.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::answer::Failure;

/// The last group of this process that did not fit. Threads that ask at once may leave words of two
/// groups: then the map is asked once more, or a larger buffer is asked for once more.
#[derive(Debug)]
pub(crate) struct Growing {
    /// Its id in the upper half, the bytes that it needs at least in the lower one.
    group: AtomicU64,
    /// The last buffer that was refused, in bytes.
    refused: AtomicU64,
}

pub(crate) static GROWING: Growing = Growing::new();

impl Growing {
    const fn new() -> Self {
        Self {
            group: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Refuses a buffer that has grown and is still too small.
    ///
    /// # Errors
    /// It is.
    #[inline]
    pub(crate) fn refuse(&self, gid: u32, bytes: usize) -> Result<(), Failure> {
        let group = self.group.load(Relaxed);
        if group >> 32 == u64::from(gid) {
            self.refuse_again(group & u64::from(u32::MAX), bytes as u64)
        } else {
            Ok(())
        }
    }

    #[cold]
    #[inline(never)]
    fn refuse_again(&self, needed: u64, bytes: u64) -> Result<(), Failure> {
        if bytes < needed && self.refused.load(Relaxed) < bytes {
            self.refused.store(bytes, Relaxed);
            return Err(Failure::BufferTooSmall);
        }
        Ok(())
    }

    /// Remembers a group that needs more than this buffer has.
    #[cold]
    #[inline(never)]
    pub(crate) fn remember(&self, gid: u32, needed: usize, bytes: usize) {
        let needed = u32::try_from(needed).unwrap_or(u32::MAX);
        self.refused.store(bytes as u64, Relaxed);
        let group = u64::from(gid) << 32 | u64::from(needed);
        self.group.store(group, Relaxed);
    }

    /// Remembers no group.
    pub(crate) fn forget(&self) {
        self.group.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_that_grows_is_refused_until_the_group_may_fit() {
        let growing = Growing::new();
        growing.remember(71_000, 4_000, 1_024);
        let refused = |bytes| growing.refuse(71_000, bytes).is_err();
        assert_eq!([2_048, 3_999].map(refused), [true, true]);
        assert_eq!([4_000, 4_096, usize::MAX].map(refused), [false; 3]);
    }

    #[test]
    fn a_buffer_that_has_not_grown_is_looked_up() {
        let growing = Growing::new();
        growing.remember(71_000, 4_000, 1_024);
        let refused = |bytes| growing.refuse(71_000, bytes).is_err();
        assert_eq!([0, 1_024].map(refused), [false, false]);
        assert_eq!([2_048, 2_048, 1_024].map(refused), [true, false, false]);
    }

    #[test]
    fn other_groups_are_looked_up_and_so_is_a_forgotten_one() {
        let growing = Growing::new();
        assert_eq!(growing.refuse(71_000, 100), Ok(()));
        growing.remember(71_000, 4_000, 1_024);
        assert_eq!(growing.refuse(71_001, 2_048), Ok(()));
        growing.forget();
        assert_eq!(growing.refuse(71_000, 2_048), Ok(()));
    }
}
