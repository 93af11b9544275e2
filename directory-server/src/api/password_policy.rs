//! `/password-policy`: one object; what is set takes effect when a password is next set.

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use directory_api::rest::{PasswordPolicy, PasswordPolicySettings};
use serde_json::Value;

use super::{patched, time};
use crate::act::{Act, changes_between};
use crate::audit::{Draft, Severity};
use crate::factors::step_up;
use crate::http::{Body, Call, Refused, etag};
use crate::password::{Policy, StoredPolicy, check};
use crate::state::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/password-policy", get(show).patch(edit))
}

fn shown(stored: &StoredPolicy, state: &AppState) -> PasswordPolicy {
    PasswordPolicy {
        rules: Policy::of(&stored.settings, state.config.password.min_length).in_words(),
        settings: stored.settings.clone(),
        updated_at: stored.updated_at.map(time),
        version: stored.version.unsigned_abs(),
    }
}

async fn show(State(state): State<AppState>) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let stored = StoredPolicy::load(&mut snapshot).await?;
    let mut answer = Json(shown(&stored, &state)).into_response();
    if let Ok(tag) = HeaderValue::from_str(&etag(stored.version)) {
        answer.headers_mut().insert(header::ETAG, tag);
    }
    Ok(answer)
}

async fn edit(
    State(state): State<AppState>,
    call: Call,
    Body(patch): Body<Value>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    step_up::require_where_enrolled(act.database(), &call.caller, call.now_ms()).await?;
    let before = StoredPolicy::load(act.database()).await?;
    call.require_version(before.version)?;
    let after: PasswordPolicySettings = patched(&before.settings, patch)?;
    check(&after)?;
    let changes = changes_between(&before.settings, &after)?;
    if !changes.is_empty() {
        let now = act.now_ms();
        StoredPolicy::store(&after, act.database(), now).await?;
        let draft = Draft::new("password_policy.changed").changes(changes);
        act.record(draft.severity(Severity::Notice)).await?;
    }
    let stored = StoredPolicy::load(act.database()).await?;
    act.finish(
        StatusCode::OK,
        &shown(&stored, &state),
        Some(stored.version),
    )
    .await
}
