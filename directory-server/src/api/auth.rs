//! `/auth`: signing in and out, and the very first administrator. Tries are counted before
//! anything is compared; known and unknown names cost and answer the same.

mod bootstrap;
mod second_step;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use directory_api::rest::{
    EventObject, Identity, LoginRequest, Role, Secret, SessionCreated, Time,
};
use policy::FactorKind;
use posix_names::folded;

use super::users::UserRow;
use crate::act::Act;
use crate::audit::{Draft, Outcome, Severity};
use crate::http::{Body, Call, Caller, Origin, Refused, SESSION_PREFIX, Visit, new_token};
use crate::id::Kind;
use crate::limiter::source_key;
use crate::password::Checked;
use crate::state::AppState;
use second_step::Needed;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/auth/login", post(login))
        .route("/auth/mfa", post(second_step::mfa))
        .route("/auth/logout", post(logout))
        .route("/auth/session", get(session))
        .route("/auth/renew", post(renew))
        .route("/auth/bootstrap", post(bootstrap::bootstrap))
}

/// 429 with the time to wait.
pub(crate) fn too_many(wait_s: u64) -> Refused {
    Refused::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limited",
        "Too many tries.",
    )
    .hint(format!("Wait {wait_s} s."))
    .retry_after(wait_s)
}

fn not_signed_in() -> Refused {
    Refused::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "Name or password is wrong, or the account cannot sign in now.",
    )
    .hint(
        "After many wrong tries an account is locked for a while; an administrator can unlock it.",
    )
}

/// One try of this source, and of this account where there is one.
fn count(state: &AppState, origin: &Origin, account: &str) -> Result<(), Refused> {
    state
        .logins_by_source
        .take(&source_key(origin.source), origin.now)
        .map_err(too_many)?;
    state
        .logins_by_account
        .take(account, origin.now)
        .map_err(too_many)
}

async fn login(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Body(login): Body<LoginRequest>,
) -> Result<Response, Refused> {
    let name = folded(&login.username);
    count(&state, &origin, &name)?;
    let _turn = state.turns.turn().await?;
    let user = noted_try(&state, &origin, &name).await?;
    let verifier = user
        .as_ref()
        .and_then(|user| user.password_verifier.clone());
    let checked = state
        .passwords
        .compare(verifier.clone(), login.password.expose())
        .await?;
    match (user, checked) {
        (Some(user), Checked::Right) => {
            let fresh = match verifier.filter(|verifier| state.passwords.is_outdated(verifier)) {
                Some(_) => Some(
                    state
                        .passwords
                        .hash(login.password.expose(), &state.random)
                        .await?,
                ),
                None => None,
            };
            first_step(&state, origin, &user, fresh).await
        }
        (_, Checked::Right | Checked::Wrong | Checked::CannotTell) => Err(not_signed_in()),
    }
}

/// Writes the try down before it is compared, and locks the account when there were too many.
/// Returns the user if they may sign in at all.
pub(crate) async fn noted_try(
    state: &AppState,
    origin: &Origin,
    name: &str,
) -> Result<Option<UserRow>, Refused> {
    let auth = &state.config.auth;
    let millis =
        |duration: jiff::SignedDuration| i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
    let mut act = Act::begin(state, origin).await?;
    let now = act.now_ms();
    sqlx::query(
        "UPDATE users SET
           failed_logins = CASE WHEN first_failed_at > $2 THEN failed_logins + 1 ELSE 1 END,
           first_failed_at = CASE WHEN first_failed_at > $2 THEN first_failed_at ELSE $3 END
         WHERE username = $1",
    )
    .bind(name)
    .bind(now.saturating_sub(millis(auth.lock_window)))
    .bind(now)
    .execute(act.database())
    .await?;
    // The try that is under way is in the count already, hence "more than".
    let locked = sqlx::query(
        "UPDATE users SET locked_until = $2, failed_logins = 0, first_failed_at = NULL
         WHERE username = $1 AND failed_logins > $3",
    )
    .bind(name)
    .bind(now.saturating_add(millis(auth.lock_for)))
    .bind(i64::from(auth.lock_after))
    .execute(act.database())
    .await?
    .rows_affected();
    // An id is no name: its tries would not be counted.
    let user = if Kind::User.is_id(name) {
        None
    } else {
        UserRow::find(act.database(), name).await.ok()
    };
    let mut draft = Draft::new("auth.attempted").detail("service", "console");
    if let Some(user) = &user {
        draft = draft.target("user", &user.id, &user.username);
        if locked > 0 {
            let locked = Draft::new("auth.locked_out").target("user", &user.id, &user.username);
            act.record(locked.severity(Severity::Warning).outcome(Outcome::Denied))
                .await?;
        }
    }
    act.record(draft.detail("user_known", user.is_some()))
        .await?;
    act.finish_empty().await?;
    Ok(user.filter(|user| user.may_sign_in(now)))
}

