//! Events of hosts. They come at least once and are stored exactly once, named by (host, boot,
//! sequence). The host's own chain is checked: what does not fit is stored too, with an alarm.

use axum::Json;
use axum::extract::State;
use directory_api::agent::{EventBatch, EventsStored, HOST_EVENT_KINDS, HostEvent};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::HostChannel;
use super::caller::Caller;
use crate::audit::{self, Draft, Outcome, Severity};
use crate::factors::burn_offline;
use crate::http::{Body, Refused};
use crate::store::Writing;

const EVENTS_MAX: usize = 1000;
const EVENT_BYTES_MAX: usize = 64 * 1024;
const WORD_BYTES_MAX: usize = 64;
/// What an event becomes that hosts do not write: it is kept, but cannot pass for an act of the
/// directory, and a newer host's events do not wait for ever.
const UNKNOWN_KIND: &str = "host.event_unknown";
/// A host accepted a code while it was cut off.
const OFFLINE_CODE: &str = "auth.mfa_offline";
const OUTCOMES: [&str; 4] = ["success", "failure", "denied", "error"];

/// Where a host's chain stands in the directory.
#[derive(Debug, Clone, Default, sqlx::FromRow)]
struct Link {
    boot: String,
    sequence: i64,
    hash: String,
}

pub(super) async fn take(
    caller: Caller,
    State(channel): State<HostChannel>,
    Body(batch): Body<EventBatch>,
) -> Result<Json<EventsStored>, Refused> {
    if batch.events.len() > EVENTS_MAX {
        let detail = format!("At most {EVENTS_MAX} events can come at once.");
        return Err(Refused::invalid("events", detail));
    }
    let mut events = batch.events;
    events.iter().try_for_each(check)?;
    // The order of a batch is that of its boot; one that was shuffled on its way is put right.
    if events.iter().all(|event| event.boot == batch.boot) {
        events.sort_by_key(|event| event.sequence);
    }
    let mut tx = channel.app.store.write().await?;
    let mut last = newest(&mut tx, &caller.id).await?;
    for event in &events {
        store(&mut tx, (&channel, &caller), event, &mut last).await?;
    }
    tx.commit().await?;
    let stored = match events.last() {
        Some(event) => EventsStored {
            boot: event.boot.clone(),
            sequence: event.sequence,
        },
        None => EventsStored {
            boot: last.boot,
            sequence: last.sequence.unsigned_abs(),
        },
    };
    Ok(Json(stored))
}

fn check(event: &HostEvent) -> Result<(), Refused> {
    let is_word = |word: &str, more: &[u8]| {
        (1..=WORD_BYTES_MAX).contains(&word.len())
            && word.bytes().all(|byte| {
                byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte)
            })
    };
    let fits = is_word(&event.boot, b"-")
        && is_word(&event.kind, b"._")
        && OUTCOMES.contains(&event.outcome.as_str())
        && i64::try_from(event.sequence).is_ok_and(|sequence| sequence > 0)
        && (event.details.is_object() || event.details.is_null())
        && event.hashed_bytes().len() <= EVENT_BYTES_MAX;
    if fits {
        return Ok(());
    }
    let detail = format!("Event {} is not one that hosts write.", event.sequence);
    Err(Refused::invalid("events", detail))
}

