//! Who has proven a second factor lately: not asked again for a while, by the same service from the
//! same place on this host. In memory only; a restart asks again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use local_protocol::Login;

/// Beyond this the one proven longest ago is forgotten.
const REMEMBERED_MAX: usize = 4096;

/// What a proof is bound to, besides the host.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    user: String,
    service: String,
    remote_host: String,
    terminal: String,
}

/// Proofs that still count.
#[derive(Debug, Default)]
pub struct Remembered {
    proven: Mutex<HashMap<Place, Duration>>,
}

impl Remembered {
    /// Notes a proof at a time since boot.
    pub fn note(&self, user: &str, login: &Login, now: Duration) {
        let Some(place) = place(user, login) else {
            return;
        };
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        proven.insert(place, now);
        if proven.len() > REMEMBERED_MAX {
            let oldest = proven.iter().min_by_key(|(_, when)| **when);
            let oldest = oldest.map(|(place, _)| place.clone());
            oldest.map(|place| proven.remove(&place));
        }
    }

    /// Whether a proof is so young.
    #[must_use]
    pub fn within(&self, user: &str, login: &Login, now: Duration, seconds: u64) -> bool {
        let Some(place) = place(user, login).filter(|_| seconds > 0) else {
            return false;
        };
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        let age = proven.get(&place).and_then(|when| now.checked_sub(*when));
        age.is_some_and(|age| age < Duration::from_secs(seconds))
    }
}

/// From somewhere: an address, or for local logins a terminal. What comes from nowhere is never
/// remembered.
fn place(user: &str, login: &Login) -> Option<Place> {
    let local = login.remote_host.is_empty();
    if local && login.terminal.is_empty() {
        return None;
    }
    Some(Place {
        user: user.to_owned(),
        service: login.service.clone(),
        remote_host: login.remote_host.clone(),
        // sshd names no terminal of its own before there is one.
        terminal: if local {
            login.terminal.clone()
        } else {
            String::new()
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(service: &str, remote_host: &str, terminal: &str) -> Login {
        Login {
            service: service.to_owned(),
            remote_host: remote_host.to_owned(),
            terminal: terminal.to_owned(),
            ..Login::default()
        }
    }

    #[test]
    fn a_proof_counts_for_its_person_service_and_place_and_for_its_time() {
        let remembered = Remembered::default();
        let at = Duration::from_secs;
        let here = login("sshd", "192.0.2.1", "ssh");
        remembered.note("usr_1", &here, at(100));
        assert!(remembered.within("usr_1", &here, at(399), 300));
        assert!(!remembered.within("usr_1", &here, at(400), 300));
        assert!(!remembered.within("usr_1", &here, at(101), 0));
        assert!(!remembered.within("usr_1", &here, at(99), 300));
        assert!(!remembered.within("usr_2", &here, at(101), 300));
        for other in [
            login("sudo", "192.0.2.1", ""),
            login("sshd", "192.0.2.2", "ssh"),
        ] {
            assert!(!remembered.within("usr_1", &other, at(101), 300));
        }
        let nowhere = login("su", "", "");
        remembered.note("usr_1", &nowhere, at(100));
        assert!(!remembered.within("usr_1", &nowhere, at(101), 300));
    }
}
