//! How often somebody may try: a bucket of tries per key that fills up again over a minute. Counted
//! before the try, so that many at once gain nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

const KEYS_MAX: usize = 100_000;
const MINUTE_MS: i64 = 60_000;

/// Counts tries per key.
#[derive(Debug, Clone)]
pub struct Limiter {
    per_minute: i64,
    /// When the bucket of a key would be full again.
    full_at_ms: Arc<Mutex<HashMap<String, i64>>>,
}

impl Limiter {
    /// So many tries a minute for each key.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute: i64::from(per_minute.max(1)),
            full_at_ms: Arc::default(),
        }
    }

    /// Takes one try.
    ///
    /// # Errors
    /// The seconds to wait.
    pub fn take(&self, key: &str, now: Timestamp) -> Result<(), u64> {
        let now = now.as_millisecond();
        let cost = MINUTE_MS / self.per_minute;
        let mut buckets = self
            .full_at_ms
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= KEYS_MAX {
            buckets.retain(|_, full_at| *full_at > now);
        }
        let full_at = buckets.get(key).copied().unwrap_or(now).max(now);
        let next = full_at + cost;
        if next - now > MINUTE_MS {
            let wait = next - now - MINUTE_MS;
            return Err(wait.unsigned_abs().div_ceil(1000).max(1));
        }
        if buckets.len() < KEYS_MAX || buckets.contains_key(key) {
            buckets.insert(key.to_owned(), next);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_run_out_and_come_back_with_time() {
        let limiter = Limiter::new(3);
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        for _ in 0..3 {
            assert_eq!(limiter.take("alice", at(0)), Ok(()));
        }
        assert_eq!(limiter.take("alice", at(0)), Err(20));
        assert_eq!(limiter.take("bob", at(0)), Ok(()));
        assert_eq!(limiter.take("alice", at(20)), Ok(()));
        assert!(limiter.take("alice", at(21)).is_err());
    }
}
