//! What runs beside the lookups: asks the directory, and puts those who were met into the next map.

use std::sync::Arc;
use std::time::Duration;

use directory_api::agent::OwnersQuestion;

use super::{OUTAGE_REMEMBERED, kept};
use crate::cacher::Cacher;

/// Strangers gather for so long before a map is made for them: whoever lists many files makes one
/// map, and whoever asks on purpose makes no more of them.
const GATHER: Duration = Duration::from_secs(10);

/// Asks the directory for what lookups wanted to know. Runs for ever.
pub(crate) async fn learn(cacher: Arc<Cacher>) {
    loop {
        cacher.owners.wanted.notified().await;
        let question = cacher.owners.question();
        let Some(client) = cacher.directory().filter(|_| cacher.online()) else {
            continue;
        };
        if question == OwnersQuestion::default() {
            continue;
        }
        match client.owners(&question).await {
            Ok(answer) => cacher.owners.take(&question, &answer, &cacher),
            Err(error) => {
                // Not answered is not "nobody": nothing is remembered.
                tracing::debug!(%error, "owners not learned");
                cacher.owners.failed(&cacher);
                tokio::time::sleep(OUTAGE_REMEMBERED).await;
                // What came meanwhile is asked now.
                cacher.owners.wanted.notify_one();
            }
        }
    }
}

/// Puts those who were met into the map, once they have gathered. Runs for ever.
pub(crate) async fn publish(cacher: Arc<Cacher>) {
    loop {
        cacher.owners.news.notified().await;
        tokio::time::sleep(GATHER).await;
        cacher.publish_strangers().await;
    }
}

impl Cacher {
    /// Makes a map with those who were met, and keeps them for the next start.
    pub async fn publish_strangers(&self) {
        self.apply().await;
        let strangers = self.owners.strangers(self.config().nss.owners);
        let (disk, path) = (Arc::clone(&self.disk), self.paths.owners());
        let written = tokio::task::spawn_blocking(move || kept::save(&*disk, &path, &strangers));
        if let Ok(Err(error)) = written.await {
            tracing::warn!(%error, "owners are forgotten at the next start");
        }
    }
}
