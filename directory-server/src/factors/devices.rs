//! What somebody has enrolled.

use std::collections::BTreeSet;

use directory_api::rest::MfaDevice;
use policy::FactorKind;
use sqlx::SqliteConnection;

use super::Whose;
use super::seed_key::{Owner, SeedCipher};
use super::totp::Codes;
use crate::act::Act;
use crate::api::time;
use crate::audit::{Draft, Severity};
use crate::http::Refused;
use crate::notices;

/// One enrolled device.
#[derive(Debug, Clone, sqlx::FromRow)]
pub struct Device {
    /// `mfa_…`
    pub id: String,
    /// `usr_…`
    pub user_id: String,
    /// `totp` or `yubikey-otp`
    pub kind: String,
    /// As its owner calls it.
    pub name: String,
    pub(super) seed: Option<String>,
    pub(super) public_id: Option<String>,
    pub(super) last_step: i64,
    /// When it was proven to work, in milliseconds.
    pub confirmed_at: Option<i64>,
    /// When a code of it was last accepted.
    pub last_used_at: Option<i64>,
    /// When it was enrolled.
    pub created_at: i64,
}

impl Device {
    /// By its id.
    pub(crate) async fn find(
        database: &mut SqliteConnection,
        id: &str,
    ) -> Result<Self, sqlx::Error> {
        sqlx::query_as("SELECT * FROM mfa_devices WHERE id = $1")
            .bind(id)
            .fetch_one(database)
            .await
    }

    /// As the API shows it.
    pub(crate) fn shown(&self) -> MfaDevice {
        MfaDevice {
            id: self.id.clone(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            created_at: time(self.created_at),
            confirmed_at: self.confirmed_at.map(time),
            last_used_at: self.last_used_at.map(time),
        }
    }
}

/// Somebody's devices, the unconfirmed too.
///
/// # Errors
/// The database fails.
pub async fn devices_of(
    database: &mut SqliteConnection,
    user: &str,
) -> Result<Vec<Device>, sqlx::Error> {
    sqlx::query_as("SELECT * FROM mfa_devices WHERE user_id = $1 ORDER BY id")
        .bind(user)
        .fetch_all(database)
        .await
}

/// The kinds of codes that somebody can prove.
///
/// # Errors
/// The database fails.
pub async fn enrolled(
    database: &mut SqliteConnection,
    user: &str,
) -> Result<BTreeSet<FactorKind>, sqlx::Error> {
    let kinds: Vec<String> = sqlx::query_scalar(
        "SELECT kind FROM mfa_devices WHERE user_id = $1 AND confirmed_at IS NOT NULL
         UNION SELECT 'backup-code' FROM backup_codes WHERE user_id = $1 AND used_at IS NULL",
    )
    .bind(user)
    .fetch_all(database)
    .await?;
    Ok(kinds.iter().filter_map(|kind| kind_of(kind)).collect())
}

pub(super) fn kind_of(kind: &str) -> Option<FactorKind> {
    match kind {
        "totp" => Some(FactorKind::Totp),
        "yubikey-otp" => Some(FactorKind::YubikeyOtp),
        "backup-code" => Some(FactorKind::BackupCode),
        _ => None,
    }
}

/// The codes of a TOTP device.
///
/// # Errors
/// Its seed does not open.
pub(crate) fn codes_of(cipher: &SeedCipher, device: &Device) -> Result<Codes, Refused> {
    let owner = Owner {
        device: &device.id,
        user: &device.user_id,
    };
    let sealed = device.seed.as_deref().unwrap_or_default();
    Codes::of(&cipher.open(sealed, owner)?, "cloudid", &device.name)
}

/// Takes a device away.
///
/// # Errors
/// This person has no such device.
pub async fn remove(act: &mut Act<'_>, user: Whose<'_>, device: &str) -> Result<Device, Refused> {
    let row: Device =
        sqlx::query_as("SELECT * FROM mfa_devices WHERE user_id = $1 AND (id = $2 OR name = $2)")
            .bind(user.id)
            .bind(device)
            .fetch_optional(act.database())
            .await?
            .ok_or_else(|| Refused::not_found("second factor"))?;
    sqlx::query("DELETE FROM mfa_devices WHERE id = $1")
        .bind(&row.id)
        .execute(act.database())
        .await?;
    let draft = Draft::new("user.mfa_removed")
        .target("user", user.id, user.name)
        .severity(Severity::Notice)
        .detail("method", row.kind.as_str())
        .detail("name", row.name.as_str());
    act.record(draft).await?;
    act.touch_user(user.id);
    notices::tell(act, user.id, "a second factor was removed").await?;
    Ok(row)
}

/// Takes all factors away, backup codes too; how many there were.
///
/// # Errors
/// The database fails.
pub async fn remove_all(act: &mut Act<'_>, user: Whose<'_>) -> Result<u64, Refused> {
    let mut removed = 0;
    for statement in [
        "DELETE FROM mfa_devices WHERE user_id = $1",
        "DELETE FROM backup_codes WHERE user_id = $1",
    ] {
        let gone = sqlx::query(statement)
            .bind(user.id)
            .execute(act.database())
            .await?;
        removed += gone.rows_affected();
    }
    super::unlock(act.database(), user.id).await?;
    act.touch_user(user.id);
    Ok(removed)
}
