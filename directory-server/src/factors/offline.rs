//! Codes that hosts accepted while they were cut off: burnt when the host's event arrives. The same
//! one a second time is an alarm, and the account is marked until an administrator has looked.

use policy::FactorKind;
use serde_json::Value;
use sqlx::SqliteConnection;

use super::check::{advance, spend, spend_backup_code};
use crate::audit::{Draft, Severity};

/// Burns what an `auth.mfa_offline` event says. Returns the alarm where it was burnt before.
pub(crate) async fn burn_offline(
    database: &mut SqliteConnection,
    (user, host): ((&str, &str), (&str, &str)),
    details: &Value,
    now: i64,
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
        let fresh = !owned || spend_backup_code(database, device, place).await?;
        (FactorKind::BackupCode, fresh)
    } else {
        let step = details.get("step").and_then(Value::as_u64);
        // A step that is not there yet would lock its owner out.
        let step = step.filter(|step| tier == "check-bits" && *step <= newest_step(now));
        let owned = owns(database, "mfa_devices", device, user.0).await?;
        let fresh = match step.filter(|_| owned) {
            Some(step) => {
                advance(database, device, step, now).await?;
                spend(database, (device, &step.to_string()), place).await?
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
