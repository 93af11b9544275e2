//! The lock after too many wrong answers. It stops passwords and codes, never keys, so that nobody
//! can lock a colleague out of everything by guessing; hence it is no step of `decide`.

use jiff::Timestamp;

use crate::Person;

/// Passwords and codes are refused for a while.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "Too many wrong passwords or codes. Passwords work again at {until}; keys work now. \
     An admin or the help desk can unlock the account sooner."
)]
pub struct Locked {
    /// When the lock ends.
    pub until: Timestamp,
}

/// Whether a password or code of this person may be tried at all. It says nothing about access.
///
/// # Errors
/// [`Locked`] while the lock lasts; its text tells the person what to do.
pub fn password_allowed(person: &Person, now: Timestamp) -> Result<(), Locked> {
    match person.locked_until {
        Some(until) if now < until => Err(Locked { until }),
        _ => Ok(()),
    }
}
