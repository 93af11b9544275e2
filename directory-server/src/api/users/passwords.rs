//! Passwords that administrators set, and verifiers that imports bring along.

use axum::extract::{Path, State};
use axum::response::Response;
use directory_api::rest::PasswordReset;

use super::UserRow;
use super::resets::{What, admitted, not_oneself};
use crate::act::Act;
use crate::audit::{Draft, Severity};
use crate::http::{Body, Call, Refused};
use crate::notices;
use crate::password::{Wish, importable, verifier_for};
use crate::state::AppState;

/// The longest history that a policy can ask for.
const HISTORY_KEPT: i64 = 24;

/// A verifier on its way into the database.
pub(crate) struct Stored<'a> {
    pub(crate) user: &'a str,
    pub(crate) verifier: &'a str,
    pub(crate) must_change: bool,
    /// The session that stays; all others end.
    pub(crate) keep_session: &'a str,
}

pub(super) async fn reset(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    Body(reset): Body<PasswordReset>,
) -> Result<Response, Refused> {
    // Hashing takes long; it must not happen while other writers wait.
    let mut snapshot = state.store.snapshot().await?;
    let row = UserRow::find_to_change(&mut snapshot, &id, &call.caller).await?;
    drop(snapshot);
    not_oneself(&call, &row, What::Password)?;
    let verifier = match (&reset.password, &reset.verifier) {
        (Some(password), None) => {
            let wish = Wish {
                user: &row.id,
                names: &row.names(),
                password: password.expose(),
            };
            verifier_for(&state, wish).await?
        }
        (None, Some(verifier)) if importable(verifier.expose()) => verifier.expose().to_owned(),
        (None, Some(_)) => {
            return Err(Refused::invalid(
                "verifier",
                "The verifier must be $argon2id$, $6$, $y$ or $2b$ with a bearable cost.",
            ));
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(Refused::invalid(
                "password",
                "Give either password or verifier.",
            ));
        }
    };
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = UserRow::find_to_change(act.database(), &row.id, &call.caller).await?;
    let mut act = admitted(act, &call, &row, What::Password).await?;
    store_verifier(
        &mut act,
        &Stored {
            user: &row.id,
            verifier: &verifier,
            must_change: reset.must_change,
            keep_session: "",
        },
    )
    .await?;
    // It may have been in other hands, and so may whatever those hands have made with it.
    let tokens = sqlx::query("DELETE FROM api_tokens WHERE user_id = $1")
        .bind(&row.id)
        .execute(act.database())
        .await?
        .rows_affected();
    act.record(
        Draft::new("user.password_reset")
            .target("user", &row.id, &row.username)
            .detail("imported", reset.verifier.is_some())
            .detail("must_change", reset.must_change)
            .detail("tokens_ended", tokens)
            .severity(Severity::Notice),
    )
    .await?;
    act.finish_empty().await
}

/// Stores the verifier of a password that its owner has chosen, and writes that down; at a host if it
/// was chosen there (its id and name).
pub(crate) async fn store_chosen(
    act: &mut Act<'_>,
    user: &UserRow,
    (verifier, keep_session): (&str, &str),
    host: Option<(&str, &str)>,
) -> Result<(), Refused> {
    let stored = Stored {
        user: &user.id,
        verifier,
        must_change: false,
        keep_session,
    };
    store_verifier(act, &stored).await?;
    let draft = Draft::new("user.password_set").target("user", &user.id, &user.username);
    act.record(match host {
        Some((id, name)) => draft.host(id, name),
        None => draft,
    })
    .await
}

/// Stores a verifier, lifts a lock, and ends the user's other sessions.
pub(crate) async fn store_verifier(act: &mut Act<'_>, stored: &Stored<'_>) -> Result<(), Refused> {
    let now = act.now_ms();
    let replaced = sqlx::query(
        "INSERT INTO password_history (user_id, verifier, replaced_at)
         SELECT id, password_verifier, $2 FROM users
         WHERE id = $1 AND password_verifier IS NOT NULL ON CONFLICT DO NOTHING",
    )
    .bind(stored.user)
    .bind(now)
    .execute(act.database())
    .await?;
    if replaced.rows_affected() > 0 {
        notices::tell(act, stored.user, "the password was changed").await?;
    }
    sqlx::query(
        "DELETE FROM password_history WHERE user_id = $1 AND verifier NOT IN (
           SELECT verifier FROM password_history WHERE user_id = $1
           ORDER BY replaced_at DESC LIMIT $2)",
    )
    .bind(stored.user)
    .bind(HISTORY_KEPT)
    .execute(act.database())
    .await?;
    sqlx::query(
        "UPDATE users SET password_verifier = $2, password_set_at = $3, password_must_change = $4,
           failed_logins = 0, first_failed_at = NULL, locked_until = NULL,
           updated_at = $3, version = version + 1
         WHERE id = $1",
    )
    .bind(stored.user)
    .bind(stored.verifier)
    .bind(now)
    .bind(i64::from(stored.must_change))
    .execute(act.database())
    .await?;
    sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND id <> $2")
        .bind(stored.user)
        .bind(stored.keep_session)
        .execute(act.database())
        .await?;
    sqlx::query("DELETE FROM sign_ins WHERE user_id = $1")
        .bind(stored.user)
        .execute(act.database())
        .await?;
    act.touch_user(stored.user);
    Ok(())
}
