//! Delivers the spool to the directory: oldest first, in batches, and taken off only after the
//! directory has said that they are stored.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use directory_api::agent::{EventBatch, EventsStored, HostEvent};

use crate::cacher::Cacher;
use crate::sync::backoff::Backoff;
use crate::sync::client::DirectoryClient;

/// Looks for undelivered events at least this often.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// Delivers for ever.
pub async fn deliver(cacher: Arc<Cacher>) {
    let mut backoff = Backoff::default();
    loop {
        tokio::select! {
            () = cacher.events_wanted.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let config = cacher.config();
        tokio::time::sleep(config.events.flush).await;
        let Some(client) = cacher.directory().filter(|_| cacher.online()) else {
            continue;
        };
        match deliver_all(&cacher, &client).await {
            Ok(()) => backoff.reset(),
            Err(error) => {
                tracing::warn!(%error, "events not delivered; tried again later");
                tokio::time::sleep(backoff.next(config.directory.backoff_max)).await;
                cacher.events_wanted.notify_one();
            }
        }
    }
}

/// Delivers until nothing waits.
///
/// # Errors
/// The directory does not take a batch, or the spool cannot be read.
pub async fn deliver_all(
    cacher: &Cacher,
    client: &DirectoryClient,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    loop {
        let batch = oldest(cacher, cacher.config().events.batch).await?;
        let Some(first) = batch.first() else {
            return Ok(());
        };
        let request = EventBatch {
            boot: first.boot.clone(),
            events: batch,
        };
        let stored = client.deliver(&request).await?;
        if !take_off(cacher, request.events, stored).await? {
            return Err("the directory has stored nothing of a batch".into());
        }
    }
}

async fn oldest(cacher: &Cacher, most: usize) -> std::io::Result<Vec<HostEvent>> {
    let spool = Arc::clone(&cacher.spool);
    tokio::task::spawn_blocking(move || {
        spool
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .oldest(most)
    })
    .await
    .map_err(std::io::Error::other)?
}

/// Says whether anything was taken off.
async fn take_off(
    cacher: &Cacher,
    batch: Vec<HostEvent>,
    stored: EventsStored,
) -> std::io::Result<bool> {
    let spool = Arc::clone(&cacher.spool);
    tokio::task::spawn_blocking(move || {
        let mut spool = spool.lock().unwrap_or_else(PoisonError::into_inner);
        spool.stored(&batch, &stored)
    })
    .await
    .map_err(std::io::Error::other)?
}
