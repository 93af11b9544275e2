//! What hosts have in force, and how long it took from the change until then. Acknowledgements that
//! come together are written together: a revocation is answered by every host in the same moment,
//! and each is told "stored" only when it is.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use directory_api::agent::Acknowledgement;
use posix_names::clean_line;
use tokio::sync::{mpsc, oneshot};

use super::HostChannel;
use super::caller::Caller;
use crate::http::{Body, Refused};
use crate::store::{Store, Writing};

const REFUSED_BYTES_MAX: usize = 512;
const ENDED_MAX: usize = 10_000;
/// Acknowledgements kept of a host, the newest; it may say what it likes as often as it likes.
const KEPT_MAX: i64 = 100;
/// What follows within this time is written with the first.
const GATHER: Duration = Duration::from_millis(5);
/// Written in one transaction, so that other writers get their turn.
const TOGETHER_MAX: usize = 256;

pub(super) async fn acknowledge(
    caller: Caller,
    State(channel): State<HostChannel>,
    Body(ack): Body<Acknowledgement>,
) -> Result<StatusCode, Refused> {
    if ack.ended.len() > ENDED_MAX {
        return Err(Refused::invalid("ended", "Too many users at once."));
    }
    if let Some(why) = &ack.refused {
        let why = clean_line(why, REFUSED_BYTES_MAX);
        tracing::warn!(host = %caller.hostname, %why, "a host refused its bundle");
    }
    let now = channel.app.clock.now().as_millisecond();
    channel.acks.store(Word { caller, ack, now }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What a host said, and when.
struct Word {
    caller: Caller,
    ack: Acknowledgement,
    now: i64,
}

type Waiting = (Word, oneshot::Sender<Result<(), Refused>>);

/// The one writer of acknowledgements.
#[derive(Clone)]
pub(super) struct AckWriter(mpsc::Sender<Waiting>);

impl AckWriter {
    /// Starts it; it ends when nobody can reach it any more.
    pub(super) fn start(store: Store) -> Self {
        let (sender, mut inbox) = mpsc::channel(TOGETHER_MAX);
        tokio::spawn(async move {
            let mut together: Vec<Waiting> = Vec::new();
            while inbox.recv_many(&mut together, TOGETHER_MAX).await > 0 {
                tokio::time::sleep(GATHER).await;
                while together.len() < TOGETHER_MAX
                    && let Ok(next) = inbox.try_recv()
                {
                    together.push(next);
                }
                let written = write(&store, &together).await;
                for (_, answer) in together.drain(..) {
                    // Whoever asked may have gone.
                    let _ = answer.send(written.clone());
                }
            }
        });
        Self(sender)
    }

    /// Returns when it is on disk.
    async fn store(&self, word: Word) -> Result<(), Refused> {
        let (answer, written) = oneshot::channel();
        // Only a writer that has panicked is gone.
        self.0.send((word, answer)).await.map_err(|_| ended())?;
        written.await.map_err(|_| ended())?
    }
}

fn ended() -> Refused {
    Refused::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_ready",
        "The directory stores no acknowledgements now.",
    )
}

async fn write(store: &Store, words: &[Waiting]) -> Result<(), Refused> {
    let mut tx = store.write().await?;
    let newest: Option<i64> = sqlx::query_scalar("SELECT MAX(sequence) FROM fast_lane")
        .fetch_one(&mut *tx)
        .await?;
    for (word, _) in words {
        let claim = Claim::checked(&mut tx, word, newest.unwrap_or_default()).await?;
        // A host that has gone since must not keep the others' words from being stored.
        let Some(claim) = claim else { continue };
        let latency = claim.latency_ms(&mut tx, word).await?;
        claim.store(&mut tx, word, latency).await?;
    }
    Ok(tx.commit().await?)
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
    /// `None` for a host that is not there any more.
    async fn checked(tx: &mut Writing, word: &Word, newest: i64) -> Result<Option<Self>, Refused> {
        let (caller, ack) = (&word.caller, &word.ack);
        let host: Option<(i64, i64, i64)> = sqlx::query_as(
            "SELECT bundle_version, acked_version, acked_sequence FROM hosts WHERE id = $1",
        )
        .bind(&caller.id)
        .fetch_optional(&mut **tx)
        .await?;
        let Some((published, acked_version, acked_sequence)) = host else {
            return Ok(None);
        };
        let bundle_version = i64::try_from(ack.bundle_version).unwrap_or(i64::MAX);
        let sequence = i64::try_from(ack.fast_lane_sequence).unwrap_or(i64::MAX);
        if bundle_version > published || sequence > newest {
            tracing::warn!(host = %caller.hostname, "has what this directory never made; restored?");
        }
        Ok(Some(Self {
            bundle_version: bundle_version.min(published),
            sequence: sequence.min(newest),
            acked_sequence,
            bundle_is_new: bundle_version > acked_version,
            sequence_is_new: sequence > acked_sequence,
        }))
    }

    /// From the change (the revocation, else the manifest) to this word of the host.
    async fn latency_ms(&self, tx: &mut Writing, word: &Word) -> Result<Option<i64>, sqlx::Error> {
        let since: Option<i64> = if self.sequence_is_new {
            sqlx::query_scalar("SELECT created_at FROM fast_lane WHERE sequence = $1")
                .bind(self.sequence)
                .fetch_optional(&mut **tx)
                .await?
        } else if self.bundle_is_new {
            sqlx::query_scalar(
                "SELECT issued_at FROM manifests WHERE host_id = $1 AND version = $2",
            )
            .bind(&word.caller.id)
            .bind(self.bundle_version)
            .fetch_optional(&mut **tx)
            .await?
        } else {
            None
        };
        Ok(since.map(|since| (word.now - since).max(0)))
    }

    /// The first word on a state keeps its time: a repeated one changes nothing but what it adds.
    async fn store(
        &self,
        tx: &mut Writing,
        word: &Word,
        latency: Option<i64>,
    ) -> Result<(), Refused> {
        let (host, refused) = (&word.caller.id, word.ack.refused.as_deref());
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
        .bind(host)
        .bind(self.bundle_version)
        .bind(self.sequence)
        .bind(word.now)
        .bind(word.ack.host_time_ms)
        .bind(latency)
        .bind(serde_json::to_string(&word.ack.ended)?)
        .bind(refused.map(|why| clean_line(why, REFUSED_BYTES_MAX)))
        .execute(&mut **tx)
        .await?;
        sqlx::query(
            "UPDATE hosts SET acked_version = $1, acked_sequence = $2,
                              acked_at = $3, last_seen = $3,
                              confirmed_removals = CASE WHEN confirmed_over < $1 THEN 0
                                                        ELSE confirmed_removals END
             WHERE id = $4",
        )
        .bind(self.bundle_version)
        .bind(self.sequence.max(self.acked_sequence))
        .bind(word.now)
        .bind(host)
        .execute(&mut **tx)
        .await?;
        forget_oldest(tx, host).await
    }
}

async fn forget_oldest(tx: &mut Writing, host: &str) -> Result<(), Refused> {
    sqlx::query(
        "DELETE FROM acknowledgements
         WHERE host_id = $1 AND (bundle_version, fast_lane_sequence) IN
           (SELECT bundle_version, fast_lane_sequence FROM acknowledgements WHERE host_id = $1
            ORDER BY received_at DESC, bundle_version DESC, fast_lane_sequence DESC
            LIMIT 1000 OFFSET $2)",
    )
    .bind(host)
    .bind(KEPT_MAX)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
