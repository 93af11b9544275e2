//! Keeps the mirror fresh: a push stream, and beside it rounds that ask for the newest manifest,
//! woken by the stream, by the clock, or by root.

pub mod backoff;
pub mod client;
pub mod online;
pub mod renewal;
pub mod round;
mod stream;

use std::sync::Arc;
use std::time::Duration;

use local_protocol::{Outcome, Reply, SyncNow};
use tokio::sync::{mpsc, oneshot};

use crate::cacher::Cacher;
use backoff::{Backoff, randomness, varied};
use round::round;

/// How long the directory may hold back its answer where there is no stream.
const LONG_POLL: Duration = Duration::from_secs(25);
/// How long root waits for `cloudid sync`.
const SYNC_NOW_PATIENCE: Duration = Duration::from_secs(60);

/// A wish of root, with the way to tell how it went.
pub type Wish = (SyncNow, oneshot::Sender<Result<(), String>>);

/// Follows the push stream for ever, with growing pauses between tries.
pub async fn push(cacher: Arc<Cacher>) {
    let mut backoff = Backoff::default();
    loop {
        let config = cacher.config();
        if let Some(client) = cacher.directory().filter(|_| config.directory.push) {
            let begun = cacher.since_boot();
            cacher.streaming(true);
            let ended = stream::follow(&cacher, &client).await;
            cacher.streaming(false);
            if let Err(error) = ended {
                cacher.is_refused_by(&error).await;
                cacher.gone_offline(&error.to_string());
            }
            // A stream that held was no failure.
            if cacher.since_boot().saturating_sub(begun) > Duration::from_secs(30) {
                backoff.reset();
            }
        }
        tokio::time::sleep(backoff.next(config.directory.backoff_max)).await;
    }
}

/// Makes rounds for ever: when woken, when root wishes, and at least once per interval.
pub async fn rounds(cacher: Arc<Cacher>, mut wishes: mpsc::Receiver<Wish>) {
    let mut backoff = Backoff::default();
    let mut pause = Duration::ZERO;
    loop {
        let wish = tokio::select! {
            wish = wishes.recv() => wish,
            () = cacher.wake.notified() => None,
            () = tokio::time::sleep(pause) => None,
        };
        let config = cacher.config();
        let interval = &config.directory;
        let (result, answer) = match wish {
            Some((how, answer)) => (
                once(&cacher, Duration::ZERO, how.accept_shrink).await,
                Some(answer),
            ),
            None => (once(&cacher, waiting(&cacher), false).await, None),
        };
        pause = if result.is_ok() {
            backoff.reset();
            varied(interval.poll_interval, interval.poll_jitter, randomness())
        } else {
            backoff
                .next(interval.backoff_max)
                .min(interval.poll_interval)
        };
        if let Some(answer) = answer {
            // Root may have stopped waiting.
            let _ = answer.send(result);
        }
    }
}

/// Without a stream the directory holds its answer back until there is something new; but not where
/// it is to be known whether it answers.
fn waiting(cacher: &Cacher) -> Duration {
    if cacher.is_streaming() || !cacher.online() || cacher.tables().version == 0 {
        Duration::ZERO
    } else {
        LONG_POLL.min(cacher.config().directory.poll_interval)
    }
}

async fn once(cacher: &Cacher, wait: Duration, accept_shrink: bool) -> Result<(), String> {
    let Some(client) = cacher.directory() else {
        return Err("this host is not enrolled".to_owned());
    };
    match round(cacher, &client, wait, accept_shrink).await {
        Ok(_) => {
            cacher.nothing_wrong();
            Ok(())
        }
        Err(error) => {
            let text = error.to_string();
            tracing::warn!(%error, "sync changed nothing");
            if let round::RoundError::Call(call) = &error
                && (cacher.is_refused_by(call).await || call.is_away())
            {
                cacher.gone_offline(&text);
            } else {
                cacher.note_error(&text);
            }
            Err(text)
        }
    }
}

impl Cacher {
    /// Root wants the newest bundle now.
    pub(crate) async fn sync_now(&self, how: SyncNow) -> Reply {
        let (answer, done) = oneshot::channel();
        if self.wishes.send((how, answer)).await.is_err() {
            return Reply::Unavailable("the cacher is ending".to_owned());
        }
        match tokio::time::timeout(SYNC_NOW_PATIENCE, done).await {
            Ok(Ok(Ok(()))) => Reply::Done(Outcome::Allowed),
            Ok(Ok(Err(why))) => Reply::Unavailable(posix_names::clean_line(&why, 1024)),
            Ok(Err(_)) | Err(_) => Reply::Unavailable("the directory took too long".to_owned()),
        }
    }
}
