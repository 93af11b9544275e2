//! A change goes to the canaries first, and to the others once every canary has it in force. One that
//! refuses its bundle, or falls silent over it, stops the roll-out by itself: the others keep what
//! they have until the canary takes what is published next. Revocations do not wait: they go by the
//! fast lane.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use policy::{Effect, Selector};
use sqlx::FromRow;

use super::world::WorldHost;
use crate::config;
use crate::store::Store;

/// A canary that was not heard of for so long before its bundle was made says nothing about it.
const HEARD_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// What the canaries say about what was published for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The others may have it.
    Clear,
    /// Not all have answered yet.
    Wait,
    /// Something is wrong, in words.
    Stop(String),
}

/// Which hosts get changes first, and how long they may take to answer.
#[derive(Debug)]
pub(super) struct Canaries {
    selector: Option<Selector>,
    wait: SignedDuration,
}

/// A host with the newest thing that was made for it and the last thing it said.
#[derive(Debug, FromRow)]
struct Canary {
    hostname: String,
    published: i64,
    issued_at: i64,
    in_force: i64,
    last_seen: Option<i64>,
    /// Of the state it is in; the moment is that of its last word, and the refusal is part of it.
    refused: Option<String>,
    said_at: Option<i64>,
}

impl Canaries {
    pub(super) fn new(settings: &config::Publish) -> Self {
        Self {
            selector: settings.canaries.clone(),
            wait: settings.canary_wait,
        }
    }

    /// Whether a host gets changes first. A tag that it gave itself makes it no canary: it could
    /// hold everybody up.
    pub(super) fn include(&self, host: &WorldHost) -> bool {
        let selector = self.selector.as_ref();
        selector.is_some_and(|selector| selector.matches_for(Effect::Allow, &host.policy))
    }

    /// What these canaries say now.
    pub(super) async fn verdict(
        &self,
        store: &Store,
        canaries: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<Verdict, sqlx::Error> {
        let mut verdict = Verdict::Clear;
        for host in canaries {
            let canary: Option<Canary> = sqlx::query_as(
                "SELECT hostname, hosts.bundle_version AS published, issued_at, acked_version AS in_force,
                        last_seen, refused, acked_at AS said_at
                 FROM hosts
                 JOIN manifests ON manifests.host_id = hosts.id
                               AND manifests.version = hosts.bundle_version
                 LEFT JOIN acknowledgements ON acknowledgements.host_id = hosts.id
                               AND acknowledgements.bundle_version = hosts.acked_version
                               AND acknowledgements.fast_lane_sequence = hosts.acked_sequence
                 WHERE hosts.id = $1",
            )
            .bind(host)
            .fetch_optional(store.read())
            .await?;
            match canary.map(|canary| canary.verdict(self.wait, now)) {
                Some(Verdict::Clear) | None => {}
                Some(Verdict::Wait) => verdict = Verdict::Wait,
                Some(stop @ Verdict::Stop(_)) => return Ok(stop),
            }
        }
        Ok(verdict)
    }
}

impl Canary {
    fn verdict(&self, wait: SignedDuration, now: Timestamp) -> Verdict {
        let heard_before = self.last_seen.unwrap_or(i64::MIN);
        let silent = self.issued_at.saturating_sub(milliseconds(HEARD_WITHIN));
        if self.in_force >= self.published || heard_before < silent {
            return Verdict::Clear;
        }
        if let Some(why) = &self.refused
            && self.said_at >= Some(self.issued_at)
        {
            let hostname = &self.hostname;
            return Verdict::Stop(format!("{hostname} refuses its bundle: {why}"));
        }
        let patience = self.issued_at.saturating_add(milliseconds(wait));
        if now.as_millisecond() > patience {
            let hostname = &self.hostname;
            return Verdict::Stop(format!("{hostname} says nothing about its bundle"));
        }
        Verdict::Wait
    }
}

fn milliseconds(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
