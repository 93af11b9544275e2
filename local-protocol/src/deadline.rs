//! One end for a whole exchange, so that a peer that sends a byte now and then gains nothing.

use std::time::{Duration, Instant};

use rustix::event::Timespec;

/// A moment on the monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// The moment `budget` from now.
    pub(crate) fn after(budget: Duration) -> Self {
        let start = now();
        Self(start.checked_add(budget).unwrap_or(start))
    }

    /// What is left; `None` once it is over.
    pub(crate) fn remaining(self) -> Option<Duration> {
        self.0
            .checked_duration_since(now())
            .filter(|left| !left.is_zero())
    }

    /// What is left, as poll takes it.
    pub(crate) fn poll_timeout(self) -> Option<Timespec> {
        self.remaining().map(|left| Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: left.subsec_nanos().into(),
        })
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a deadline inside somebody else's process can only be kept with the monotonic clock"
)]
fn now() -> Instant {
    Instant::now()
}
