//! The push stream. First what the host has missed, then what happens: revocations before bundles.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Query, State};
use axum::response::Sse;
use axum::response::sse::Event;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use directory_api::agent::stream::{FAST, MANIFEST, PING, TIME};
use futures_util::Stream;
use serde::Deserialize;
use tokio::sync::{broadcast, mpsc, watch};

use super::HostChannel;
use super::caller::Caller;
use crate::http::Refused;
use crate::publish::fast_lane;

const PING_INTERVAL: Duration = Duration::from_secs(15);
/// Every so many pings the time is signed anew.
const PINGS_PER_TIME: u32 = 4;
/// Messages that a host may be slow to take.
const OUTBOX: usize = 64;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    /// The newest revocation the host has; else what it has acknowledged.
    fast_after: Option<u64>,
}

/// One open stream.
struct Open {
    channel: HostChannel,
    host: String,
    versions: watch::Receiver<u64>,
    revocations: broadcast::Receiver<(u64, Arc<str>)>,
    /// Newest revocation sent on this stream.
    sequence: u64,
    outbox: mpsc::Sender<Event>,
}

/// The host is gone, or must begin anew.
struct Ended;

pub(super) async fn stream(
    caller: Caller,
    Query(from): Query<From>,
    State(channel): State<HostChannel>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refused> {
    let (outbox, inbox) = mpsc::channel(OUTBOX);
    let acknowledged = caller.acked_sequence.unsigned_abs();
    // Listening begins before the look into the database, so that nothing falls between the two.
    let open = Open {
        versions: channel.wakes.follow(&caller.id),
        revocations: channel.app.fast_lane.subscribe(),
        sequence: from.fast_after.unwrap_or(acknowledged),
        outbox,
        host: caller.id.clone(),
        channel,
    };
    let missed = open.missed().await?;
    let version: Option<i64> =
        sqlx::query_scalar("SELECT MAX(version) FROM manifests WHERE host_id = $1")
            .bind(&caller.id)
            .fetch_one(open.channel.app.store.read())
            .await?;
    let version = version.unwrap_or_default().unsigned_abs();
    let displaced = open.channel.streams.open(&caller.id);
    let streams = open.channel.streams.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = open.run(missed, version) => {}
            // Newer streams of the same host have taken its place.
            _ = displaced => {}
        }
        streams.ended(&caller.id);
    });
    let events = futures_util::stream::unfold(inbox, |mut inbox| async move {
        let event = inbox.recv().await?;
        Some((Ok(event), inbox))
    });
    Ok(Sse::new(events))
}

impl Open {
    /// Revocations the host does not have yet, signed.
    async fn missed(&self) -> Result<Vec<(u64, String)>, Refused> {
        let after = i64::try_from(self.sequence).unwrap_or(i64::MAX);
        let rows = fast_lane::after(&self.channel.app, after).await?;
        let signed = rows.iter().map(|row| {
            let sequence = row.sequence.unsigned_abs();
            (sequence, fast_lane::sign(&self.channel.keys, row))
        });
        Ok(signed.collect())
    }

    async fn run(mut self, missed: Vec<(u64, String)>, version: u64) -> Result<(), Ended> {
        for (sequence, message) in missed {
            self.revocation(sequence, &message).await?;
        }
        self.time().await?;
        if version > 0 {
            self.version(version).await?;
        }
        let mut ping = tokio::time::interval(PING_INTERVAL);
        let mut pings: u32 = 0;
        loop {
            tokio::select! {
                biased;
                revocation = self.revocations.recv() => {
                    // One that was missed here comes again when the host connects anew.
                    let (sequence, message) = revocation.map_err(|_| Ended)?;
                    self.revocation(sequence, &message).await?;
                }
                changed = self.versions.changed() => {
                    // Nobody makes bundles for a host that is retired.
                    changed.map_err(|_| Ended)?;
                    let version = *self.versions.borrow_and_update();
                    self.version(version).await?;
                }
                _ = ping.tick() => {
                    pings = pings.wrapping_add(1);
                    self.send(Event::default().event(PING).data("")).await?;
                    self.alive().await;
                    if pings.is_multiple_of(PINGS_PER_TIME) {
                        self.time().await?;
                    }
                }
                () = self.outbox.closed() => return Err(Ended),
            }
        }
    }

    async fn revocation(&mut self, sequence: u64, message: &str) -> Result<(), Ended> {
        if sequence <= self.sequence {
            return Ok(());
        }
        self.sequence = sequence;
        self.send(Event::default().event(FAST).data(message)).await
    }

    async fn version(&self, version: u64) -> Result<(), Ended> {
        let event = Event::default().event(MANIFEST);
        self.send(event.data(version.to_string())).await
    }

    async fn time(&self) -> Result<(), Ended> {
        let time = self.channel.keys.time(self.channel.app.clock.now());
        let event = Event::default().event(TIME);
        self.send(event.data(BASE64_STANDARD.encode(time))).await
    }

    /// An open stream is a sign of life; one that cannot be written down ends nothing.
    async fn alive(&self) {
        let (channel, now) = (&self.channel, self.channel.app.clock.now());
        if let Err(error) = channel.seen.note(&channel.app.store, &self.host, now).await {
            tracing::warn!(%error, "a sign of life was not written down");
        }
    }

    async fn send(&self, event: Event) -> Result<(), Ended> {
        self.outbox.send(event).await.map_err(|_| Ended)
    }
}
