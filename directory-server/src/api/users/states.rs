//! The life of a user: staged, active, suspended, deleted. Suspension rides the fast lane.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::rest::UserReason;

use super::{UserRow, keep_an_owner};
use crate::act::Act;
use crate::audit::{Draft, Severity};
use crate::factors::{self, step_up};
use crate::http::{Call, OptionalBody, Refused};
use crate::publish::fast_lane::SUSPEND_USER;
use crate::state::AppState;

pub(super) async fn activate(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    OptionalBody(body): OptionalBody<UserReason>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = UserRow::find_to_change(act.database(), &id, &call.caller).await?;
    call.check_version(row.version)?;
    if row.state != "active" {
        set_state(&mut act, &row, "active").await?;
        act.record(draft("user.activated", &row, &body)).await?;
    }
    finish(act, &row.id).await
}

pub(super) async fn suspend(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    OptionalBody(body): OptionalBody<UserReason>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = UserRow::find_to_change(act.database(), &id, &call.caller).await?;
    call.check_version(row.version)?;
    if row.state == "staged" {
        return Err(Refused::conflict(
            "A staged user is on no host; delete or activate them.",
        ));
    }
    if row.state != "suspended" {
        suspend_at_once(&mut act, &row).await?;
        let draft = draft("user.suspended", &row, &body);
        act.record(draft.severity(Severity::Notice)).await?;
    }
    finish(act, &row.id).await
}

/// Suspends and takes sessions, tokens and keys, in one transaction.
pub(super) async fn offboard(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    OptionalBody(body): OptionalBody<UserReason>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    step_up::require_where_enrolled(act.database(), &call.caller, call.now_ms()).await?;
    let row = UserRow::find_to_change(act.database(), &id, &call.caller).await?;
    call.check_version(row.version)?;
    suspend_at_once(&mut act, &row).await?;
    let taken = sqlx::query("DELETE FROM ssh_keys WHERE user_id = $1")
        .bind(&row.id)
        .execute(act.database())
        .await?
        .rows_affected();
    sqlx::query("DELETE FROM role_assignments WHERE user_id = $1")
        .bind(&row.id)
        .execute(act.database())
        .await?;
    let draft = draft("user.offboarded", &row, &body).detail("ssh_keys_removed", taken);
    act.record(draft.severity(Severity::Notice)).await?;
    finish(act, &row.id).await
}

pub(super) async fn unlock(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    OptionalBody(body): OptionalBody<UserReason>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = UserRow::find_to_change(act.database(), &id, &call.caller).await?;
    call.check_version(row.version)?;
    lift_locks(&mut act, &row.id).await?;
    act.record(draft("user.unlocked", &row, &body)).await?;
    finish(act, &row.id).await
}

/// Of passwords and of codes.
pub(crate) async fn lift_locks(act: &mut Act<'_>, id: &str) -> Result<(), Refused> {
    sqlx::query(
        "UPDATE users SET locked_until = NULL, failed_logins = 0, first_failed_at = NULL
         WHERE id = $1",
    )
    .bind(id)
    .execute(act.database())
    .await?;
    Ok(factors::unlock(act.database(), id).await?)
}

/// A tombstone stays: name and uid are never given out again.
pub(super) async fn delete(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = UserRow::find_to_change(act.database(), &id, &call.caller).await?;
    call.require_version(row.version)?;
    keep_an_owner(act.database(), &row.id).await?;
    if row.state == "active" {
        act.send_at_once(SUSPEND_USER, &row.id).await?;
    }
    set_state(&mut act, &row, "deleted").await?;
    forget_credentials(&mut act, &row.id).await?;
    let now = act.now_ms();
    sqlx::query(
        "UPDATE users SET deleted_at = $2, password_verifier = NULL, password_set_at = NULL
         WHERE id = $1",
    )
    .bind(&row.id)
    .bind(now)
    .execute(act.database())
    .await?;
    for statement in [
        "DELETE FROM ssh_keys WHERE user_id = $1",
        "DELETE FROM password_history WHERE user_id = $1",
        "DELETE FROM group_users WHERE user_id = $1",
        "DELETE FROM role_assignments WHERE user_id = $1",
    ] {
        sqlx::query(statement)
            .bind(&row.id)
            .execute(act.database())
            .await?;
    }
    let draft = Draft::new("user.deleted").target("user", &row.id, &row.username);
    act.record(draft.severity(Severity::Notice)).await?;
    act.finish_empty().await
}

/// Suspends on the fast lane and ends everything the user is signed in with.
pub(crate) async fn suspend_at_once(act: &mut Act<'_>, row: &UserRow) -> Result<(), Refused> {
    keep_an_owner(act.database(), &row.id).await?;
    set_state(act, row, "suspended").await?;
    forget_credentials(act, &row.id).await?;
    act.send_at_once(SUSPEND_USER, &row.id).await
}

/// Ends sessions and tokens of a user.
pub(super) async fn forget_credentials(act: &mut Act<'_>, id: &str) -> Result<(), Refused> {
    for statement in [
        "DELETE FROM sessions WHERE user_id = $1",
        "DELETE FROM api_tokens WHERE user_id = $1",
    ] {
        sqlx::query(statement)
            .bind(id)
            .execute(act.database())
            .await?;
    }
    Ok(())
}

pub(crate) async fn set_state(
    act: &mut Act<'_>,
    row: &UserRow,
    state: &str,
) -> Result<(), Refused> {
    let now = act.now_ms();
    sqlx::query(
        "UPDATE users SET state = $2, updated_at = $3, version = version + 1 WHERE id = $1",
    )
    .bind(&row.id)
    .bind(state)
    .bind(now)
    .execute(act.database())
    .await?;
    act.touch_user(&row.id);
    Ok(())
}

fn draft(kind: &str, row: &UserRow, body: &UserReason) -> Draft {
    Draft::new(kind)
        .target("user", &row.id, &row.username)
        .detail("previous_state", row.state.clone())
        .detail("reason", body.reason.clone())
}

async fn finish(mut act: Act<'_>, id: &str) -> Result<Response, Refused> {
    let row = UserRow::find(act.database(), id).await?;
    let user = row.shown(act.database()).await?;
    act.finish(StatusCode::OK, &user, Some(row.version)).await
}
