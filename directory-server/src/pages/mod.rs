//! Pages for people: self-enrolment and one's own account. Rendered here, working without
//! JavaScript; every page is a client of the API and may do nothing that the API does not.

mod account;
mod client;
mod cookies;
mod enroll;
mod enroll_factors;
mod factors;
mod form;
mod html;
mod sign_in;

use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Router, middleware};

use crate::state::AppState;

/// What every page needs: the settings, and the API behind its own door.
#[derive(Clone)]
pub(crate) struct Pages {
    app: AppState,
    api: Router,
}

/// No script, style, picture or form but our own, no frame, no address to anybody.
static HEADERS: [(HeaderName, &str); 6] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    // The origin and no more: forms need it, and a path may be a link that only one person has.
    (header::REFERRER_POLICY, "strict-origin"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=()",
    ),
];

/// All pages; `api` is the API with everything that guards it.
pub(crate) fn router<S>(app: AppState, api: Router) -> Router<S> {
    Router::new()
        .route("/enroll", get(enroll::step).post(enroll::open))
        .route("/enroll/{code}", get(enroll::welcome))
        .route("/enroll/password", post(enroll::password))
        .route("/enroll/strength", post(enroll::strength))
        .route("/enroll/ssh-key", post(enroll::ssh_key))
        .route("/enroll/totp", post(enroll_factors::begin_totp))
        .route("/enroll/totp/confirm", post(enroll_factors::confirm_totp))
        .route("/enroll/yubikey", post(enroll_factors::yubikey))
        .route("/enroll/backup-codes", post(enroll_factors::backup_codes))
        .route(
            "/enroll/backup-codes/confirm",
            post(enroll_factors::keep_backup_codes),
        )
        .route("/enroll/test", post(enroll::test))
        .route("/sign-in", get(sign_in::form).post(sign_in::password))
        .route("/sign-in/code", get(sign_in::code_form).post(sign_in::code))
        .route("/me", get(account::me))
        .route("/me/password", post(account::password))
        .route("/me/ssh-keys", post(account::add_key))
        .route("/me/ssh-keys/remove", post(account::remove_key))
        .route("/me/step-up", post(factors::prove))
        .route("/me/mfa/totp", post(factors::begin_totp))
        .route("/me/mfa/totp/confirm", post(factors::confirm_totp))
        .route("/me/mfa/yubikey", post(factors::add_yubikey))
        .route("/me/mfa/remove", post(factors::remove))
        .route("/me/backup-codes", post(factors::backup_codes))
        .route("/me/backup-codes/confirm", post(factors::keep_backup_codes))
        .route("/me/sign-out", post(account::sign_out))
        .route(
            "/pages/style.css",
            get(|| async { asset("text/css; charset=utf-8", STYLE) }),
        )
        .route(
            "/pages/script.js",
            get(|| async { asset("text/javascript; charset=utf-8", SCRIPT) }),
        )
        .route_layer(middleware::map_response(guarded))
        .with_state(Pages { app, api })
}

const STYLE: &str = include_str!("../../templates/style.css");
const SCRIPT: &str = include_str!("../../templates/script.js");

fn asset(kind: &'static str, text: &'static str) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, kind)], text)
}

async fn guarded(mut response: axum::response::Response) -> axum::response::Response {
    for (name, value) in &HEADERS {
        response
            .headers_mut()
            .insert(name.clone(), HeaderValue::from_static(value));
    }
    response
}
