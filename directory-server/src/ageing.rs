//! What time does to people, where the password policy says so: passwords that are too old must be
//! changed, and whoever has shown no sign of life for long is suspended.

use crate::act::Act;
use crate::api::users::{UserRow, keep_an_owner, suspend_at_once};
use crate::audit::{Draft, Severity};
use crate::http::{Origin, Refused};
use crate::password::{Policy, StoredPolicy};
use crate::state::AppState;

/// At most so many at a time: what a mistyped policy does can still be stopped.
const AT_ONCE_MAX: i64 = 50;

/// Marks the passwords that are too old. Returns how many.
///
/// # Errors
/// The database fails.
pub async fn age_passwords(state: &AppState) -> Result<usize, Refused> {
    let Some(age_s) = policy(state).await?.max_age_s else {
        return Ok(0);
    };
    let origin = Origin::of_system(state.clock.now());
    let mut act = Act::begin(state, &origin).await?;
    let before = act.now_ms().saturating_sub(age_s.saturating_mul(1000));
    let aged: Vec<(String, String)> = sqlx::query_as(
        "UPDATE users SET password_must_change = 1, version = version + 1
         WHERE password_must_change = 0 AND password_verifier IS NOT NULL
           AND password_set_at <= $1 AND state IN ('active', 'suspended')
         RETURNING id, username",
    )
    .bind(before)
    .fetch_all(act.database())
    .await?;
    for (id, name) in &aged {
        act.record(Draft::new("user.password_expired").target("user", id, name))
            .await?;
        act.touch_user(id);
    }
    if !aged.is_empty() {
        act.finish_empty().await?;
    }
    Ok(aged.len())
}

/// Suspends people who were not heard of for as long as the policy says. Returns how many. The last
/// owner stays, whatever the policy says.
///
/// # Errors
/// The database fails.
pub async fn suspend_inactive(state: &AppState) -> Result<usize, Refused> {
    let Some(after_s) = policy(state).await?.suspend_inactive_after_s else {
        return Ok(0);
    };
    let origin = Origin::of_system(state.clock.now());
    let mut act = Act::begin(state, &origin).await?;
    let before = act.now_ms().saturating_sub(after_s.saturating_mul(1000));
    let quiet: Vec<String> = sqlx::query_scalar(
        "SELECT id FROM users WHERE state = 'active' AND created_at <= $1 AND updated_at <= $1
           AND COALESCE(last_login_at, 0) <= $1 AND COALESCE(password_set_at, 0) <= $1
           AND NOT EXISTS (SELECT 1 FROM events WHERE target_id = users.id AND time > $1
             AND kind IN ('auth.login', 'session.opened'))
         ORDER BY id LIMIT $2",
    )
    .bind(before)
    .bind(AT_ONCE_MAX)
    .fetch_all(act.database())
    .await?;
    let mut suspended = 0;
    for id in quiet {
        if keep_an_owner(act.database(), &id).await.is_err() {
            continue;
        }
        let row = UserRow::find(act.database(), &id).await?;
        suspend_at_once(&mut act, &row).await?;
        let draft = Draft::new("user.suspended")
            .target("user", &row.id, &row.username)
            .detail("reason", "inactive");
        act.record(draft.severity(Severity::Notice)).await?;
        suspended += 1;
    }
    if suspended > 0 {
        act.finish_empty().await?;
    }
    Ok(suspended)
}

async fn policy(state: &AppState) -> Result<Policy, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let stored = StoredPolicy::load(&mut snapshot).await?;
    let floor = state.config.password.min_length;
    Ok(Policy::of(&stored.settings, floor))
}
