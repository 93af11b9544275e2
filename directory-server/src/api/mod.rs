//! `/api/v1`, resource by resource.

mod access_rules;
mod api_tokens;
mod auth;
mod enroll;
mod enrollment_tokens;
mod events;
mod explain;
pub(crate) mod groups;
mod hosts;
mod me;
mod mfa;
mod openapi;
mod operations;
mod password_policy;
mod policies;
mod projects;
mod reachable;
mod roles;
mod schemas;
pub(crate) mod ssh_keys;
pub(crate) mod users;

use axum::Router;
use directory_api::rest::Time;
use jiff::Timestamp;
use policy::ReasonCode;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::http::{Refused, merge_patch, typed};
use crate::state::AppState;

pub(crate) use auth::{noted_try, proven as password_proven, too_many};
pub use openapi::document;
pub(crate) use reachable::reachable_hosts;

/// Everything below `/api/v1`.
pub fn router() -> Router<AppState> {
    Router::new()
        .merge(openapi::router())
        .merge(auth::router())
        .merge(me::router())
        .merge(mfa::router())
        .merge(api_tokens::router())
        .merge(enroll::router())
        .merge(password_policy::router())
        .merge(users::router())
        .merge(ssh_keys::router())
        .merge(groups::router())
        .merge(projects::router())
        .merge(hosts::router())
        .merge(access_rules::router())
        .merge(policies::router())
        .merge(enrollment_tokens::router())
        .merge(roles::router())
        .merge(explain::router())
        .merge(reachable::router())
        .merge(events::router())
}

/// A stored moment that is always there.
pub(crate) fn time(millis: i64) -> Time {
    Time(Timestamp::from_millisecond(millis).unwrap_or_default())
}

/// Lays a merge patch over the present settings.
fn patched<T: Serialize + DeserializeOwned>(before: &T, patch: Value) -> Result<T, Refused> {
    if !patch.is_object() {
        return Err(Refused::malformed("A merge patch is a JSON object."));
    }
    let mut settings = serde_json::to_value(before)?;
    merge_patch(&mut settings, patch);
    typed(settings)
}

/// The stable name of a reason.
fn reason_code(reason: ReasonCode) -> String {
    match serde_json::to_value(reason) {
        Ok(Value::String(code)) => code,
        Ok(_) | Err(_) => "cannot_tell".to_owned(),
    }
}
