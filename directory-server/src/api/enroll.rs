//! `/users/{id}/invite` and `/enroll/{code}`: self-enrolment. The pages do the same by the same
//! functions.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Json, Router};
use directory_api::rest::{
    BackupCodesCreated, EnrollPassword, EnrollTest, Enrolled, Enrollment, EnrollmentOpened,
    InvitationCreated, MfaDevice, NewSshKey, NewTotp, NewYubikey, PasswordStrength, Secret, SshKey,
    TotpBegun, TypedFactor,
};

use super::time;
use super::users::UserRow;
use crate::act::Act;
use crate::http::{Body, Call, Refused, Visit};
use crate::invitations::{
    Enrolling, add_ssh_key, add_yubikey, begin_totp, confirm_totp, finish, keep_backup_codes, make,
    make_backup_codes, progress, set_password, strength_of_password, test_everything,
};
use crate::mail::{self, Letter};
use crate::state::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/users/{id}/invite", post(invite))
        .route("/enroll/{code}", get(show))
        .route("/enroll/{code}/open", post(open))
        .route("/enroll/{code}/strength", post(strength))
        .route("/enroll/{code}/password", post(password))
        .route("/enroll/{code}/ssh-key", post(ssh_key))
        .route("/enroll/{code}/totp", post(totp))
        .route("/enroll/{code}/totp/{id}/confirm", post(totp_confirm))
        .route("/enroll/{code}/yubikey", post(yubikey))
        .route("/enroll/{code}/backup-codes", post(backup_codes))
        .route(
            "/enroll/{code}/backup-codes/confirm",
            post(backup_codes_confirm),
        )
        .route("/enroll/{code}/test", post(test))
        .route("/enroll/{code}/finish", post(end))
}

async fn invite(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let user = UserRow::find_to_change(act.database(), &id, &call.caller).await?;
    let (id, code, expires_at) = make(&mut act, &state, &user).await?;
    let link = format!("{}/enroll/{code}", state.organisation.public_url);
    let email = user.settings()?.email;
    let created = InvitationCreated {
        id,
        username: user.username.clone(),
        mailed: !call.origin.dry_run && state.mailer.reaches(&email),
        link: Secret::new(link.clone()),
        expires_at: time(expires_at),
    };
    let answer = act.finish_with_secret(StatusCode::CREATED, &created);
    let answer = answer.await?;
    if created.mailed {
        mail::post(&state, letter(&state, &user, email, &link));
    }
    Ok(answer)
}

fn letter(state: &AppState, user: &UserRow, to: String, link: &str) -> Letter {
    let (organisation, name) = (&state.organisation.name, &user.username);
    Letter {
        to,
        user: (user.id.clone(), name.clone()),
        subject: format!("{organisation}: set up your account"),
        text: format!(
            "Hello,\n\nyou have an account at {organisation}; your login name is {name}.\n\
             Open this link within three days to choose your password and second factor:\n\n\
             {link}\n\nThe link is only for you: whoever has it can take your account.\n"
        ),
    }
}

async fn show(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path(code): Path<String>,
) -> Result<Json<Enrollment>, Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    progress(&state, &enrolling).await.map(Json)
}

/// For pages: what goes into the cookie instead of the code.
async fn open(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path(code): Path<String>,
) -> Result<Json<EnrollmentOpened>, Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    let code = Secret::new(enrolling.open(&state).await?);
    Ok(Json(EnrollmentOpened { code }))
}

async fn strength(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path(code): Path<String>,
    Body(wanted): Body<EnrollPassword>,
) -> Result<Json<PasswordStrength>, Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    let strength = strength_of_password(&state, &enrolling, &wanted);
    strength.await.map(Json)
}

async fn password(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path(code): Path<String>,
    Body(wanted): Body<EnrollPassword>,
) -> Result<StatusCode, Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    set_password(&state, &enrolling, wanted).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn ssh_key(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path(code): Path<String>,
    Body(new): Body<NewSshKey>,
) -> Result<(StatusCode, Json<SshKey>), Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    let added = add_ssh_key(&state, &enrolling, new).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

async fn totp(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path(code): Path<String>,
    Body(new): Body<NewTotp>,
) -> Result<(StatusCode, Json<TotpBegun>), Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    let begun = begin_totp(&state, &enrolling, &new).await?;
    Ok((StatusCode::CREATED, Json(begun)))
}

async fn totp_confirm(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path((code, id)): Path<(String, String)>,
    Body(typed): Body<TypedFactor>,
) -> Result<StatusCode, Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    confirm_totp(&state, &enrolling, &id, &typed).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn yubikey(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path(code): Path<String>,
    Body(new): Body<NewYubikey>,
) -> Result<(StatusCode, Json<MfaDevice>), Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    let added = add_yubikey(&state, &enrolling, &new).await?;
    Ok((StatusCode::CREATED, Json(added)))
}

async fn backup_codes(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path(code): Path<String>,
) -> Result<(StatusCode, Json<BackupCodesCreated>), Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    let created = make_backup_codes(&state, &enrolling).await?;
    Ok((StatusCode::CREATED, Json(created)))
}

async fn backup_codes_confirm(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path(code): Path<String>,
    Body(typed): Body<TypedFactor>,
) -> Result<StatusCode, Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    keep_backup_codes(&state, &enrolling, &typed).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn test(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path(code): Path<String>,
    Body(test): Body<EnrollTest>,
) -> Result<StatusCode, Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    test_everything(&state, &enrolling, test).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn end(
    State(state): State<AppState>,
    Visit(origin): Visit,
    Path(code): Path<String>,
) -> Result<Json<Enrolled>, Refused> {
    let enrolling = Enrolling::of_code(&state, origin, &code).await?;
    finish(&state, &enrolling).await.map(Json)
}
