//! Counts failures in memory that is bounded, whoever fails. Counted before a secret is looked at,
//! so that many tries at once are not more tries.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::limiter::bounded;

const WINDOW_MS: i64 = 60_000;
/// Looking through a full table at every call would be slower than the flood that fills it.
const SWEEP_EVERY_MS: i64 = 1_000;
/// More callers than this are counted together.
const CALLERS_MAX: usize = 65_536;

/// How many tries each caller has had in the last minute.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<Callers>);

#[derive(Debug, Default)]
struct Callers {
    windows: HashMap<String, Window>,
    /// When those whose minute is over were last taken out.
    swept: i64,
}

#[derive(Debug, Clone, Copy)]
struct Window {
    began: i64,
    tries: u32,
}

/// Too many tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany {
    /// When to come back.
    pub(super) retry_after_s: u64,
    /// This is the first try that was refused: worth an event, the others are not.
    pub(super) first: bool,
}

impl Callers {
    fn sweep(&mut self, now: i64) {
        if self.windows.len() >= CALLERS_MAX && (now - self.swept).abs() >= SWEEP_EVERY_MS {
            self.windows
                .retain(|_, window| now - window.began < WINDOW_MS);
            self.swept = now;
        }
    }
}

impl Attempts {
    /// Counts one more try.
    pub(super) fn count(&self, caller: &str, most: u32, now: Timestamp) -> Result<(), TooMany> {
        let now = now.as_millisecond();
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        callers.sweep(now);
        let callers = &mut callers.windows;
        let caller = bounded(caller);
        let caller = if callers.len() >= CALLERS_MAX && !callers.contains_key(&caller) {
            "others".to_owned()
        } else {
            caller
        };
        let fresh = Window {
            began: now,
            tries: 0,
        };
        let window = callers.entry(caller).or_insert(fresh);
        if now - window.began >= WINDOW_MS {
            *window = fresh;
        }
        window.tries = window.tries.saturating_add(1);
        if window.tries <= most {
            return Ok(());
        }
        let left = (window.began + WINDOW_MS - now).unsigned_abs();
        Err(TooMany {
            retry_after_s: left.div_ceil(1000),
            first: window.tries == most + 1,
        })
    }

    /// A try that succeeded does not count.
    pub(super) fn forgive(&self, caller: &str) {
        let mut callers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(window) = callers.windows.get_mut(&bounded(caller)) {
            window.tries = window.tries.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn tries_beyond_the_limit_wait_for_the_next_minute() {
        let attempts = Attempts::default();
        assert!((0..3).all(|_| attempts.count("a", 3, at(100)).is_ok()));
        let refused = |first| TooMany {
            retry_after_s: 50,
            first,
        };
        assert_eq!(attempts.count("a", 3, at(110)), Err(refused(true)));
        assert_eq!(attempts.count("a", 3, at(110)), Err(refused(false)));
        assert_eq!(attempts.count("b", 3, at(110)), Ok(()));
        assert_eq!(attempts.count("a", 3, at(160)), Ok(()));
    }

    #[test]
    fn success_is_not_held_against_anybody() {
        let attempts = Attempts::default();
        for _ in 0..10 {
            assert!(attempts.count("a", 1, at(100)).is_ok());
            attempts.forgive("a");
        }
    }

    #[test]
    fn a_flood_of_callers_takes_bounded_memory() {
        let attempts = Attempts::default();
        for caller in 0..2 * CALLERS_MAX {
            let _ = attempts.count(&caller.to_string(), 1, at(100));
        }
        assert!(attempts.0.lock().unwrap().windows.len() <= CALLERS_MAX + 1);
    }
}
