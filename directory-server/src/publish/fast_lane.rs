//! Revocations that must not wait: whatever waits in `fast_lane` is signed and sent on all open
//! streams. A message is made of its row alone, so signing it again after a crash gives the same
//! bytes.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use signed_bundle::{FastAction, FastMessage};
use sqlx::FromRow;

use super::PublishError;
use crate::keys::SigningKeys;
use crate::state::AppState;

/// What rows of this kind ask for; their subject is a user.
pub(crate) const SUSPEND_USER: &str = "suspend_user";

/// Reports of what is in force look back this far.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(24 * 30);

/// A row of `fast_lane`, which is all that a message is made of.
#[derive(FromRow)]
pub(crate) struct Row {
    pub(crate) sequence: i64,
    verb: String,
    subject: String,
    created_at: i64,
}

/// Every message after this sequence, whether it has been sent already or is about to be.
pub(crate) async fn after(app: &AppState, sequence: i64) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(
        "SELECT sequence, verb, subject, created_at FROM fast_lane
         WHERE sequence > $1 ORDER BY sequence",
    )
    .bind(sequence)
    .fetch_all(app.store.read())
    .await
}

/// Signs, sends and then stores every message that waits: sending is what is urgent, and the row
/// itself is durable already.
pub(super) async fn send_pending(app: &AppState, keys: &SigningKeys) -> Result<(), PublishError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT sequence, verb, subject, created_at FROM fast_lane
         WHERE message IS NULL ORDER BY sequence",
    )
    .fetch_all(app.store.read())
    .await?;
    if rows.is_empty() {
        return Ok(());
    }
    let signed: Vec<(i64, Arc<str>)> = rows
        .iter()
        .map(|row| (row.sequence, sign(keys, row).into()))
        .collect();
    for (sequence, text) in &signed {
        // Nobody listens: hosts that come later get it from the database.
        let _ = app
            .fast_lane
            .send((sequence.unsigned_abs(), Arc::clone(text)));
    }
    let mut tx = app.store.write().await?;
    for (sequence, text) in &signed {
        sqlx::query("UPDATE fast_lane SET message = $1 WHERE sequence = $2")
            .bind(text.as_ref())
            .bind(sequence)
            .execute(&mut *tx)
            .await?;
    }
    Ok(tx.commit().await?)
}

/// Forgets old messages that are part of the bundle in force on every host. The newest one always
/// stays: its number is where the next begins. Returns how many went.
///
/// # Errors
/// The database fails.
pub(super) async fn forget_old(app: &AppState) -> Result<u64, PublishError> {
    let before = app.clock.now().checked_sub(KEPT_FOR)?.as_millisecond();
    let mut tx = app.store.write().await?;
    let gone = sqlx::query(
        "DELETE FROM fast_lane
         WHERE message IS NOT NULL AND created_at < $1
           AND sequence < (SELECT MAX(sequence) FROM fast_lane)
           AND sequence <= (SELECT COALESCE(MIN(covered), 9223372036854775807) FROM
             (SELECT COALESCE((SELECT MAX(fast_lane_sequence) FROM manifests
                               WHERE host_id = hosts.id AND version <= acked_version), 0)
                     AS covered
              FROM hosts WHERE state IN ('active', 'quarantined')) AS each_host)",
    )
    .bind(before)
    .execute(&mut *tx)
    .await?
    .rows_affected();
    tx.commit().await?;
    Ok(gone)
}

/// The signed message of a row, as it travels: in base64.
pub(crate) fn sign(keys: &SigningKeys, row: &Row) -> String {
    let action = match row.verb.as_str() {
        SUSPEND_USER => FastAction::SuspendUser {
            user: row.subject.clone(),
        },
        verb => FastAction::Unknown {
            verb: verb.to_owned(),
        },
    };
    BASE64_STANDARD.encode(keys.fast_message(&FastMessage {
        organisation: keys.root().organisation.clone(),
        sequence: row.sequence.unsigned_abs(),
        issued: Timestamp::from_millisecond(row.created_at).unwrap_or_default(),
        action,
    }))
}
