//! Somebody's phone with an authenticator app: its codes at the time of day, none of them twice.

use crate::command::OrFail;
use crate::wait::{eventually, seconds_now};
use std::cell::Cell;
use std::fmt;
use std::time::Duration;
use totp_rs::Totp;

const STEP_SECONDS: u64 = 30;

/// A phone whose app was given a key.
pub struct Phone {
    codes: Totp,
    shown: Cell<u64>,
}

impl fmt::Debug for Phone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Phone")
    }
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
            codes: Totp::from_url(address).or_fail("read the key of an authenticator"),
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
        self.codes.generate(next * STEP_SECONDS).to_string()
    }
}