/// Proves once more, by the password, that it is this user who asks. A try like any other.
///
/// # Errors
/// There were too many tries, the password is wrong, or the account cannot sign in now.
pub(crate) async fn proven(
    state: &AppState,
    origin: &Origin,
    user: &UserRow,
    password: &str,
) -> Result<(), Refused> {
    let (id, name, apart) = (&user.id, &user.username, origin.apart());
    state
        .logins_by_account
        .take(id, origin.now)
        .map_err(too_many)?;
    let _turn = state.turns.turn().await?;
    let known = noted_try(state, &apart, name).await?;
    let known = known.and_then(|user| user.password_verifier);
    if state.passwords.compare(known, password).await? != Checked::Right {
        return Err(Refused::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "The password is wrong, or the account cannot sign in now.",
        ));
    }
    let mut act = Act::begin(state, &apart).await?;
    sqlx::query("UPDATE users SET failed_logins = 0, first_failed_at = NULL WHERE id = $1")
        .bind(id)
        .execute(act.database())
        .await?;
    act.finish_empty().await.map(drop)
}

/// The password was right: a session, or a ticket for the second step.
async fn first_step(
    state: &AppState,
    origin: Origin,
    user: &UserRow,
    fresh: Option<String>,
) -> Result<Response, Refused> {
    let origin = of_person(origin, user);
    let mut act = Act::begin(state, &origin).await?;
    // Suspended, deleted or given another password while the old one was compared.
    let now_user = UserRow::find(act.database(), &user.id).await?;
    if !now_user.may_sign_in(act.now_ms()) || now_user.password_verifier != user.password_verifier {
        return Err(not_signed_in());
    }
    if let Some(verifier) = fresh {
        sqlx::query("UPDATE users SET password_verifier = $2 WHERE id = $1")
            .bind(&user.id)
            .bind(verifier)
            .execute(act.database())
            .await?;
        act.touch_user(&user.id);
    }
    sqlx::query("UPDATE users SET failed_logins = 0, first_failed_at = NULL WHERE id = $1")
        .bind(&user.id)
        .execute(act.database())
        .await?;
    match second_step::needed(&mut act, &now_user, origin.source).await? {
        Needed::Code(kinds) => {
            let step = second_step::begin(&mut act, &now_user, kinds).await?;
            act.finish_empty().await?;
            Err(second_step::mfa_required(step))
        }
        Needed::Nothing { must_enrol } => {
            let opening = Opening {
                must_enrol,
                ..Opening::default()
            };
            signed_in(act, &now_user, opening).await
        }
    }
}

fn of_person(mut origin: Origin, user: &UserRow) -> Origin {
    origin.actor = EventObject {
        kind: "user".to_owned(),
        id: user.id.clone(),
        name: user.username.clone(),
    };
    origin
}

/// How somebody came to a session.
#[derive(Debug, Clone, Copy, Default)]
struct Opening {
    /// The second factor that was proven, if one was.
    factor: Option<FactorKind>,
    /// Policy asks for a second factor and there is none: it must be enrolled before anything else.
    must_enrol: bool,
}

