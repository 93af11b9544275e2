//! How the host stands with its directory, for the status and for logins: online or not, the last
//! thing that went wrong, what still has to be said.

use std::sync::{Mutex, PoisonError};

use directory_api::agent::EndedSessions;
use jiff::Timestamp;

/// The state of the connection.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// The directory answered last time.
    pub online: bool,
    /// The push stream is open.
    pub streaming: bool,
    /// Since when it is away, where it is.
    pub away_since: Option<Timestamp>,
    /// The last thing that went wrong; empty when nothing did.
    pub last_error: String,
    /// The last refusal that was reported.
    pub(crate) reported: String,
    /// What is in force has been said to the directory.
    pub(crate) acknowledged: bool,
    /// Ended sessions that the directory has not heard of.
    pub(crate) proofs: Vec<EndedSessions>,
}

/// The one copy of it.
#[derive(Debug, Default)]
pub struct HealthCell(Mutex<Health>);

impl HealthCell {
    /// What holds now.
    #[must_use]
    pub fn read(&self) -> Health {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes it; `change` only moves values.
    pub fn change<T>(&self, change: impl FnOnce(&mut Health) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
