//! A word for the shrink guard: so many people may vanish from a host at once. It is part of the
//! host's next bundles and good until the host has one of them in force.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::rest::ConfirmRemovals;

use super::HostRow;
use crate::act::Act;
use crate::audit::{Draft, Severity};
use crate::http::{Body, Call, Refused};
use crate::state::AppState;

pub(super) async fn confirm(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    Body(confirmed): Body<ConfirmRemovals>,
) -> Result<Response, Refused> {
    if confirmed.removals == 0 {
        return Err(Refused::invalid(
            "removals",
            "Say how many people may vanish.",
        ));
    }
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = HostRow::find(act.database(), &id).await?;
    call.check_version(row.version)?;
    let now = act.now_ms();
    let changed = sqlx::query(
        "UPDATE hosts SET confirmed_removals = $2, confirmed_over = bundle_version,
                          updated_at = $3, version = version + 1
         WHERE id = $1 AND state IN ('active', 'quarantined')",
    )
    .bind(&row.id)
    .bind(i64::from(confirmed.removals))
    .bind(now)
    .execute(act.database())
    .await?
    .rows_affected();
    if changed == 0 {
        return Err(Refused::conflict("Only hosts in use are sent bundles."));
    }
    let draft = Draft::new("host.removals_confirmed")
        .target("host", &row.id, &row.hostname)
        .host(&row.id, &row.hostname)
        .detail("removals", confirmed.removals)
        .detail("reason", confirmed.reason);
    act.record(draft.severity(Severity::Warning)).await?;
    act.touch_host(&row.id);
    let row = HostRow::find(act.database(), &row.id).await?;
    let host = row.shown(act.database(), call.now()).await?;
    act.finish(StatusCode::OK, &host, Some(row.version)).await
}
