//! How many connections are served: so many in all, and so many of one address that show no
//! certificate of a host. Hosts do not count against each other, since thousands of them may stand
//! behind one address; strangers there cannot take everybody's place.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limiter::source_key;

const CONNECTIONS_MAX: usize = 20_000;
const STRANGERS_PER_ADDRESS_MAX: usize = 1_000;

/// All places.
#[derive(Debug, Clone)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    strangers: Strangers,
}

type Strangers = Arc<Mutex<HashMap<String, usize>>>;

/// The place of one connection; dropped, it is free again.
#[derive(Debug)]
pub(super) struct Place {
    _one_of_all: OwnedSemaphorePermit,
    stranger: Option<Stranger>,
}

#[derive(Debug)]
struct Stranger {
    strangers: Strangers,
    key: String,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            all: Arc::new(Semaphore::new(CONNECTIONS_MAX)),
            strangers: Arc::default(),
        }
    }
}

impl Places {
    /// A place for a new connection, of which nothing but the address is known.
    pub(super) fn take(&self, address: IpAddr) -> Option<Place> {
        let one_of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let key = source_key(Some(address.to_canonical()));
        let mut strangers = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = strangers.entry(key.clone()).or_default();
        if *count >= STRANGERS_PER_ADDRESS_MAX {
            return None;
        }
        *count += 1;
        Some(Place {
            _one_of_all: one_of_all,
            stranger: Some(Stranger {
                strangers: Arc::clone(&self.strangers),
                key,
            }),
        })
    }
}

impl Place {
    /// It has shown the certificate of a host.
    pub(super) fn is_of_a_host(&mut self) {
        self.stranger = None;
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let mut strangers = self
            .strangers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = strangers.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                strangers.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn one_address_cannot_take_the_places_of_others() {
        let places = Places::default();
        let noisy = address("192.0.2.1");
        let held: Vec<Place> = std::iter::from_fn(|| places.take(noisy)).collect();
        assert_eq!(held.len(), STRANGERS_PER_ADDRESS_MAX);
        assert!(places.take(address("::ffff:192.0.2.1")).is_none());
        assert!(places.take(address("192.0.2.2")).is_some());
        drop(held);
        assert!(places.take(noisy).is_some());
        assert!(places.strangers.lock().unwrap().is_empty());
    }

    #[test]
    fn hosts_behind_one_address_do_not_count_against_each_other() {
        let places = Places::default();
        let gateway = address("192.0.2.1");
        let mut hosts = Vec::new();
        for _ in 0..STRANGERS_PER_ADDRESS_MAX + 10 {
            let mut place = places.take(gateway).unwrap();
            place.is_of_a_host();
            hosts.push(place);
        }
        assert!(places.take(gateway).is_some());
    }
}
