//! What time it is. The clock of a host can be wrong or turned back by whoever sits at it, so
//! `now` is the largest of the clock, the newest signed time seen and the stored mark.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

/// The host's clocks; tests hand in their own.
pub trait Clock: Send + Sync {
    /// Real-time clock, which anybody with root can turn.
    fn wall(&self) -> Timestamp;
    /// Time since boot, suspend included; only ever grows.
    fn since_boot(&self) -> Duration;
}

/// The kernel's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that reads the clock"
    )]
    fn wall(&self) -> Timestamp {
        Timestamp::try_from(std::time::SystemTime::now()).unwrap_or(Timestamp::MAX)
    }

    fn since_boot(&self) -> Duration {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::try_from(now).unwrap_or(Duration::ZERO)
    }
}

/// The newest time that something trustworthy has named. Never goes back.
#[derive(Debug, Default)]
pub struct HighWaterMark(AtomicI64);

impl HighWaterMark {
    /// Begins with what was stored, milliseconds since 1970.
    #[must_use]
    pub fn stored(milliseconds: i64) -> Self {
        Self(AtomicI64::new(milliseconds))
    }

    /// Takes a signed time in; says whether the mark moved.
    pub fn raise(&self, time: Timestamp) -> bool {
        let new = time.as_millisecond();
        self.0.fetch_max(new, Ordering::SeqCst) < new
    }

    /// The mark, milliseconds since 1970; 0 when nothing signed was ever seen.
    #[must_use]
    pub fn milliseconds(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    /// The mark as a moment.
    #[must_use]
    pub fn moment(&self) -> Timestamp {
        Timestamp::from_millisecond(self.milliseconds()).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The moment every decision is made for: a clock that was turned back does not revive
    /// anything that has ended.
    #[must_use]
    pub fn now(&self, clock: &dyn Clock) -> Timestamp {
        clock.wall().max(self.moment())
    }
}

/// A clock that lies further behind the mark than this is told.
pub const SKEW_TOLERATED: Duration = Duration::from_secs(60);

/// How far the clock lies behind the mark, where that is more than tolerated.
#[must_use]
pub fn skew(clock: Timestamp, mark: Timestamp) -> Option<Duration> {
    let behind = Duration::try_from(mark.duration_since(clock)).ok()?;
    (behind > SKEW_TOLERATED).then_some(behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Stopped(Timestamp);
    impl Clock for Stopped {
        fn wall(&self) -> Timestamp {
            self.0
        }
        fn since_boot(&self) -> Duration {
            Duration::ZERO
        }
    }

    #[test]
    fn syn_20_a_clock_turned_back_changes_nothing() {
        let mark = HighWaterMark::default();
        let signed: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert!(mark.raise(signed));
        assert!(!mark.raise("1970-01-02T00:00:00Z".parse().unwrap()));
        assert_eq!(mark.now(&Stopped(Timestamp::UNIX_EPOCH)), signed);
        let later: Timestamp = "2038-01-19T04:00:00Z".parse().unwrap();
        assert_eq!(mark.now(&Stopped(later)), later);
    }

    #[test]
    fn a_clock_a_day_behind_is_a_skew_and_a_second_is_not() {
        let mark: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        assert!(skew("2026-11-20T12:00:00Z".parse().unwrap(), mark).is_some());
        assert!(skew("2026-11-21T11:59:59Z".parse().unwrap(), mark).is_none());
        assert!(skew("2106-01-01T00:00:00Z".parse().unwrap(), mark).is_none());
    }
}
