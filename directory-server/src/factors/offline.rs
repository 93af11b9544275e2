//! Codes that hosts accepted while they were cut off: burnt when the host's event arrives. The same
//! one a second time is an alarm, and the account is marked until an administrator has looked.

use policy::FactorKind;
use serde_json::Value;
use sqlx::SqliteConnection;

use super::check::{advance, spend, spend_backup_code};
use crate::audit::{Draft, Severity};

/// An answer is given up after two seconds; the rest is what clocks may be off.
const SAME_USE_MS: i64 = 60_000;

/// Burns what an `auth.mfa_offline` event says. Returns the alarm where it was burnt before.
pub(crate) async fn burn_offline(
    database: &mut SqliteConnection,
    (user, host): ((&str, &str), (&str, &str)),
    details: &Value,
    (used_at, now): (i64, i64),
) -> Result<Option<Draft>, sqlx::Error> {
    let text = |name: &str| {
        details
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (device, tier) = (text("device"), text("tier"));
    let place = (host.0, now);
    let (kind, fresh) = if tier == "backup-code" {
        let owned = owns(database, "backup_codes", device, user.0).await?;
        let fresh = !owned
            || spend_backup_code(database, device, place, true).await?
            || is_same_use(database, Spent::BackupCode(device), host.0, used_at).await?;
        (FactorKind::BackupCode, fresh)
    } else {
        let step = details.get("step").and_then(Value::as_u64);
        // A step that is not there yet would lock its owner out.
        let step = step.filter(|step| tier == "check-bits" && *step <= newest_step(now));
        let owned = owns(database, "mfa_devices", device, user.0).await?;
        let fresh = match step.filter(|_| owned) {
            Some(step) => {
                advance(database, device, step, now).await?;
                let code = step.to_string();
                spend(database, (device, &code), place, true).await?
                    || is_same_use(database, Spent::Step(device, &code), host.0, used_at).await?
            }
            None => true,
        };
        (FactorKind::Totp, fresh)
    };
    if fresh {
        return Ok(None);
    }
    mark(database, user.0, now).await?;
    let kind = serde_json::to_value(kind).unwrap_or_default();
    Ok(Some(
        Draft::new("mfa.used_twice")
            .target("user", user.0, user.1)
            .host(host.0, host.1)
            .severity(Severity::Critical)
            .detail("method", kind)
            .detail("device", device),
    ))
}

enum Spent<'a> {
    Step(&'a str, &'a str),
    BackupCode(&'a str),
}

/// Whether this host has asked here, never heard the yes, and then decided by itself: a host writes
/// down what it was told, so it cannot take the same code by itself after it heard. True once.
async fn is_same_use(
    database: &mut SqliteConnection,
    spent: Spent<'_>,
    host: &str,
    used_at: i64,
) -> Result<bool, sqlx::Error> {
    let query = match spent {
        Spent::Step(..) => {
            "UPDATE spent_codes SET offline = 1 WHERE device_id = $1 AND code = $2
               AND used_on = $3 AND offline = 0 AND used_at BETWEEN $4 AND $5"
        }
        Spent::BackupCode(_) => {
            "UPDATE backup_codes SET used_offline = 1 WHERE id = $1 AND '' = $2
               AND used_on = $3 AND used_offline = 0 AND used_at BETWEEN $4 AND $5"
        }
    };
    let (device, code) = match spent {
        Spent::Step(device, code) => (device, code),
        Spent::BackupCode(id) => (id, ""),
    };
    let marked = sqlx::query(query)
        .bind(device)
        .bind(code)
        .bind(host)
        .bind(used_at.saturating_sub(SAME_USE_MS))
        .bind(used_at.saturating_add(SAME_USE_MS))
        .execute(database)
        .await?;
    Ok(marked.rows_affected() == 1)
}

/// One step early is what a clock may be off.
fn newest_step(now: i64) -> u64 {
    now.max(0).unsigned_abs() / 1000 / signed_bundle::STEP_SECONDS + 1
}

/// A host can burn only what belongs to the person it speaks of.
async fn owns(
    database: &mut SqliteConnection,
    table: &'static str,
    device: &str,
    user: &str,
) -> Result<bool, sqlx::Error> {
    let query = if table == "backup_codes" {
        "SELECT COUNT(*) FROM backup_codes WHERE id = $1 AND user_id = $2"
    } else {
        "SELECT COUNT(*) FROM mfa_devices WHERE id = $1 AND user_id = $2"
    };
    let found: i64 = sqlx::query_scalar(query)
        .bind(device)
        .bind(user)
        .fetch_one(database)
        .await?;
    Ok(found == 1)
}

async fn mark(database: &mut SqliteConnection, user: &str, now: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "INSERT INTO factor_tries
           (user_id, window_began, tries, locked_until, locks, locked_at, used_twice_at)
         VALUES ($1, 0, 0, 0, 0, 0, $2)
         ON CONFLICT (user_id) DO UPDATE SET used_twice_at = $2",
    )
    .bind(user)
    .bind(now)
    .execute(database)
    .await
    .map(drop)
}