async fn store(
    tx: &mut Writing,
    (channel, caller): (&HostChannel, &Caller),
    event: &HostEvent,
    last: &mut Link,
) -> Result<(), Refused> {
    let sequence = i64::try_from(event.sequence).unwrap_or(i64::MAX);
    let known: Option<String> = sqlx::query_scalar(
        "SELECT hash FROM host_events WHERE host_id = $1 AND boot = $2 AND sequence = $3",
    )
    .bind(&caller.id)
    .bind(&event.boot)
    .bind(sequence)
    .fetch_optional(&mut **tx)
    .await?;
    match known {
        Some(hash) if hash == event.hash => return Ok(()),
        Some(_) => {
            return alarm(tx, (channel, caller), "host.tamper_suspected", event).await;
        }
        None => {}
    }
    let digest = Sha256::digest(event.hashed_bytes());
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    if digest != event.hash {
        alarm(tx, (channel, caller), "host.tamper_suspected", event).await?;
    } else if event.previous_hash != last.hash {
        alarm(tx, (channel, caller), "events.gap", event).await?;
    }
    let seq = append(tx, (channel, caller), event).await?;
    if event.kind == OFFLINE_CODE && event.outcome == "success" {
        burn(tx, (channel, caller), event).await?;
    }
    sqlx::query(
        "INSERT INTO host_events (host_id, boot, sequence, seq, hash) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&caller.id)
    .bind(&event.boot)
    .bind(sequence)
    .bind(i64::try_from(seq).unwrap_or(i64::MAX))
    .bind(&event.hash)
    .execute(&mut **tx)
    .await?;
    // One that comes late does not move the end of the chain back.
    if event.boot != last.boot || sequence > last.sequence {
        *last = Link {
            boot: event.boot.clone(),
            sequence,
            hash: event.hash.clone(),
        };
    }
    Ok(())
}

/// What a host accepted by itself is burnt for all; the second time it is an alarm.
async fn burn(
    tx: &mut Writing,
    (channel, caller): (&HostChannel, &Caller),
    event: &HostEvent,
) -> Result<(), Refused> {
    let user: Option<String> = sqlx::query_scalar("SELECT id FROM users WHERE username = $1")
        .bind(&event.user)
        .fetch_optional(&mut **tx)
        .await?;
    let Some(user) = user else {
        return Ok(());
    };
    let whose = (
        (user.as_str(), event.user.as_str()),
        (caller.id.as_str(), caller.hostname.as_str()),
    );
    let times = (event.time_ms, caller.origin.now.as_millisecond());
    let app = &channel.app;
    if let Some(alarm) = burn_offline(tx, whose, &event.details, times).await? {
        audit::append(tx, &app.organisation.id, alarm, &caller.origin, &app.random).await?;
    }
    Ok(())
}

async fn newest(tx: &mut Writing, host: &str) -> Result<Link, sqlx::Error> {
    let newest: Option<Link> = sqlx::query_as(
        "SELECT boot, sequence, hash FROM host_events WHERE host_id = $1
         ORDER BY seq DESC LIMIT 1",
    )
    .bind(host)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(newest.unwrap_or_default())
}

async fn alarm(
    tx: &mut Writing,
    (channel, caller): (&HostChannel, &Caller),
    kind: &'static str,
    event: &HostEvent,
) -> Result<(), Refused> {
    tracing::warn!(host = %caller.hostname, %kind, sequence = event.sequence, "the host's events");
    let draft = Draft::new(kind)
        .outcome(Outcome::Error)
        .severity(Severity::Critical)
        .host(&caller.id, &caller.hostname)
        .detail("boot", event.boot.as_str())
        .detail("sequence", event.sequence);
    let app = &channel.app;
    audit::append(tx, &app.organisation.id, draft, &caller.origin, &app.random).await?;
    Ok(())
}

/// Both clocks are kept: the host's as the time of the event, the directory's as its receipt.
async fn append(
    tx: &mut Writing,
    (channel, caller): (&HostChannel, &Caller),
    event: &HostEvent,
) -> Result<u64, Refused> {
    let (outcome, severity) = match event.outcome.as_str() {
        "success" => (Outcome::Success, Severity::Info),
        "failure" => (Outcome::Failure, Severity::Notice),
        "denied" => (Outcome::Denied, Severity::Notice),
        _ => (Outcome::Error, Severity::Warning),
    };
    let known = HOST_EVENT_KINDS.contains(&event.kind.as_str());
    let kind = if known { &event.kind } else { UNKNOWN_KIND };
    let mut draft = Draft::new(kind)
        .outcome(outcome)
        .severity(severity)
        .host(&caller.id, &caller.hostname);
    if !event.user.is_empty() {
        let id: Option<String> = sqlx::query_scalar("SELECT id FROM users WHERE username = $1")
            .bind(&event.user)
            .fetch_optional(&mut **tx)
            .await?;
        draft = draft.target("user", &id.unwrap_or_default(), &event.user);
    }
    if let Value::Object(details) = &event.details {
        for (name, value) in details {
            draft = draft.detail(name, value.clone());
        }
    }
    if !known {
        draft = draft.detail("kind", event.kind.as_str());
    }
    let place = json!({
        "host": caller.id,
        "boot": event.boot,
        "seq": event.sequence,
        "prev_hash": event.previous_hash,
        "hash": event.hash,
    });
    let time = Timestamp::from_millisecond(event.time_ms).unwrap_or_default();
    let app = &channel.app;
    let now = (caller.origin.now, &app.random);
    audit::append_of_host(tx, &app.organisation.id, draft, (time, place), now).await
}
