//! Pauses between tries: they double up to a limit and vary, so that ten thousand hosts do not come
//! back in the same second.

use std::time::Duration;

const SHORTEST: Duration = Duration::from_millis(500);

/// Counts failures in a row.
#[derive(Debug, Clone, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// It worked.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// It failed once more: how long to wait.
    pub fn next(&mut self, longest: Duration) -> Duration {
        let factor = 2_u32.saturating_pow(self.failures.min(20));
        self.failures = self.failures.saturating_add(1);
        let pause = SHORTEST.saturating_mul(factor).min(longest);
        varied(pause, 0.5, randomness())
    }
}

/// A pause shortened or lengthened by up to `share`; `random` is evenly spread over all values.
#[must_use]
pub fn varied(pause: Duration, share: f64, random: u32) -> Duration {
    let position = f64::from(random) / f64::from(u32::MAX) * 2.0 - 1.0;
    pause.mul_f64((1.0 + share * position).max(0.0))
}

/// Any number; without randomness hosts merely come back together.
#[must_use]
pub fn randomness() -> u32 {
    getrandom::u32().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_limit_and_never_beyond_it_by_more_than_half() {
        let longest = Duration::from_secs(60);
        let mut backoff = Backoff::default();
        for _ in 0..50 {
            assert!(backoff.next(longest) <= longest.mul_f64(1.5));
        }
        assert!(backoff.next(longest) >= longest / 2);
        backoff.reset();
        assert!(backoff.next(longest) <= Duration::from_secs(1));
    }

    #[test]
    fn a_pause_varies_around_itself() {
        let pause = Duration::from_secs(10);
        assert_eq!(varied(pause, 0.2, 0), Duration::from_secs(8));
        assert_eq!(varied(pause, 0.2, u32::MAX), Duration::from_secs(12));
    }
}
