//! The life of a host: pending, active, quarantined, retired.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::rest::UserReason;

use super::HostRow;
use crate::act::Act;
use crate::audit::{Draft, Severity};
use crate::http::{Call, OptionalBody, Refused};
use crate::state::AppState;

/// A step in the life of a host.
struct Step {
    from: &'static [&'static str],
    to: &'static str,
    event: &'static str,
}

const APPROVE: Step = Step {
    from: &["pending"],
    to: "active",
    event: "host.approved",
};
const REJECT: Step = Step {
    from: &["pending"],
    to: "retired",
    event: "host.rejected",
};
const QUARANTINE: Step = Step {
    from: &["active"],
    to: "quarantined",
    event: "host.quarantined",
};
const UNQUARANTINE: Step = Step {
    from: &["quarantined"],
    to: "active",
    event: "host.unquarantined",
};
const RETIRE: Step = Step {
    from: &["pending", "active", "quarantined"],
    to: "retired",
    event: "host.retired",
};

macro_rules! step {
    ($name:ident, $step:ident) => {
        pub(super) async fn $name(
            State(state): State<AppState>,
            call: Call,
            Path(id): Path<String>,
            OptionalBody(body): OptionalBody<UserReason>,
        ) -> Result<Response, Refused> {
            take(&state, &call, (&id, &body), &$step).await
        }
    };
}
step!(approve, APPROVE);
step!(reject, REJECT);
step!(quarantine, QUARANTINE);
step!(unquarantine, UNQUARANTINE);
step!(retire, RETIRE);

async fn take(
    state: &AppState,
    call: &Call,
    (id, body): (&str, &UserReason),
    step: &Step,
) -> Result<Response, Refused> {
    let mut act = Act::begin(state, &call.origin).await?;
    let row = HostRow::find(act.database(), id).await?;
    call.check_version(row.version)?;
    if row.state != step.to {
        if !step.from.contains(&row.state.as_str()) {
            return Err(Refused::conflict(format!(
                "The host is {}; this step is for hosts that are {}.",
                row.state,
                step.from.join(" or ")
            )));
        }
        let now = act.now_ms();
        sqlx::query(
            "UPDATE hosts SET state = $2, updated_at = $3, version = version + 1 WHERE id = $1",
        )
        .bind(&row.id)
        .bind(step.to)
        .bind(now)
        .execute(act.database())
        .await?;
        act.record(
            Draft::new(step.event)
                .target("host", &row.id, &row.hostname)
                .host(&row.id, &row.hostname)
                .detail("previous_state", row.state)
                .detail("reason", body.reason.clone())
                .severity(Severity::Notice),
        )
        .await?;
        act.touch_host(&row.id);
    }
    let row = HostRow::find(act.database(), &row.id).await?;
    let host = row.shown(act.database(), call.now()).await?;
    act.finish(StatusCode::OK, &host, Some(row.version)).await
}

/// Looks anew at what this host should have, and publishes it if that differs.
pub(super) async fn sync(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = HostRow::find(act.database(), &id).await?;
    act.record(
        Draft::new("host.sync_requested")
            .target("host", &row.id, &row.hostname)
            .host(&row.id, &row.hostname),
    )
    .await?;
    act.touch_host(&row.id);
    let host = row.shown(act.database(), call.now()).await?;
    act.finish(StatusCode::ACCEPTED, &host, Some(row.version))
        .await
}
