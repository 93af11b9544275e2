//! Changing users.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::rest::{Time, UserSettings};
use serde_json::Value;

use super::{UserRow, keep_an_owner};
use crate::act::{Act, changes_between};
use crate::api::patched;
use crate::assign::check_text;
use crate::audit::Draft;
use crate::factors::step_up;
use crate::http::{Body, Call, Refused};
use crate::notices;
use crate::state::AppState;

const LABELS_MAX: usize = 64;

pub(super) async fn edit(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    Body(patch): Body<Value>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = UserRow::find_to_change(act.database(), &id, &call.caller).await?;
    call.require_version(row.version)?;
    let before = row.settings()?;
    let after: UserSettings = patched(&before, patch)?;
    check_settings(&after)?;
    if row.id == call.caller.user_id && after.email != before.email {
        step_up::require_where_enrolled(act.database(), &call.caller, call.now_ms()).await?;
    }
    if after.expires_at != before.expires_at && after.expires_at.is_some() {
        keep_an_owner(act.database(), &row.id).await?;
    }
    let changes = changes_between(&before, &after)?;
    if !changes.is_empty() {
        write(&mut act, &row.id, &after).await?;
        if after.email != before.email {
            let what = "the mail address was changed";
            let user = (row.id.as_str(), row.username.as_str());
            notices::tell_at(&mut act, user, before.email.clone(), what);
        }
        let draft = Draft::new("user.updated").target("user", &row.id, &row.username);
        act.record(draft.changes(changes)).await?;
        act.touch_user(&row.id);
    }
    let row = UserRow::find(act.database(), &row.id).await?;
    let user = row.shown(act.database()).await?;
    act.finish(StatusCode::OK, &user, Some(row.version)).await
}

/// Checks what the types of the fields do not.
pub(super) fn check_settings(settings: &UserSettings) -> Result<(), Refused> {
    check_text("display_name", &settings.display_name)?;
    check_text("email", &settings.email)?;
    check_text("description", &settings.description)?;
    if settings.labels.len() > LABELS_MAX {
        return Err(Refused::invalid(
            "labels",
            format!("At most {LABELS_MAX} labels."),
        ));
    }
    for (key, value) in &settings.labels {
        check_text("labels", key)?;
        check_text("labels", value)?;
    }
    Ok(())
}

async fn write(act: &mut Act<'_>, id: &str, settings: &UserSettings) -> Result<(), Refused> {
    let now = act.now_ms();
    sqlx::query(
        "UPDATE users SET display_name = $2, email = $3, description = $4, home = $5, shell = $6,
           labels = $7, expires_at = $8, updated_at = $9, version = version + 1 WHERE id = $1",
    )
    .bind(id)
    .bind(&settings.display_name)
    .bind(&settings.email)
    .bind(&settings.description)
    .bind(settings.home.as_ref().map(ToString::to_string))
    .bind(settings.shell.as_ref().map(ToString::to_string))
    .bind(serde_json::to_string(&settings.labels)?)
    .bind(settings.expires_at.map(Time::as_millisecond))
    .bind(now)
    .execute(act.database())
    .await?;
    Ok(())
}
