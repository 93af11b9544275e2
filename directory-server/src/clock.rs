//! The time and random numbers, as parameters: only `main` reads the clock.

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

/// Draws random bytes.
#[derive(Clone)]
pub struct Random(Arc<Fill>);

type Fill = dyn Fn(&mut [u8]) -> Result<(), NoRandomness> + Send + Sync;

/// The system gives no random numbers; nothing secret can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers; nothing secret can be made")]
pub struct NoRandomness;

impl Clock {
    /// A clock that asks the given function.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The moment, to the millisecond: finer parts would be lost in the database.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let now = (self.0)();
        Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now)
    }
}

impl Random {
    /// The operating system's generator.
    #[must_use]
    pub fn of_system() -> Self {
        Self(Arc::new(|bytes| {
            getrandom::fill(bytes).map_err(|_| NoRandomness)
        }))
    }

    /// Fills `bytes`.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn fill(&self, bytes: &mut [u8]) -> Result<(), NoRandomness> {
        (self.0)(bytes)
    }

    /// `N` random bytes.
    ///
    /// # Errors
    /// The system gives no random numbers.
    pub fn bytes<const N: usize>(&self) -> Result<[u8; N], NoRandomness> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }
}
