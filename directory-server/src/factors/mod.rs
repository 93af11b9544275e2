//! Second factors: time-based codes, YubiKeys and backup codes. Enrolled by the person, checked and
//! burnt here once for the whole organisation. Seeds are encrypted under a key of their own and
//! leave this server only as the QR code that enrols them; hosts get ten bits of each coming code.

mod backup_codes;
mod check;
mod devices;
mod effective;
mod enrol;
mod offline;
mod policies;
mod proofs;
mod seed_key;
mod settings;
pub(crate) mod step_up;
mod throttle;
mod totp;
mod upkeep;
mod yubikey;

pub use backup_codes::NewBackupCodes;
pub(crate) use backup_codes::{backup_codes_of, confirm_backup_codes, is_backup_code};
pub use check::{Asked, Proven, check};
pub(crate) use devices::codes_of;
pub use devices::{Device, devices_of, enrolled, remove, remove_all};
pub(crate) use effective::effective;
pub use enrol::{TotpBegun, add_yubikey, begin_totp, confirm_totp, yubikey_of};
pub(crate) use offline::burn_offline;
pub use policies::{StoredPolicy, Unreadable, factors_at, load as load_policies};
pub(crate) use proofs::Proofs;
pub(crate) use seed_key::SeedCipher;
pub use seed_key::SeedKey;
pub(crate) use settings::{policy_of, settings_of};
pub(crate) use throttle::standing;
pub use throttle::{Limit, unlock};
pub use upkeep::forget_spent_codes;
pub use yubikey::YubiKeys;

use crate::api::users::UserRow;
use crate::http::Refused;
use axum::http::StatusCode;

/// Whose factors they are.
#[derive(Debug, Clone, Copy)]
pub struct Whose<'a> {
    /// `usr_…`
    pub id: &'a str,
    /// Login name.
    pub name: &'a str,
}

impl<'a> From<&'a UserRow> for Whose<'a> {
    fn from(user: &'a UserRow) -> Self {
        Self {
            id: &user.id,
            name: &user.username,
        }
    }
}

fn wrong() -> Refused {
    Refused::new(StatusCode::UNAUTHORIZED, "code_wrong", "The code is wrong.")
        .hint("Wait for the next code and type that; see that the device's clock is right.")
}

/// What is told to somebody who is signed in: there, 401 would mean that the session is over.
pub(crate) fn in_a_session(refused: Refused) -> Refused {
    if refused.status() == StatusCode::UNAUTHORIZED && refused.code() == "code_wrong" {
        refused.with_status(StatusCode::FORBIDDEN)
    } else {
        refused
    }
}

fn used() -> Refused {
    let detail = "This code was used already.";
    Refused::new(StatusCode::CONFLICT, "code_used", detail).hint("Wait for the next one.")
}
