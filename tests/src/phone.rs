//! Somebody's phone with an authenticator app: its codes at the time of day, none of them twice.

use crate::authenticator::{Authenticator, STEP_SECONDS};
use crate::wait::{eventually, seconds_now};
use std::cell::Cell;
use std::time::Duration;

/// A phone whose app was given a key.
#[derive(Debug)]
pub struct Phone {
    app: Authenticator,
    shown: Cell<u64>,
}

impl Phone {
    /// The key as a page shows it for typing.
    #[must_use]
    #[track_caller]
    pub fn with_key(key: &str) -> Self {
        let key = key.replace(char::is_whitespace, "");
        Self::of_address(&format!(
            "otpauth://totp/Example:somebody?secret={key}&issuer=Example"
        ))
    }

    /// The address in a QR code.
    #[must_use]
    #[track_caller]
    pub fn of_address(address: &str) -> Self {
        Self {
            app: Authenticator::of_address(address),
            shown: Cell::new(0),
        }
    }

    /// A code that is good and was not shown before; after two in a row it waits for the next, as
    /// people do. The code of the coming half minute is good already.
    #[must_use]
    pub fn code(&self) -> String {
        let step = || seconds_now() / STEP_SECONDS;
        let next = self.shown.get() + 1;
        eventually(Duration::from_secs(STEP_SECONDS), || next <= step() + 1);
        let next = next.max(step());
        self.shown.set(next);
        self.app.code(next * STEP_SECONDS, 0)
    }
}
