//! Changing hosts.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::rest::HostSettings;
use serde_json::Value;

use super::HostRow;
use super::tags::{checked_tags, set_tags};
use crate::act::{Act, changes_between};
use crate::api::patched;
use crate::api::projects::ProjectRow;
use crate::assign::check_text;
use crate::audit::Draft;
use crate::http::{Body, Call, Refused};
use crate::state::AppState;

pub(super) async fn edit(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    Body(patch): Body<Value>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = HostRow::find(act.database(), &id).await?;
    call.require_version(row.version)?;
    let before = row.settings(act.database()).await?;
    let mut after: HostSettings = patched(&before, patch)?;
    check_text("display_name", &after.display_name)?;
    check_text("description", &after.description)?;
    let tags = checked_tags(&after.tags)?;
    let project = ProjectRow::find(act.database(), &after.project)
        .await
        .map_err(|refused| refused.field("project", "not_found"))?;
    after.project.clone_from(&project.name);
    after.tags = tags.iter().cloned().collect();
    let changes = changes_between(&before, &after)?;
    if !changes.is_empty() {
        let now = act.now_ms();
        sqlx::query(
            "UPDATE hosts SET display_name = $2, description = $3, project_id = $4, updated_at = $5,
               version = version + 1 WHERE id = $1",
        )
        .bind(&row.id)
        .bind(&after.display_name)
        .bind(&after.description)
        .bind(&project.id)
        .bind(now)
        .execute(act.database())
        .await?;
        set_tags(&mut act, &row.id, &tags).await?;
        let draft = Draft::new("host.updated").target("host", &row.id, &row.hostname);
        act.record(draft.host(&row.id, &row.hostname).changes(changes))
            .await?;
        act.touch_host(&row.id);
    }
    let row = HostRow::find(act.database(), &row.id).await?;
    let host = row.shown(act.database(), call.now()).await?;
    act.finish(StatusCode::OK, &host, Some(row.version)).await
}
