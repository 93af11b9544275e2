//! What hosts have in force, and how long it took from the change until then.

use axum::extract::State;
use axum::http::StatusCode;
use directory_api::agent::Acknowledgement;
use posix_names::clean_line;

use super::HostChannel;
use super::caller::Caller;
use crate::http::{Body, Refused};
use crate::store::Writing;

const REFUSED_BYTES_MAX: usize = 512;
const ENDED_MAX: usize = 10_000;

pub(super) async fn acknowledge(
    caller: Caller,
    State(channel): State<HostChannel>,
    Body(ack): Body<Acknowledgement>,
) -> Result<StatusCode, Refused> {
    if ack.ended.len() > ENDED_MAX {
        return Err(Refused::invalid("ended", "Too many users at once."));
    }
    let now = channel.app.clock.now().as_millisecond();
    let mut tx = channel.app.store.write().await?;
    let claim = Claim::checked(&mut tx, &caller, &ack).await?;
    let latency = claim.latency_ms(&mut tx, &caller, now).await?;
    claim.store(&mut tx, &caller, (now, latency), &ack).await?;
    tx.commit().await?;
    if let Some(why) = &ack.refused {
        let why = clean_line(why, REFUSED_BYTES_MAX);
        tracing::warn!(host = %caller.hostname, %why, "a host refused its bundle");
    }
    Ok(StatusCode::NO_CONTENT)
}

/// What a host says it has in force, as far as it can be true.
struct Claim {
    bundle_version: i64,
    sequence: i64,
    acked_sequence: i64,
    /// Newer than what it said before.
    bundle_is_new: bool,
    sequence_is_new: bool,
}

impl Claim {
    async fn checked(
        tx: &mut Writing,
        caller: &Caller,
        ack: &Acknowledgement,
    ) -> Result<Self, Refused> {
        let (published, acked_version, acked_sequence): (i64, i64, i64) = sqlx::query_as(
            "SELECT bundle_version, acked_version, acked_sequence FROM hosts WHERE id = $1",
        )
        .bind(&caller.id)
        .fetch_one(&mut **tx)
        .await?;
        let newest: Option<i64> = sqlx::query_scalar("SELECT MAX(sequence) FROM fast_lane")
            .fetch_one(&mut **tx)
            .await?;
        let bundle_version = i64::try_from(ack.bundle_version).unwrap_or(i64::MAX);
        let sequence = i64::try_from(ack.fast_lane_sequence).unwrap_or(i64::MAX);
        if bundle_version > published || sequence > newest.unwrap_or_default() {
            tracing::warn!(host = %caller.hostname, "has what this directory never made; restored?");
        }
        Ok(Self {
            bundle_version: bundle_version.min(published),
            sequence: sequence.min(newest.unwrap_or_default()),
            acked_sequence,
            bundle_is_new: bundle_version > acked_version,
            sequence_is_new: sequence > acked_sequence,
        })
    }

    /// From the change (the revocation, else the manifest) to this word of the host.
    async fn latency_ms(
        &self,
        tx: &mut Writing,
        caller: &Caller,
        now: i64,
    ) -> Result<Option<i64>, sqlx::Error> {
        let since: Option<i64> = if self.sequence_is_new {
            sqlx::query_scalar("SELECT created_at FROM fast_lane WHERE sequence = $1")
                .bind(self.sequence)
                .fetch_optional(&mut **tx)
                .await?
        } else if self.bundle_is_new {
            sqlx::query_scalar(
                "SELECT issued_at FROM manifests WHERE host_id = $1 AND version = $2",
            )
            .bind(&caller.id)
            .bind(self.bundle_version)
            .fetch_optional(&mut **tx)
            .await?
        } else {
            None
        };
        Ok(since.map(|since| (now - since).max(0)))
    }

    /// The first word on a state keeps its time: a repeated one changes nothing but what it adds.
    async fn store(
        &self,
        tx: &mut Writing,
        caller: &Caller,
        (now, latency): (i64, Option<i64>),
        ack: &Acknowledgement,
    ) -> Result<(), Refused> {
        sqlx::query(
            "INSERT INTO acknowledgements
             (host_id, bundle_version, fast_lane_sequence, received_at, host_time_ms, latency_ms,
              ended, refused)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (host_id, bundle_version, fast_lane_sequence) DO UPDATE SET
              ended = CASE WHEN excluded.ended = '[]' THEN acknowledgements.ended
                           ELSE excluded.ended END,
              refused = excluded.refused",
        )
        .bind(&caller.id)
        .bind(self.bundle_version)
        .bind(self.sequence)
        .bind(now)
        .bind(ack.host_time_ms)
        .bind(latency)
        .bind(serde_json::to_string(&ack.ended)?)
        .bind(
            ack.refused
                .as_deref()
                .map(|why| clean_line(why, REFUSED_BYTES_MAX)),
        )
        .execute(&mut **tx)
        .await?;
        sqlx::query(
            "UPDATE hosts SET acked_version = $1, acked_sequence = $2,
                              acked_at = $3, last_seen = $3 WHERE id = $4",
        )
        .bind(self.bundle_version)
        .bind(self.sequence.max(self.acked_sequence))
        .bind(now)
        .bind(&caller.id)
        .execute(&mut **tx)
        .await?;
        Ok(())
    }
}
