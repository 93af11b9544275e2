//! Whoever signs in waits for their turn. Only so many are at work, fewer than there are places for
//! slow hashes, so the question of a host finds one free and no line at the database; the others
//! wait in the order in which they came, and beyond a limit they are sent away before anything else.

use std::sync::Arc;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::Refused;

/// So many wait at once, each with a request of a few KiB.
pub const WAITING_MAX: usize = 1024;
const RETRY_AFTER_S: u64 = 5;

/// The line.
#[derive(Debug, Clone)]
pub struct Turns {
    places: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
}

/// One's turn; it ends when this is dropped.
#[derive(Debug)]
#[must_use]
pub struct Turn {
    _place: OwnedSemaphorePermit,
}

impl Turns {
    /// For a server that computes so many slow hashes at the same time.
    #[must_use]
    pub fn beside(hashes: usize) -> Self {
        Self {
            places: Arc::new(Semaphore::new(WAITING_MAX)),
            at_work: Arc::new(Semaphore::new(hashes.saturating_sub(1).max(1))),
        }
    }

    /// Waits in the line.
    ///
    /// # Errors
    /// It is too long.
    pub async fn turn(&self) -> Result<Turn, Refused> {
        let _waiting = self.places.try_acquire().map_err(|_| full())?;
        let place = Arc::clone(&self.at_work).acquire_owned().await;
        Ok(Turn {
            _place: place.map_err(|_| full())?,
        })
    }
}

fn full() -> Refused {
    Refused::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_ready",
        "Too many people are signing in at this moment.",
    )
    .hint("Nothing was counted; try again in a few seconds.")
    .retry_after(RETRY_AFTER_S)
}
