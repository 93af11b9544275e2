//! Proving anew, within a session, that it is still its owner: whoever finds an open session must
//! not be able to change what proves a person. Somebody with a second factor proves one of those;
//! somebody without proves the password.

use axum::http::StatusCode;
use sqlx::SqliteConnection;

use super::{Asked, Limit, Proven, check, enrolled, factors_at};
use crate::api::password_proven;
use crate::api::users::UserRow;
use crate::http::{Call, Caller, Refused};
use crate::state::AppState;

/// How long a proof counts.
const COUNTS_FOR_MS: i64 = 5 * 60_000;

/// Proves one of the caller's own factors, and notes it for this session. The code is burnt.
///
/// # Errors
/// As [`check`].
pub(crate) async fn prove(state: &AppState, call: &Call, code: &str) -> Result<Proven, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let user = UserRow::find(&mut snapshot, &call.caller.user_id).await?;
    let kinds = enrolled(&mut snapshot, &user.id).await?;
    let place = ("console", call.origin.source);
    let policy = factors_at(&mut snapshot, None, place).await?;
    drop(snapshot);
    let asked = Asked {
        user: (&user).into(),
        typed: code,
        kinds: &kinds,
        limit: Limit {
            tries: policy.code_tries,
            lock_seconds: policy.code_lock_seconds,
        },
        service: "console",
        host: None,
    };
    let proven = check(state, &call.origin, asked).await?;
    let mut writing = state.store.write().await?;
    note_factor(&mut writing, &call.caller.credential_id, call.now_ms()).await?;
    writing.commit().await?;
    Ok(proven)
}

/// Proves the caller's password, and notes it for this session.
///
/// # Errors
/// It is wrong, or there were too many tries.
pub(crate) async fn prove_password(
    state: &AppState,
    call: &Call,
    password: &str,
) -> Result<(), Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let user = UserRow::find(&mut snapshot, &call.caller.user_id).await?;
    drop(snapshot);
    password_proven(state, &call.origin, &user, password).await?;
    let mut writing = state.store.write().await?;
    sqlx::query("UPDATE sessions SET password_proven_at = $2 WHERE id = $1")
        .bind(&call.caller.credential_id)
        .bind(call.now_ms())
        .execute(&mut *writing)
        .await?;
    writing.commit().await?;
    Ok(())
}

/// Notes that a factor was proven in this session.
///
/// # Errors
/// The database fails.
pub(crate) async fn note_factor(
    database: &mut SqliteConnection,
    session: &str,
    now_ms: i64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE sessions SET factor_proven_at = $2 WHERE id = $1")
        .bind(session)
        .bind(now_ms)
        .execute(database)
        .await
        .map(drop)
}

/// Refuses a change of what proves the caller, unless they have proven within the last minutes that
/// it is them: by a factor, or by the password (signing in counts) where they have none.
///
/// # Errors
/// `step_up_required`; its field says what to prove.
pub(crate) async fn require(
    database: &mut SqliteConnection,
    caller: &Caller,
    now_ms: i64,
) -> Result<(), Refused> {
    if caller.scopes.is_some() {
        return Err(Refused::forbidden(
            "A program cannot prove that it is a person; sign in as one.",
        ));
    }
    if has_factor(database, caller).await? {
        require_factor(database, caller, now_ms).await
    } else {
        let times = times(database, caller).await?;
        if times.is_some_and(|(signed_in, password, _)| {
            fresh(Some(signed_in), now_ms) || fresh(password, now_ms)
        }) {
            return Ok(());
        }
        Err(step_up("password", "Type your password once more."))
    }
}

/// The same where nothing is asked of those who have no factor, and of programs, which have none.
///
/// # Errors
/// `step_up_required`.
pub(crate) async fn require_where_enrolled(
    database: &mut SqliteConnection,
    caller: &Caller,
    now_ms: i64,
) -> Result<(), Refused> {
    if caller.scopes.is_none() && has_factor(database, caller).await? {
        require_factor(database, caller, now_ms).await
    } else {
        Ok(())
    }
}

async fn has_factor(database: &mut SqliteConnection, caller: &Caller) -> Result<bool, Refused> {
    Ok(!enrolled(database, &caller.user_id).await?.is_empty())
}

async fn require_factor(
    database: &mut SqliteConnection,
    caller: &Caller,
    now_ms: i64,
) -> Result<(), Refused> {
    let times = times(database, caller).await?;
    if times.is_some_and(|(_, _, factor)| fresh(factor, now_ms)) {
        return Ok(());
    }
    Err(step_up(
        "code",
        "Prove one of your second factors; a backup code will do.",
    ))
}

/// When the session began, and when password and factor were proven in it; a program has none.
async fn times(
    database: &mut SqliteConnection,
    caller: &Caller,
) -> Result<Option<(i64, Option<i64>, Option<i64>)>, Refused> {
    Ok(sqlx::query_as(
        "SELECT created_at, password_proven_at, factor_proven_at FROM sessions
         WHERE id = $1 AND user_id = $2",
    )
    .bind(&caller.credential_id)
    .bind(&caller.user_id)
    .fetch_optional(database)
    .await?)
}

/// A clock that went back makes no proof fresher.
fn fresh(proven: Option<i64>, now_ms: i64) -> bool {
    proven.is_some_and(|at| (0..COUNTS_FOR_MS).contains(&now_ms.saturating_sub(at)))
}

fn step_up(what: &str, detail: &str) -> Refused {
    let hint = format!("POST /api/v1/auth/step-up with the {what}, then repeat the call.");
    Refused::new(StatusCode::FORBIDDEN, "step_up_required", detail)
        .field(what, "step_up_required")
        .hint(hint)
}
