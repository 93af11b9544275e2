//! The only place of the harness that reads the clock: waiting for something to become true, with
//! a limit, and measuring how long something took.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Pause between two looks at a condition.
const POLL: Duration = Duration::from_millis(20);

/// True as soon as `condition` holds; false when it did not within `limit`.
pub fn eventually(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let waited = Stopwatch::start();
    loop {
        if condition() {
            return true;
        }
        if waited.elapsed() > limit {
            return false;
        }
        pause(POLL);
    }
}

/// Measures how long something takes.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "tests measure real programs in real time"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Time since the start.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

/// The time of day in seconds since 1970, as phones show it.
#[expect(
    clippy::disallowed_methods,
    reason = "codes that real programs accept follow the real clock"
)]
pub(crate) fn seconds_now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[expect(
    clippy::disallowed_methods,
    reason = "another process is awaited; nothing else runs here"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
