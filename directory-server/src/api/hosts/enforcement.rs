//! Whether hosts have in force what the directory has decided, with the time it took.

use axum::Json;
use axum::extract::{Path, State};
use directory_api::rest::{Enforcement, EnforcementReport, EnforcementState, Time};
use sqlx::SqliteConnection;

use super::HostRow;
use crate::api::users::UserRow;
use crate::http::{Call, Refused};
use crate::reach::{World, moment};
use crate::state::AppState;

pub(super) async fn of_host(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Json<EnforcementReport>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let row = HostRow::find(&mut snapshot, &id).await?;
    let newest = newest_sequence(&mut snapshot).await?;
    Ok(Json(EnforcementReport {
        hosts: vec![enforcement(&mut snapshot, &row, newest, &call).await?],
    }))
}

/// On every host that the user can or could reach: the newest revocation of theirs, or the newest
/// bundle where there was none.
pub(super) async fn of_user(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Json<EnforcementReport>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let user = UserRow::find(&mut snapshot, &id).await?;
    let sequence: i64 =
        sqlx::query_scalar("SELECT COALESCE(MAX(sequence), 0) FROM fast_lane WHERE subject = $1")
            .bind(&user.id)
            .fetch_one(&mut *snapshot)
            .await?;
    let world = World::load(&mut snapshot).await?;
    let person = world.people.iter().find(|person| person.id == user.id);
    let mut report = EnforcementReport::default();
    for host in &world.hosts {
        if person.is_some_and(|person| world.could_reach(person, host)) {
            let row = HostRow::find(&mut snapshot, &host.id).await?;
            report
                .hosts
                .push(enforcement(&mut snapshot, &row, sequence, &call).await?);
        }
    }
    Ok(Json(report))
}

async fn newest_sequence(database: &mut SqliteConnection) -> Result<i64, Refused> {
    Ok(
        sqlx::query_scalar("SELECT COALESCE(MAX(sequence), 0) FROM fast_lane")
            .fetch_one(database)
            .await?,
    )
}

async fn enforcement(
    database: &mut SqliteConnection,
    row: &HostRow,
    sequence: i64,
    call: &Call,
) -> Result<Enforcement, Refused> {
    // The first word of the host that covers this revocation, or this bundle.
    let latency: Option<i64> = sqlx::query_scalar(
        "SELECT latency_ms FROM acknowledgements
         WHERE host_id = $1 AND latency_ms IS NOT NULL
           AND (($2 > 0 AND fast_lane_sequence >= $2) OR ($2 = 0 AND bundle_version >= $3))
         ORDER BY received_at LIMIT 1",
    )
    .bind(&row.id)
    .bind(sequence)
    .bind(row.bundle_version)
    .fetch_optional(database)
    .await?
    .flatten();
    let confirmed = row.acked_version >= row.bundle_version && row.acked_sequence >= sequence;
    let state = if confirmed {
        EnforcementState::Active
    } else if row.is_stale(call.now()) {
        EnforcementState::Unreachable
    } else {
        EnforcementState::Pending
    };
    Ok(Enforcement {
        host_id: row.id.clone(),
        host: row.hostname.clone(),
        state,
        published_version: row.bundle_version.unsigned_abs(),
        acked_version: row.acked_version.unsigned_abs(),
        published_sequence: sequence.unsigned_abs(),
        acked_sequence: row.acked_sequence.unsigned_abs(),
        acked_at: moment(row.acked_at).map(Time),
        latency_ms: latency.map(i64::unsigned_abs),
    })
}
