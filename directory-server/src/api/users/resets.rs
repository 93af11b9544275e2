//! Helping somebody who has lost a password or a second factor, without becoming them. Who may
//! change things in the directory is never reset by one person at once: a second owner says the
//! same, or a day passes in which the person, who is told, can object.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::rest::{Role, UserReason};
use sqlx::SqliteConnection;

use super::UserRow;
use crate::act::Act;
use crate::api::roles::role_name;
use crate::audit::{Draft, Severity};
use crate::factors::{self, step_up};
use crate::http::{Call, OptionalBody, Refused};
use crate::notices;
use crate::state::AppState;

/// How long the person has to object.
const OBJECTION_MS: i64 = 24 * 3600 * 1000;
/// A wish that is older counts for nothing.
const FORGOTTEN_AFTER_MS: i64 = 3 * OBJECTION_MS;

/// What they are told.
pub(crate) const FACTORS_TAKEN: &str = "all second factors were removed";

/// What is taken from somebody.
#[derive(Debug, Clone, Copy)]
pub(super) enum What {
    Password,
    Factors,
}

impl What {
    fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Factors => "mfa",
        }
    }

    fn in_words(self) -> &'static str {
        match self {
            Self::Password => "your password",
            Self::Factors => "your second factors",
        }
    }
}

/// All factors of somebody who has lost theirs; they enrol anew.
pub(super) async fn reset_mfa(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    OptionalBody(body): OptionalBody<UserReason>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = UserRow::find_to_change(act.database(), &id, &call.caller).await?;
    call.check_version(row.version)?;
    let mut act = admitted(act, &call, &row, What::Factors).await?;
    let draft = Draft::new("user.mfa_reset")
        .severity(Severity::Warning)
        .detail("reason", body.reason.clone());
    take_factors(&mut act, &row, draft).await?;
    notices::tell(&mut act, &row.id, FACTORS_TAKEN).await?;
    act.finish_empty().await
}

/// Takes all factors away, and with them what was opened by them; how many there were.
pub(crate) async fn take_factors(
    act: &mut Act<'_>,
    row: &UserRow,
    draft: Draft,
) -> Result<u64, Refused> {
    let removed = factors::remove_all(act, row.into()).await?;
    super::states::forget_credentials(act, &row.id).await?;
    let draft = draft.target("user", &row.id, &row.username);
    act.record(draft.detail("removed", removed)).await?;
    Ok(removed)
}

/// Somebody objects to what others want to reset of theirs.
pub(super) async fn object(State(state): State<AppState>, call: Call) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let gone = sqlx::query("DELETE FROM reset_wishes WHERE user_id = $1")
        .bind(&call.caller.user_id)
        .execute(act.database())
        .await?
        .rows_affected();
    if gone == 0 {
        return Err(Refused::not_found("reset of yours"));
    }
    let (id, name) = (&call.caller.user_id, &call.caller.username);
    let draft = Draft::new("user.reset_refused").target("user", id, name);
    act.record(draft.severity(Severity::Warning)).await?;
    act.finish_empty().await
}

/// Goes on where this reset may happen now; otherwise notes the wish, tells the person, and refuses.
pub(super) async fn admitted<'a>(
    mut act: Act<'a>,
    call: &Call,
    row: &UserRow,
    what: What,
) -> Result<Act<'a>, Refused> {
    not_oneself(call, row, what)?;
    if !is_privileged(act.database(), &row.id).await? {
        step_up::require_where_enrolled(act.database(), &call.caller, call.now_ms()).await?;
        return Ok(act);
    }
    step_up::require(act.database(), &call.caller, call.now_ms()).await?;
    if second_or_late(act.database(), call, row, what).await? {
        sqlx::query("DELETE FROM reset_wishes WHERE user_id = $1 AND what = $2")
            .bind(&row.id)
            .bind(what.word())
            .execute(act.database())
            .await?;
        return Ok(act);
    }
    let state = act.state();
    drop(act);
    Err(noted(state, call, row, what).await?)
}

async fn is_privileged(database: &mut SqliteConnection, user: &str) -> Result<bool, Refused> {
    let roles: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM role_assignments WHERE user_id = $1 AND role <> $2",
    )
    .bind(user)
    .bind(role_name(Role::ReadOnly)?)
    .fetch_one(database)
    .await?;
    Ok(roles > 0)
}

/// Whether another owner wants the same, or the caller has wanted it long enough.
async fn second_or_late(
    database: &mut SqliteConnection,
    call: &Call,
    row: &UserRow,
    what: What,
) -> Result<bool, Refused> {
    let now = call.now_ms();
    let found: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM reset_wishes
         JOIN users ON users.id = asked_by AND state = 'active'
         JOIN role_assignments AS held ON held.user_id = asked_by AND held.role = $6
         WHERE reset_wishes.user_id = $1 AND what = $2 AND asked_at > $3
           AND (asked_by <> $4 OR asked_at <= $5)",
    )
    .bind(&row.id)
    .bind(what.word())
    .bind(now.saturating_sub(FORGOTTEN_AFTER_MS))
    .bind(&call.caller.user_id)
    .bind(now.saturating_sub(OBJECTION_MS))
    .bind(role_name(Role::Owner)?)
    .fetch_one(database)
    .await?;
    Ok(found > 0)
}

/// Notes the wish, in a change of its own, and says what is missing.
async fn noted(
    state: &AppState,
    call: &Call,
    row: &UserRow,
    what: What,
) -> Result<Refused, Refused> {
    let refused = Refused::new(
        StatusCode::FORBIDDEN,
        "second_person_required",
        "This user may change things in the directory; nobody resets what proves them alone.",
    )
    .hint("They were told. Another owner makes the same call, or you make it again after a day.");
    if call.origin.dry_run {
        return Ok(refused);
    }
    let origin = call.origin.apart();
    let mut act = Act::begin(state, &origin).await?;
    let now = act.now_ms();
    sqlx::query("DELETE FROM reset_wishes WHERE asked_at <= $1")
        .bind(now.saturating_sub(FORGOTTEN_AFTER_MS))
        .execute(act.database())
        .await?;
    let fresh = sqlx::query(
        "INSERT INTO reset_wishes (user_id, what, asked_by, asked_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT DO NOTHING",
    )
    .bind(&row.id)
    .bind(what.word())
    .bind(&call.caller.user_id)
    .bind(now)
    .execute(act.database())
    .await?
    .rows_affected();
    if fresh > 0 {
        let draft = Draft::new("user.reset_asked")
            .target("user", &row.id, &row.username)
            .severity(Severity::Warning)
            .detail("what", what.word());
        act.record(draft).await?;
        let told = format!("somebody wants to reset {}", what.in_words());
        notices::tell(&mut act, &row.id, &told).await?;
        act.finish_empty().await?;
    }
    Ok(refused)
}

/// Whoever finds an open session must not get more than the session.
pub(super) fn not_oneself(call: &Call, row: &UserRow, what: What) -> Result<(), Refused> {
    if row.id != call.caller.user_id {
        return Ok(());
    }
    let (detail, hint) = match what {
        What::Password => (
            "Nobody resets their own password: change it, which takes the old one.",
            "POST /api/v1/me/password; if it is forgotten, ask another administrator.",
        ),
        What::Factors => (
            "Nobody resets their own second factors: remove them, which takes one of them.",
            "DELETE /api/v1/me/mfa/{id}; if all are lost, ask another administrator.",
        ),
    };
    Err(Refused::forbidden(detail).hint(hint))
}
