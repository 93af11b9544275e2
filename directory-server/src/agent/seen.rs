//! Signs of life, written down together: ten thousand open streams must not be ten thousand writes.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use crate::store::Store;

const WRITE_INTERVAL_MS: i64 = 30_000;

/// The newest signs of life that are not in the database yet.
#[derive(Debug, Default)]
pub(super) struct Seen(Mutex<Notes>);

#[derive(Debug, Default)]
struct Notes {
    hosts: BTreeMap<String, i64>,
    written_at: i64,
}

impl Seen {
    /// Notes a sign of life. Now and then whoever notes one writes all of them.
    pub(super) async fn note(
        &self,
        store: &Store,
        host: &str,
        now: Timestamp,
    ) -> Result<(), sqlx::Error> {
        let hosts = self.noted(host, now.as_millisecond());
        if hosts.is_empty() {
            return Ok(());
        }
        let mut tx = store.write().await?;
        for (host, seen) in hosts {
            sqlx::query("UPDATE hosts SET last_seen = $1 WHERE id = $2")
                .bind(seen)
                .bind(host)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await
    }

    fn noted(&self, host: &str, now: i64) -> BTreeMap<String, i64> {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        notes.hosts.insert(host.to_owned(), now);
        if (now - notes.written_at).abs() < WRITE_INTERVAL_MS {
            return BTreeMap::new();
        }
        notes.written_at = now;
        std::mem::take(&mut notes.hosts)
    }
}
