//! The one place where this benchmark reads the clocks.

use std::time::{Instant, SystemTime};

use jiff::Timestamp;

/// Wall-clock time.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::MAX)
}

/// Monotonic time.
#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
pub(crate) fn instant() -> Instant {
    Instant::now()
}
