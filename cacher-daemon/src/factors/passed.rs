//! Which processes have just let somebody in by our conversation. The account step asks, for people
//! whose key must be followed by a code: should sshd ever skip the conversation, it ends here.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// From the conversation to the account step of the same process: sshd's grace time, and some.
const COUNTS_FOR: Duration = Duration::from_secs(600);
const PASSED_MAX: usize = 4096;

/// Processes and whom they have let in.
#[derive(Debug, Default)]
pub struct Passed {
    processes: Mutex<HashMap<(u32, String), Duration>>,
}

impl Passed {
    /// A process has heard yes for this person, at a time since boot.
    pub fn note(&self, process: u32, user: &str, now: Duration) {
        let mut processes = self
            .processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        processes.retain(|_, when| now.saturating_sub(*when) < COUNTS_FOR);
        if processes.len() < PASSED_MAX {
            processes.insert((process, user.to_owned()), now);
        }
    }

    /// Whether a process has heard yes for this person lately.
    #[must_use]
    pub fn has(&self, process: u32, user: &str, now: Duration) -> bool {
        let processes = self
            .processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let when = processes.get(&(process, user.to_owned()));
        when.is_some_and(|when| now.saturating_sub(*when) < COUNTS_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yes_counts_for_its_process_and_person_and_not_for_ever() {
        let passed = Passed::default();
        let at = Duration::from_secs;
        passed.note(7, "alice", at(100));
        assert!(passed.has(7, "alice", at(101)));
        assert!(!passed.has(8, "alice", at(101)));
        assert!(!passed.has(7, "bob", at(101)));
        assert!(!passed.has(7, "alice", at(700)));
    }
}
