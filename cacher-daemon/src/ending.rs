//! Ends the sessions of people who may no longer be here: the suspended and expired at once, those
//! who lost access after a grace. Looks at what holds now, so that nothing is forgotten by a
//! restart, and again every while.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use directory_api::agent::EndedSessions;
use local_protocol::Verb;
use policy::UserState;
use posix_names::Uid;
use signed_bundle::PersonView;

use crate::cacher::Cacher;
use crate::events::Event;
use crate::mirror::LEAVING_GRACE_MS;

/// How often processes are compared with rights.
pub(crate) const SWEEP_EVERY: Duration = Duration::from_secs(15);

impl Cacher {
    /// Ends every session of one person of the slice; `begun` is when the reason arrived.
    pub(crate) async fn end_sessions_of(&self, user: &str, begun: Duration, why: &'static str) {
        let tables = self.tables();
        if let Some(person) = tables.everybody().find(|one| one.view().id == user) {
            let whose = Whose::person(person.view());
            self.end_sessions(&whose, begun, why).await;
        }
    }

    /// Ends every process of a uid, and keeps the proof for the directory. Says whether it is done.
    async fn end_sessions(&self, whose: &Whose, begun: Duration, why: &'static str) -> bool {
        let ended = match self.helper.ask(&Verb::EndSessions { uid: whose.uid }).await {
            Ok(ended) => ended,
            Err(error) => {
                tracing::error!(user = whose.name, %error, "sessions not ended; tried again soon");
                self.note_error(&format!("sessions of {} not ended: {error}", whose.name));
                return false;
            }
        };
        let took = self.since_boot().saturating_sub(begun);
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.add_proof(EndedSessions {
            user: whose.user.clone(),
            processes: ended,
            took_ms,
        });
        if ended > 0 {
            let event = Event::new("session.terminated", "success")
                .user(&whose.name)
                .detail("by", "directory")
                .detail("why", why)
                .detail("processes", ended)
                .detail("ms", took_ms);
            self.record(event).await;
        }
        true
    }

    /// Compares running processes with rights, and ends what has no right to run.
    pub async fn end_sessions_due(&self) {
        let begun = self.since_boot();
        let tables = self.tables();
        let now = self.now();
        for uid in running_uids() {
            let Some(person) = tables.people.with_uid(uid) else {
                continue;
            };
            let expired = person.view().expires_at.is_some_and(|end| end <= now);
            let why = match (person.state() == UserState::Active, expired) {
                (true, false) => continue,
                (true, true) => "expired",
                (false, _) => "suspended",
            };
            let whose = Whose::person(person.view());
            self.end_sessions(&whose, begun, why).await;
        }
        self.end_leaving(begun).await;
    }

    async fn end_leaving(&self, begun: Duration) {
        let now_ms = self.now().as_millisecond();
        let leaving = self
            .with_mirror(|mirror| Ok(mirror.marks().leaving.clone()))
            .await
            .unwrap_or_default();
        let mut left = Vec::new();
        // A grace that began while the clock was ahead is over, too.
        let is_due = |due_ms: i64| due_ms <= now_ms || due_ms > now_ms + LEAVING_GRACE_MS;
        for one in leaving.into_iter().filter(|one| is_due(one.due_ms)) {
            // Somebody else may own the number only if the directory broke its word; then spare it.
            let taken_over = self.tables().person_with_uid(one.uid).is_some();
            let whose = Whose {
                name: one.uid.to_string(),
                user: one.user,
                uid: one.uid,
            };
            if taken_over || self.end_sessions(&whose, begun, "no_access").await {
                left.push(whose.user);
            }
        }
        if left.is_empty() {
            return;
        }
        let kept = self
            .with_mirror(move |mirror| Ok(mirror.left(&left)?))
            .await;
        if let Err(error) = kept {
            tracing::warn!(%error, "ended sessions will be ended once more");
        }
    }
}

/// Whose sessions end.
struct Whose {
    user: String,
    name: String,
    uid: u32,
}

impl Whose {
    fn person(person: &PersonView<'_>) -> Self {
        Self {
            user: person.id.to_owned(),
            name: person.username.to_owned(),
            uid: person.uid,
        }
    }
}

/// Uids of our ranges that own a process.
fn running_uids() -> BTreeSet<u32> {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .as_encoded_bytes()
                .iter()
                .all(u8::is_ascii_digit)
        })
        .filter_map(|entry| Some(entry.metadata().ok()?.uid()))
        .filter(|uid| Uid::new(u64::from(*uid)).is_ok())
        .collect()
}
