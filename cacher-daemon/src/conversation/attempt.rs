//! One attempt at a password: counted durably, compared while few others are, forgotten when right.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use zeroize::Zeroizing;

use super::tries::{Permit, Strictness};
use super::verifier::{self, Checked};
use crate::cacher::Cacher;

impl Cacher {
    /// Counts a try of a password, durably.
    pub(crate) async fn begin_try(&self, name: &str) -> std::io::Result<Permit> {
        let policy = self.tables().policy();
        let config = self.config();
        let policy_lock = Duration::from_secs(policy.lock_seconds);
        let lock = policy_lock.max(config.offline.lock_for);
        let strictness = Strictness {
            tries: policy
                .password_tries
                .min(config.offline.password_tries)
                .max(1),
            lock: SignedDuration::try_from(lock).unwrap_or(SignedDuration::MAX),
        };
        let (tries, disk) = (Arc::clone(&self.tries), Arc::clone(&self.disk));
        let (name, now) = (name.to_owned(), self.now());
        tokio::task::spawn_blocking(move || tries.begin(&*disk, &name, strictness, now))
            .await
            .map_err(std::io::Error::other)?
    }

    /// The password was right.
    pub(crate) async fn forget_tries(&self, name: &str) {
        let (tries, disk) = (Arc::clone(&self.tries), Arc::clone(&self.disk));
        let name = name.to_owned();
        let forgotten = tokio::task::spawn_blocking(move || tries.forget(&*disk, &name)).await;
        if let Ok(Err(error)) = forgotten {
            tracing::warn!(%error, "counted tries stay on disk until their time is over");
        }
    }

    /// Nobody could tell whether the password was right.
    pub(super) async fn take_back_try(&self, name: &str) {
        let (tries, disk) = (Arc::clone(&self.tries), Arc::clone(&self.disk));
        let name = name.to_owned();
        let taken = tokio::task::spawn_blocking(move || tries.take_back(&*disk, &name)).await;
        if let Ok(Err(error)) = taken {
            tracing::warn!(%error, "a try that was not judged stays counted");
        }
    }

    /// Compares a password, a few at once.
    pub(crate) async fn compare(
        &self,
        verifier: Option<String>,
        password: &Zeroizing<String>,
    ) -> Checked {
        let Ok(_permit) = self.verifying.acquire().await else {
            return Checked::CannotTell;
        };
        let password = password.clone();
        let compared = tokio::task::spawn_blocking(move || {
            verifier::compare(verifier.as_deref(), password.as_bytes())
        });
        compared.await.unwrap_or(Checked::CannotTell)
    }
}
