//! Everything that happened, in one hash chain. An event of an administrator's act is written in
//! the transaction of the act: either both are there or neither.

mod draft;
mod read;
mod verify;

use directory_api::rest::{Event, Time};
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use draft::{Draft, Outcome, Severity};
pub use read::{Search, by_id, newest_seq, page, search};
pub use verify::verify;

use crate::clock::Random;
use crate::http::{Origin, Refused};
use crate::id::Kind;
use crate::store::Writing;

const EVENT_BYTES_MAX: usize = 64 * 1024;
const PAYLOAD_VERSION: u32 = 1;

/// Appends an event of this directory.
///
/// # Errors
/// The log cannot be written; the act must not happen.
pub async fn append(
    tx: &mut Writing,
    organisation: &str,
    draft: Draft,
    origin: &Origin,
    random: &Random,
) -> Result<u64, Refused> {
    let mut event = draft.into_event(organisation, origin.now);
    event.actor = origin.actor.clone();
    event.source = origin.source.map(|source| source.to_string());
    event.request_id = Some(origin.request_id.clone());
    write(tx, event, random).await
}

/// Appends an event that a host reported: `time` is the host's clock, `place` its place in the
/// host's own chain.
///
/// # Errors
/// The log cannot be written.
pub async fn append_of_host(
    tx: &mut Writing,
    organisation: &str,
    draft: Draft,
    (time, place): (Timestamp, Value),
    (received_at, random): (Timestamp, &Random),
) -> Result<u64, Refused> {
    let mut event = draft.into_event(organisation, received_at);
    event.actor = event.host.clone().unwrap_or_default();
    event.time = Time(time);
    event.origin = Some(place);
    write(tx, event, random).await
}

async fn write(tx: &mut Writing, mut event: Event, random: &Random) -> Result<u64, Refused> {
    let (seq, prev_hash): (i64, String) =
        sqlx::query_as("SELECT seq, hash FROM events_head WHERE one = 1")
            .fetch_one(&mut **tx)
            .await?;
    let seq = seq + 1;
    event.id = Kind::Event.new_id(event.received_at.0, random)?;
    event.seq = seq.unsigned_abs();
    event.prev_hash.clone_from(&prev_hash);
    let body = body_of(&event)?;
    let hash = hash_of(&prev_hash, &body);
    sqlx::query(
        "INSERT INTO events
           (seq, id, time, kind, outcome, actor_id, target_id, host_id, body, prev_hash, hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(seq)
    .bind(&event.id)
    .bind(event.time.as_millisecond())
    .bind(&event.kind)
    .bind(&event.outcome)
    .bind(&event.actor.id)
    .bind(event.target.as_ref().map_or("", |target| &target.id))
    .bind(event.host.as_ref().map_or("", |host| &host.id))
    .bind(&body)
    .bind(&prev_hash)
    .bind(&hash)
    .execute(&mut **tx)
    .await?;
    sqlx::query("UPDATE events_head SET seq = $1, hash = $2 WHERE one = 1")
        .bind(seq)
        .bind(&hash)
        .execute(&mut **tx)
        .await?;
    Ok(event.seq)
}

/// The event without its two hashes, as the text that is stored and hashed. Details that would
/// make it too large are left out, and it says so.
fn body_of(event: &Event) -> Result<String, serde_json::Error> {
    let text = |event: &Event| {
        let mut value = serde_json::to_value(event)?;
        if let Value::Object(fields) = &mut value {
            fields.remove("hash");
            fields.remove("prev_hash");
        }
        serde_json::to_string(&value)
    };
    let body = text(event)?;
    if body.len() <= EVENT_BYTES_MAX {
        return Ok(body);
    }
    let mut shorter = event.clone();
    shorter.changes.clear();
    shorter.details.clear();
    shorter
        .details
        .insert("truncated".to_owned(), Value::Bool(true));
    text(&shorter)
}

/// `SHA-256(previous hash | body)`, hex.
fn hash_of(prev_hash: &str, body: &str) -> String {
    let hash = Sha256::new()
        .chain_update(prev_hash)
        .chain_update("|")
        .chain_update(body)
        .finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
