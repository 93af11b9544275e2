//! `/me`: what everybody may see and change of themselves. Every query is bound to the caller, so
//! what belongs to somebody else is simply not found.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use directory_api::rest::{AccessibleHost, Me, NewSshKey, Page, PasswordChange};

use super::auth::proven;
use super::users::{UserRow, store_chosen};
use super::{reachable, ssh_keys};
use crate::act::Act;
use crate::factors::step_up;
use crate::http::{Asked, Body, Call, NoShortForms, Refused};
use crate::password::{Wish, verifier_for};
use crate::reach::{Login, World};
use crate::state::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/me", get(me))
        .route("/me/access", get(access))
        .route("/me/password", post(password))
        .route("/me/ssh-keys", get(keys).post(add_key))
        .route("/me/ssh-keys/{id}", delete(remove_key))
}

async fn own(state: &AppState, call: &Call) -> Result<UserRow, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    UserRow::find(&mut snapshot, &call.caller.user_id).await
}

/// A key lets somebody in as well as a factor does: who has enrolled one proves it first.
async fn prove_first(state: &AppState, call: &Call) -> Result<(), Refused> {
    let mut snapshot = state.store.snapshot().await?;
    step_up::require_where_enrolled(&mut snapshot, &call.caller, call.now_ms()).await
}

async fn me(State(state): State<AppState>, call: Call) -> Result<Json<Me>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let row = UserRow::find(&mut snapshot, &call.caller.user_id).await?;
    Ok(Json(Me {
        user: row.shown(&mut snapshot).await?,
        identity: call.caller.identity(),
    }))
}

async fn access(
    State(state): State<AppState>,
    call: Call,
) -> Result<Json<Page<AccessibleHost>>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let world = World::load(&mut snapshot).await?;
    let login = Login::by_ssh(call.now());
    Ok(Json(reachable::hosts_of(
        &world,
        &call.caller.user_id,
        &login,
    )))
}

async fn keys(
    State(state): State<AppState>,
    call: Call,
    asked: Asked<NoShortForms>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    ssh_keys::of_user(&mut snapshot, &call.caller.user_id, &asked).await
}

async fn add_key(
    State(state): State<AppState>,
    call: Call,
    Body(new): Body<NewSshKey>,
) -> Result<Response, Refused> {
    let user = own(&state, &call).await?;
    prove_first(&state, &call).await?;
    ssh_keys::add(&state, &call.origin, &user, new).await
}

async fn remove_key(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let user = own(&state, &call).await?;
    prove_first(&state, &call).await?;
    ssh_keys::take(&state, &call.origin, &user, &id).await
}

async fn password(
    State(state): State<AppState>,
    call: Call,
    Body(change): Body<PasswordChange>,
) -> Result<Response, Refused> {
    change_password(&state, &call, &change).await
}

/// Another password; the session of the caller stays, all others end.
pub(crate) async fn change_password(
    state: &AppState,
    call: &Call,
    change: &PasswordChange,
) -> Result<Response, Refused> {
    let user = own(state, call).await?;
    // The old one first: nobody learns about old passwords without having proven one.
    let old = change.old.expose();
    let wrong = |refused: Refused| match refused.code() {
        "forbidden" => Refused::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "The old password is wrong.",
        )
        .field("old", "wrong"),
        _ => refused,
    };
    proven(state, &call.origin, &user, old)
        .await
        .map_err(wrong)?;
    if change.old == change.new {
        return Err(Refused::invalid("new", "The new password is the old one."));
    }
    let wish = Wish {
        user: &user.id,
        names: &user.names(),
        password: change.new.expose(),
    };
    let verifier = verifier_for(state, wish).await?;
    let mut act = Act::begin(state, &call.origin).await?;
    let keep_session = call.caller.credential_id.as_str();
    store_chosen(&mut act, &user, (&verifier, keep_session), None).await?;
    act.finish_empty().await
}
