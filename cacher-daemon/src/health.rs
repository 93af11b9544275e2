//! How the host stands with its directory, for the status and for logins: online or not, the last
//! thing that went wrong, what still has to be said.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use directory_api::agent::EndedSessions;
use jiff::Timestamp;

use crate::cacher::Cacher;
use crate::conversation::clock_time;
use crate::events::Event;

/// Few enough hours of codes to do something about it, for somebody who is asleep.
const CODES_LOW: Duration = Duration::from_secs(8 * 3600);

/// The state of the connection.
#[derive(Debug, Clone, Default)]
pub struct Health {
    /// The directory answered last time.
    pub online: bool,
    /// The push stream is open.
    pub streaming: bool,
    /// Since when it is away, where it is.
    pub away_since: Option<Timestamp>,
    /// The last thing that went wrong; empty when nothing did.
    pub last_error: String,
    /// The last refusal that was reported.
    pub(crate) reported: String,
    /// What is in force has been said to the directory.
    pub(crate) acknowledged: bool,
    /// The clock lies behind the newest signed time, and that was told.
    pub(crate) skewed: bool,
    /// The bundle in force is older than it should be, and that was told.
    pub(crate) stale: bool,
    /// Another machine has this identity, and the directory refuses this one.
    pub(crate) cloned: bool,
    /// Codes count for hours only without the directory, and that was told.
    pub(crate) codes_low: bool,
    /// Ended sessions that the directory has not heard of.
    pub(crate) proofs: Vec<EndedSessions>,
}

/// The one copy of it.
#[derive(Debug, Default)]
pub(crate) struct HealthCell(Mutex<Health>);

impl HealthCell {
    /// What holds now.
    pub(crate) fn read(&self) -> Health {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes it; `change` only moves values.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Health) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Cacher {
    /// Tells, once per turn, of a clock that lies behind a signed time (decisions use the mark), of
    /// a bundle that should have been replaced long ago, and of codes that soon count no longer.
    pub async fn watch(&self) {
        let behind = self.clock_behind();
        let tables = self.tables();
        let stale = tables.version > 0 && tables.expires <= self.now();
        let hours_left = self.hours_of_codes_left();
        let (skew_told, stale_told, low_told) = self.health.change(|health| {
            let skew_told = std::mem::replace(&mut health.skewed, behind.is_some());
            let stale_told = std::mem::replace(&mut health.stale, stale);
            let low_told = std::mem::replace(&mut health.codes_low, hours_left.is_some());
            (skew_told, stale_told, low_told)
        });
        if let Some(behind) = behind.filter(|_| !skew_told) {
            let ms = u64::try_from(behind.as_millis()).unwrap_or(u64::MAX);
            let event = Event::new("host.clock_skew", "error").detail("ms", ms);
            self.record(event).await;
        }
        if stale && !stale_told {
            let event = Event::new("host.stale", "error")
                .detail("version", tables.version)
                .detail("expired_at", tables.expires.to_string());
            self.record(event).await;
        }
        if let Some(hours) = hours_left.filter(|_| !low_told) {
            let event = Event::new("user.mfa_horizon_low", "error").detail("hours_left", hours);
            self.record(event).await;
        }
    }

    /// Hours for which the stock of coming codes lasts, where they are few and none will come: the
    /// directory is away.
    fn hours_of_codes_left(&self) -> Option<u64> {
        self.health.read().away_since?;
        let left = self.stock_ends()?.duration_since(self.now());
        let left = Duration::try_from(left).unwrap_or_default();
        (left < CODES_LOW).then_some(left.as_secs() / 3600)
    }

    /// How the host stands with its directory.
    #[must_use]
    pub fn health(&self) -> Health {
        self.health.read()
    }

    /// Whether the directory answered last time.
    #[must_use]
    pub fn online(&self) -> bool {
        self.health.read().online
    }

    pub(crate) fn is_streaming(&self) -> bool {
        let health = self.health.read();
        health.streaming && health.online
    }

    pub(crate) fn streaming(&self, open: bool) {
        self.health.change(|health| health.streaming = open);
    }

    pub(crate) fn come_online(&self) {
        let back = self.health.change(|health| {
            health.away_since = None;
            !std::mem::replace(&mut health.online, true)
        });
        if back {
            tracing::info!("the directory answers");
            self.events_wanted.notify_one();
        }
    }

    pub(crate) fn gone_offline(&self, why: &str) {
        let now = self.now();
        self.health.change(|health| {
            if std::mem::replace(&mut health.online, false) {
                tracing::warn!(why, "the directory does not answer");
            }
            health.away_since.get_or_insert(now);
            health.acknowledged = false;
            health.last_error = why.to_owned();
        });
    }

    pub(crate) fn note_error(&self, why: &str) {
        self.health
            .change(|health| health.last_error = why.to_owned());
    }

    /// Whether this has not been reported before.
    pub(crate) fn is_news(&self, what: &str) -> bool {
        self.health.change(|health| {
            let news = health.reported != what;
            what.clone_into(&mut health.reported);
            news
        })
    }

    pub(crate) fn nothing_wrong(&self) {
        self.health.change(|health| {
            health.last_error.clear();
            health.reported.clear();
        });
    }

    pub(crate) fn acknowledgement_due(&self) -> bool {
        self.health.change(|health| !health.acknowledged)
    }

    pub(crate) fn acknowledged(&self) {
        self.health.change(|health| health.acknowledged = true);
    }

    pub(crate) fn add_proof(&self, proof: EndedSessions) {
        self.health.change(|health| {
            health.acknowledged = false;
            health.proofs.push(proof);
        });
    }

    pub(crate) fn take_proofs(&self) -> Vec<EndedSessions> {
        self.health
            .change(|health| std::mem::take(&mut health.proofs))
    }

    pub(crate) fn give_back_proofs(&self, proofs: Vec<EndedSessions>) {
        self.health.change(|health| {
            health.acknowledged = false;
            health.proofs.extend(proofs);
        });
    }

    /// What people are told before they type a password while the directory is away.
    pub(crate) fn offline_notice(&self) -> Option<String> {
        let health = self.health.read();
        if !self.config().pam.offline_notice || health.online {
            return None;
        }
        let since = health.away_since?;
        let age = self.now().duration_since(self.newest_signed());
        Some(format!(
            "Directory unreachable since {}; signing in from the mirror ({} min old).",
            clock_time(since),
            age.as_secs().max(0) / 60
        ))
    }
}
