//! The second step of signing in. Whoever had the right password holds a ticket for five minutes; a
//! code of theirs turns it into a session, once. Codes are counted where all others are.

use std::collections::BTreeSet;
use std::net::IpAddr;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::rest::{MfaRequest, SecondStep, Secret, Time};
use jiff::{SignedDuration, Timestamp};
use policy::{FactorKind, Factors};

use super::{Opening, not_signed_in, of_person, signed_in, too_many};
use crate::act::Act;
use crate::api::users::UserRow;
use crate::factors::{self, Limit};
use crate::http::{Body, Origin, Refused, Visit, new_token, token_hash};
use crate::limiter::source_key;
use crate::state::AppState;

/// The directory's own door, as policies call it.
pub(crate) const SERVICE: &str = "console";
/// Begins tickets.
const TICKET_PREFIX: &str = "clf_";
const GOOD_FOR: SignedDuration = SignedDuration::from_mins(5);

/// What a sign-in takes besides the password.
pub(super) enum Needed {
    /// Nothing more.
    Nothing {
        /// Policy wants a second factor, and this is the only place to enrol one.
        must_enrol: bool,
    },
    /// A code of one of these kinds.
    Code(BTreeSet<FactorKind>),
}

/// Asks the policies, and what the person has: who has enrolled a factor is asked for it also where
/// no policy says so.
pub(super) async fn needed(
    act: &mut Act<'_>,
    user: &UserRow,
    source: Option<IpAddr>,
) -> Result<Needed, Refused> {
    let policy = factors::factors_at(act.database(), None, (SERVICE, source)).await?;
    let has = factors::enrolled(act.database(), &user.id).await?;
    let countable: BTreeSet<FactorKind> = has.intersection(&policy.mfa_methods).copied().collect();
    let has_device = has.iter().any(|kind| *kind != FactorKind::BackupCode);
    Ok(match (policy.mfa_required, countable.is_empty()) {
        (true, false) => Needed::Code(countable),
        (false, false) if has_device => Needed::Code(countable),
        (required, _) => Needed::Nothing {
            must_enrol: required && policy.unenrolled != policy::Unenrolled::Allow,
        },
    })
}

/// A ticket for somebody whose password was right.
pub(super) async fn begin(
    act: &mut Act<'_>,
    user: &UserRow,
    kinds: BTreeSet<FactorKind>,
) -> Result<SecondStep, Refused> {
    let (ticket, hash) = new_token(TICKET_PREFIX, &act.state().random)?;
    let ends = act.now().saturating_add(GOOD_FOR);
    let ends = ends.map_err(|_| Refused::conflict("The ticket would end outside the calendar."))?;
    let now = act.now_ms();
    sqlx::query("DELETE FROM sign_ins WHERE expires_at <= $1")
        .bind(now)
        .execute(act.database())
        .await?;
    sqlx::query("INSERT INTO sign_ins (ticket_hash, user_id, expires_at) VALUES ($1, $2, $3)")
        .bind(hash)
        .bind(&user.id)
        .bind(ends.as_millisecond())
        .execute(act.database())
        .await?;
    Ok(SecondStep {
        ticket: Secret::new(ticket),
        kinds: kinds.into_iter().map(kind_name).collect::<Result<_, _>>()?,
        expires_at: Time(ends),
    })
}

fn kind_name(kind: FactorKind) -> Result<String, Refused> {
    Ok(serde_json::from_value(serde_json::to_value(kind)?)?)
}

/// Says that a code is to come, and how.
pub(super) fn mfa_required(step: SecondStep) -> Refused {
    Refused::new(
        StatusCode::UNAUTHORIZED,
        "mfa_required",
        "The password is right; a code of your second factor is needed as well.",
    )
    .hint("Send it with the ticket: POST /api/v1/auth/mfa.")
    .second_step(step)
}

pub(super) async fn mfa(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Body(request): Body<MfaRequest>,
) -> Result<Response, Refused> {
    state
        .logins_by_source
        .take(&source_key(origin.source), origin.now)
        .map_err(too_many)?;
    let _turn = state.turns.turn().await?;
    let hash = token_hash(request.ticket.expose());
    let (user, policy) = holder(&state, &origin, &hash).await?;
    let origin = of_person(origin, &user);
    let asked = factors::Asked {
        user: (&user).into(),
        typed: request.code.expose(),
        kinds: &policy.mfa_methods,
        limit: Limit {
            tries: policy.code_tries,
            lock_seconds: policy.code_lock_seconds,
        },
        service: SERVICE,
        host: None,
    };
    let proven = factors::check(&state, &origin, asked).await?;
    let mut act = Act::begin(&state, &origin).await?;
    // Used, ended by another password, or its holder suspended, while the code was compared.
    let used = sqlx::query("DELETE FROM sign_ins WHERE ticket_hash = $1")
        .bind(&hash)
        .execute(act.database())
        .await?;
    let user = UserRow::find(act.database(), &user.id).await?;
    if used.rows_affected() != 1 || !user.may_sign_in(act.now_ms()) {
        return Err(not_signed_in());
    }
    let opening = Opening {
        factor: Some(proven.kind),
        must_enrol: false,
    };
    signed_in(act, &user, opening).await
}

/// Whose ticket it is, and what holds for them at this door.
async fn holder(
    state: &AppState,
    origin: &Origin,
    hash: &str,
) -> Result<(UserRow, Factors), Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let now: Timestamp = origin.now;
    let user: Option<String> = sqlx::query_scalar(
        "SELECT user_id FROM sign_ins WHERE ticket_hash = $1 AND expires_at > $2",
    )
    .bind(hash)
    .bind(now.as_millisecond())
    .fetch_optional(&mut *snapshot)
    .await?;
    let user = user.ok_or_else(ticket_gone)?;
    let user = UserRow::find(&mut snapshot, &user).await?;
    if !user.may_sign_in(now.as_millisecond()) {
        return Err(not_signed_in());
    }
    let policy = factors::factors_at(&mut snapshot, None, (SERVICE, origin.source)).await?;
    Ok((user, policy))
}

fn ticket_gone() -> Refused {
    Refused::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "This sign-in was finished already, or took longer than five minutes.",
    )
    .hint("Begin again: POST /api/v1/auth/login, or `cloudid login`.")
}
