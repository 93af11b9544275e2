//! Forgets spent codes that nobody could use any more.

use crate::http::Refused;
use crate::state::AppState;

/// A device's last step keeps old codes out for ever; a spent step is kept only to see that a second
/// host reports it as well. Within a month every host that may still accept it has reported.
const KEPT_MS: i64 = 31 * 24 * 3600 * 1000;

/// Forgets. Passwords of YubiKeys are kept as long as their key is enrolled: what was used once is
/// never good again, even at a validation server that has lost its memory. Returns how many.
///
/// # Errors
/// The database fails.
pub async fn forget_spent_codes(state: &AppState) -> Result<u64, Refused> {
    let before = state.clock.now().as_millisecond().saturating_sub(KEPT_MS);
    let mut writing = state.store.write().await?;
    let gone = sqlx::query(
        "DELETE FROM spent_codes WHERE used_at < $1
           AND device_id NOT IN (SELECT id FROM mfa_devices WHERE kind = 'yubikey-otp')",
    )
    .bind(before)
    .execute(&mut *writing)
    .await?;
    writing.commit().await?;
    Ok(gone.rows_affected())
}
