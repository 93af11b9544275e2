//! How often somebody may try: a bucket of tries per key that fills up again over a minute. Counted
//! before the try, so that many at once gain nothing.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;

/// More keys than this are counted together.
const KEYS_MAX: usize = 100_000;
/// No name and no address.
const OTHERS: &str = "(others)";
/// Keys come from strangers; longer ones are counted together.
const KEY_LENGTH_MAX: usize = 128;
const MINUTE_MS: i64 = 60_000;
/// Looking through a full table at every call would be slower than the flood that fills it.
const SWEEP_EVERY_MS: i64 = 1_000;
/// Of an IPv6 address, what names the network: whoever has one address there has all of them.
const NETWORK_BITS: u128 = !0 << 64;

/// The key of whoever calls from an address.
#[must_use]
pub fn source_key(source: Option<IpAddr>) -> String {
    match source {
        None => String::new(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => {
            Ipv6Addr::from_bits(address.to_bits() & NETWORK_BITS).to_string()
        }
    }
}

/// The beginning of a key.
#[must_use]
pub fn bounded(key: &str) -> String {
    key.chars().take(KEY_LENGTH_MAX).collect()
}

/// Counts tries per key.
#[derive(Debug, Clone)]
pub struct Limiter {
    per_minute: i64,
    buckets: Arc<Mutex<Buckets>>,
}

#[derive(Debug, Default)]
struct Buckets {
    /// When the bucket of a key would be full again.
    full_at_ms: HashMap<String, i64>,
    /// When those that are full were last taken out.
    swept: i64,
}

impl Buckets {
    fn sweep(&mut self, now: i64) {
        if self.full_at_ms.len() >= KEYS_MAX && (now - self.swept).abs() >= SWEEP_EVERY_MS {
            self.full_at_ms.retain(|_, full_at| *full_at > now);
            self.swept = now;
        }
    }
}

impl Limiter {
    /// So many tries a minute for each key.
    #[must_use]
    pub fn new(per_minute: u32) -> Self {
        Self {
            per_minute: i64::from(per_minute.max(1)),
            buckets: Arc::default(),
        }
    }

    /// Takes one try.
    ///
    /// # Errors
    /// The seconds to wait.
    pub fn take(&self, key: &str, now: Timestamp) -> Result<(), u64> {
        let now = now.as_millisecond();
        let cost = MINUTE_MS / self.per_minute;
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        buckets.sweep(now);
        let buckets = &mut buckets.full_at_ms;
        let mut key = bounded(key);
        if buckets.len() >= KEYS_MAX && !buckets.contains_key(&key) {
            key = OTHERS.to_owned();
        }
        let full_at = buckets.get(&key).copied().unwrap_or(now).max(now);
        let next = full_at + cost;
        if next - now > MINUTE_MS {
            let wait = next - now - MINUTE_MS;
            return Err(wait.unsigned_abs().div_ceil(1000).max(1));
        }
        buckets.insert(key, next);
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

    #[test]
    fn a_flood_of_long_keys_takes_bounded_memory_and_is_limited_too() {
        let limiter = Limiter::new(1);
        let now = Timestamp::from_second(0).unwrap();
        let long = "x".repeat(100_000);
        assert!(limiter.take(&long, now).is_ok());
        assert!(limiter.take(&format!("{long}y"), now).is_err());
        for key in 0..KEYS_MAX + 10 {
            let _ = limiter.take(&key.to_string(), now);
        }
        assert!(limiter.take("one more", now).is_err());
        let buckets = &limiter.buckets.lock().unwrap().full_at_ms;
        assert!(buckets.len() <= KEYS_MAX + 1);
        assert!(buckets.keys().all(|key| key.len() <= KEY_LENGTH_MAX));
    }

    #[test]
    fn a_full_table_is_looked_through_once_a_second_and_then_has_room_again() {
        let limiter = Limiter::new(60);
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        for key in 0..KEYS_MAX {
            let _ = limiter.take(&key.to_string(), at(10_000));
        }
        let swept = || limiter.buckets.lock().unwrap().swept;
        let _ = limiter.take("first", at(10_001));
        assert_eq!(swept(), 10_001);
        for ms in 10_002..10_500 {
            let _ = limiter.take("later", at(ms));
        }
        assert_eq!(swept(), 10_001);
        assert_eq!(limiter.take("later", at(11_001)), Ok(()));
        assert!(limiter.buckets.lock().unwrap().full_at_ms.len() < 10);
    }

    #[test]
    fn a_network_of_ipv6_addresses_is_one_source() {
        let key = |text: &str| source_key(Some(text.parse().unwrap()));
        assert_eq!(key("2001:db8:1:2::1"), key("2001:db8:1:2:ffff::9"));
        assert_ne!(key("2001:db8:1:2::1"), key("2001:db8:1:3::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
