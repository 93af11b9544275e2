//! `/me/mfa`, `/me/backup-codes`, `/auth/step-up`: one's own second factors. Whoever changes them
//! proves first that it is them; seeds and codes are in one answer and never in another.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use directory_api::rest::{
    BackupCodes, BackupCodesCreated, MfaDevice, MfaTested, NewTotp, NewYubikey, Page, Secret,
    StepUp, TypedFactor,
};

use super::users::UserRow;
use crate::act::Act;
use crate::factors::{self, NewBackupCodes, Proven, in_a_session, step_up};
use crate::http::{Body, Call, Refused};
use crate::state::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/auth/step-up", post(prove))
        .route("/me/mfa", get(list))
        .route("/me/mfa/totp", post(begin_totp))
        .route("/me/mfa/totp/{id}/confirm", post(confirm_totp))
        .route("/me/mfa/yubikey", post(add_yubikey))
        .route("/me/mfa/test", post(test))
        .route("/me/mfa/{id}", delete(remove))
        .route("/me/backup-codes", get(backup_codes).post(new_backup_codes))
        .route("/me/backup-codes/confirm", post(confirm_backup_codes))
}

async fn prove(
    State(state): State<AppState>,
    call: Call,
    Body(given): Body<StepUp>,
) -> Result<StatusCode, Refused> {
    match (&given.code, &given.password) {
        (Some(code), None) => step_up::prove(&state, &call, code.expose())
            .await
            .map(drop)
            .map_err(in_a_session)?,
        (None, Some(password)) => {
            step_up::prove_password(&state, &call, password.expose()).await?;
        }
        (Some(_), Some(_)) | (None, None) => {
            return Err(Refused::invalid("code", "Give either code or password."));
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

async fn list(State(state): State<AppState>, call: Call) -> Result<Json<Page<MfaDevice>>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let devices = factors::devices_of(&mut snapshot, &call.caller.user_id).await?;
    Ok(Json(Page {
        items: devices.iter().map(factors::Device::shown).collect(),
        next_cursor: None,
        total: None,
    }))
}

/// Begins a change of one's own factors.
async fn change<'a>(state: &'a AppState, call: &'a Call) -> Result<(Act<'a>, UserRow), Refused> {
    let mut act = Act::begin(state, &call.origin).await?;
    let user = UserRow::find(act.database(), &call.caller.user_id).await?;
    step_up::require(act.database(), &call.caller, call.now_ms()).await?;
    Ok((act, user))
}

/// The same check before slow work, so that nothing slow is done for nothing.
async fn check_first(state: &AppState, call: &Call) -> Result<(), Refused> {
    let mut snapshot = state.store.snapshot().await?;
    step_up::require(&mut snapshot, &call.caller, call.now_ms()).await
}

async fn begin_totp(
    State(state): State<AppState>,
    call: Call,
    Body(new): Body<NewTotp>,
) -> Result<Response, Refused> {
    let (mut act, user) = change(&state, &call).await?;
    let begun = factors::begin_totp(&mut act, (&user).into(), &new.name).await?;
    act.finish_with_secret(StatusCode::CREATED, &begun.shown())
        .await
}

/// Needs no further proof: only who began it knows the seed.
async fn confirm_totp(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    Body(typed): Body<TypedFactor>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let user = UserRow::find(act.database(), &call.caller.user_id).await?;
    factors::confirm_totp(&mut act, (&user).into(), &id, typed.code.expose())
        .await
        .map_err(in_a_session)?;
    step_up::note_factor(act.database(), &call.caller.credential_id, call.now_ms()).await?;
    finish_with(act, &id, StatusCode::OK).await
}

async fn add_yubikey(
    State(state): State<AppState>,
    call: Call,
    Body(new): Body<NewYubikey>,
) -> Result<Response, Refused> {
    check_first(&state, &call).await?;
    let public_id = factors::yubikey_of(&state, new.code.expose()).await;
    let public_id = public_id.map_err(in_a_session)?;
    let (mut act, user) = change(&state, &call).await?;
    let id = factors::add_yubikey(&mut act, (&user).into(), &new.name, &public_id).await?;
    step_up::note_factor(act.database(), &call.caller.credential_id, call.now_ms()).await?;
    finish_with(act, &id, StatusCode::CREATED).await
}

async fn finish_with(mut act: Act<'_>, id: &str, status: StatusCode) -> Result<Response, Refused> {
    let device = factors::Device::find(act.database(), id).await?.shown();
    act.finish(status, &device, None).await
}

/// A right code is a proof as well.
async fn test(
    State(state): State<AppState>,
    call: Call,
    Body(typed): Body<TypedFactor>,
) -> Result<Json<MfaTested>, Refused> {
    let Proven {
        kind,
        device,
        backup_codes_left,
        ..
    } = step_up::prove(&state, &call, typed.code.expose())
        .await
        .map_err(in_a_session)?;
    let mut snapshot = state.store.snapshot().await?;
    let devices = factors::devices_of(&mut snapshot, &call.caller.user_id).await?;
    let named = devices.into_iter().find(|known| known.id == device);
    Ok(Json(MfaTested {
        kind: serde_json::from_value(serde_json::to_value(kind)?)?,
        name: named.map_or_else(String::new, |device| device.name),
        backup_codes_left,
    }))
}

async fn remove(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let (mut act, user) = change(&state, &call).await?;
    factors::remove(&mut act, (&user).into(), &id).await?;
    act.finish_empty().await
}

async fn backup_codes(
    State(state): State<AppState>,
    call: Call,
) -> Result<Json<BackupCodes>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let standing = factors::backup_codes_of(&mut snapshot, &call.caller.user_id).await?;
    Ok(Json(standing))
}

async fn new_backup_codes(State(state): State<AppState>, call: Call) -> Result<Response, Refused> {
    check_first(&state, &call).await?;
    let new = NewBackupCodes::make(&state).await?;
    let (mut act, user) = change(&state, &call).await?;
    let codes = new.store(&mut act, (&user).into()).await?;
    let codes = codes.iter().map(|code| Secret::new(code.to_string()));
    let created = BackupCodesCreated {
        codes: codes.collect(),
    };
    act.finish_with_secret(StatusCode::CREATED, &created).await
}

async fn confirm_backup_codes(
    State(state): State<AppState>,
    call: Call,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    factors::confirm_backup_codes(&mut act, &call.caller.user_id).await?;
    let standing = factors::backup_codes_of(act.database(), &call.caller.user_id).await?;
    act.finish(StatusCode::OK, &standing, None).await
}
