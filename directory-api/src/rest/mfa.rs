//! `/me/mfa`, `/me/backup-codes` and `/auth/step-up`: the caller's own second factors.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Secret, Time};

/// A device that shows or types one-time codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MfaDevice {
    /// `mfa_…`
    pub id: String,
    /// `totp` or `yubikey-otp`
    pub kind: String,
    /// As its owner calls it.
    pub name: String,
    /// When it was enrolled.
    pub created_at: Time,
    /// When its first code was seen; until then it counts for nothing.
    pub confirmed_at: Option<Time>,
    /// When a code of it was last accepted.
    pub last_used_at: Option<Time>,
}

/// `POST /me/mfa/totp`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTotp {
    /// As its owner calls it.
    pub name: String,
}

/// A new seed, which is shown once. It counts from `POST /me/mfa/totp/{id}/confirm` on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TotpBegun {
    /// `mfa_…`
    pub id: String,
    /// The seed in base 32, for typing.
    pub secret: Secret,
    /// The same as `otpauth://…`
    pub otpauth_url: Secret,
    /// The same as a picture.
    pub qr_svg: Secret,
}

/// `POST /me/mfa/totp/{id}/confirm`, `POST /me/mfa/test`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TypedFactor {
    /// What the device shows or types, or a backup code.
    pub code: Secret,
}

/// `POST /me/mfa/yubikey`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewYubikey {
    /// As its owner calls it.
    pub name: String,
    /// A one-time password of the key: touch it once.
    pub code: Secret,
}

/// A code was right, and is burnt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MfaTested {
    /// `totp`, `yubikey-otp` or `backup-code`
    pub kind: String,
    /// Name of the device; empty for a backup code.
    pub name: String,
    /// Where it was a backup code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_codes_left: Option<u32>,
}

/// `POST /auth/step-up`: exactly one of them. Counts for this session for five minutes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StepUp {
    /// A code, for those who have enrolled a second factor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Secret>,
    /// The password, for those who have not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
}

/// `POST /me/backup-codes`: ten codes, shown once. All earlier ones are dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupCodesCreated {
    /// Each is good once.
    pub codes: Vec<Secret>,
}

/// `GET /me/backup-codes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BackupCodes {
    /// How many are unused.
    pub left: u32,
    /// When they were made; absent where there are none.
    pub created_at: Option<Time>,
    /// When their owner said that they are kept.
    pub confirmed_at: Option<Time>,
}
