//! How long a process leaves the cacher alone after it got no answer: each time twice as long, up
//! to a limit, until an answer comes.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// A pause on the clock of [`crate::thread::milliseconds`].
#[derive(Debug)]
pub(crate) struct Pause {
    first: u64,
    longest: u64,
    length: AtomicU64,
    until: AtomicU64,
}

impl Pause {
    pub(crate) const fn new(first: u64, longest: u64) -> Self {
        Self {
            first,
            longest,
            length: AtomicU64::new(0),
            until: AtomicU64::new(0),
        }
    }

    pub(crate) fn is_over(&self, now: u64) -> bool {
        now >= self.until.load(Relaxed)
    }

    pub(crate) fn begin(&self, now: u64) {
        let last = self.length.load(Relaxed);
        let length = last.saturating_mul(2).max(self.first).min(self.longest);
        self.length.store(length, Relaxed);
        self.until.store(now.saturating_add(length), Relaxed);
    }

    pub(crate) fn end(&self) {
        self.length.store(0, Relaxed);
        self.until.store(0, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Pause;

    #[test]
    fn pauses_grow_to_a_limit_and_begin_small_after_an_answer() {
        let pause = Pause::new(10, 35);
        assert!(pause.is_over(0));
        for (from, until) in [(100, 110), (110, 130), (130, 165), (200, 235)] {
            pause.begin(from);
            assert!(!pause.is_over(until - 1) && pause.is_over(until), "{from}");
        }
        pause.end();
        assert!(pause.is_over(0));
        pause.begin(300);
        assert!(!pause.is_over(309) && pause.is_over(310));
    }
}