/// All steps are done.
async fn signed_in(
    mut act: Act<'_>,
    user: &UserRow,
    opening: Opening,
) -> Result<Response, Refused> {
    let now = act.now_ms();
    sqlx::query("UPDATE users SET last_login_at = $2 WHERE id = $1")
        .bind(&user.id)
        .bind(now)
        .execute(act.database())
        .await?;
    let created = open_session(&mut act, user, opening).await?;
    let mut draft = Draft::new("console.login").target("user", &user.id, &user.username);
    if let Some(factor) = opening.factor {
        draft = draft.detail("factor", serde_json::to_value(factor)?);
    }
    act.record(draft).await?;
    act.finish_with_secret(StatusCode::OK, &created).await
}

async fn open_session(
    act: &mut Act<'_>,
    user: &UserRow,
    opening: Opening,
) -> Result<SessionCreated, Refused> {
    let (state, now) = (act.state(), act.now());
    let (token, hash) = new_token(SESSION_PREFIX, &state.random)?;
    let id = act.new_id(Kind::Session)?;
    let ends = now.saturating_add(state.config.auth.session_max);
    let ends =
        ends.map_err(|_| Refused::conflict("The session would end outside the calendar."))?;
    let now = act.now_ms();
    sqlx::query("DELETE FROM sessions WHERE expires_at <= $1")
        .bind(now)
        .execute(act.database())
        .await?;
    sqlx::query(
        "INSERT INTO sessions (id, token_hash, user_id, created_at, expires_at, last_used_at,
           must_enrol, factor_proven_at)
         VALUES ($1, $2, $3, $4, $5, $4, $6, $7)",
    )
    .bind(&id)
    .bind(hash)
    .bind(&user.id)
    .bind(now)
    .bind(ends.as_millisecond())
    .bind(i64::from(opening.must_enrol))
    .bind(opening.factor.map(|_| now))
    .execute(act.database())
    .await?;
    let roles: Vec<String> =
        sqlx::query_scalar("SELECT role FROM role_assignments WHERE user_id = $1 ORDER BY role")
            .bind(&user.id)
            .fetch_all(act.database())
            .await?;
    let roles: Vec<Role> = roles
        .into_iter()
        .map(|role| serde_json::from_value(role.into()))
        .collect::<Result<_, _>>()?;
    let caller = Caller {
        user_id: user.id.clone(),
        username: user.username.clone(),
        roles,
        scopes: None,
        credential_id: id,
        expires_at: ends,
        must_change_password: user.must_change_password(),
        must_enrol: opening.must_enrol,
    };
    Ok(created(state, &caller, token))
}

fn created(state: &AppState, caller: &Caller, token: String) -> SessionCreated {
    SessionCreated {
        token: Secret::new(token),
        expires_at: Time(caller.expires_at),
        idle_seconds: state.config.auth.idle.as_secs().unsigned_abs(),
        identity: caller.identity(),
        must_change_password: caller.must_change_password,
        must_enroll_factor: caller.must_enrol,
    }
}

async fn logout(State(state): State<AppState>, call: Call) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    for statement in [
        "DELETE FROM sessions WHERE id = $1",
        "DELETE FROM api_tokens WHERE id = $1",
    ] {
        sqlx::query(statement)
            .bind(&call.caller.credential_id)
            .execute(act.database())
            .await?;
    }
    act.record(Draft::new("console.logout")).await?;
    act.finish_empty().await
}

/// The same session under a new token: after a change of what proves a person, whoever may have
/// read the old token has nothing.
async fn renew(State(state): State<AppState>, call: Call) -> Result<Response, Refused> {
    let (token, hash) = new_token(SESSION_PREFIX, &state.random)?;
    let mut act = Act::begin(&state, &call.origin).await?;
    sqlx::query("UPDATE sessions SET token_hash = $2 WHERE id = $1")
        .bind(&call.caller.credential_id)
        .bind(hash)
        .execute(act.database())
        .await?;
    let renewed = created(&state, &call.caller, token);
    act.record(Draft::new("console.session_renewed")).await?;
    act.finish_with_secret(StatusCode::OK, &renewed).await
}

async fn session(call: Call) -> Json<Identity> {
    Json(call.caller.identity())
}
