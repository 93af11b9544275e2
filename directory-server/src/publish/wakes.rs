//! Tells whoever waits for a host's bundle that a newer one is there.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;

/// The newest version of each host that somebody has asked for since the start.
#[derive(Debug, Clone, Default)]
pub struct Wakes(Arc<Mutex<HashMap<String, watch::Sender<u64>>>>);

impl Wakes {
    /// Follows a host's version. It starts with 0: the database knows the version until now.
    #[must_use]
    pub fn follow(&self, host: &str) -> watch::Receiver<u64> {
        let mut hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match hosts.get(host) {
            Some(sender) => sender.subscribe(),
            None => {
                let (sender, receiver) = watch::channel(0);
                hosts.insert(host.to_owned(), sender);
                receiver
            }
        }
    }

    /// Says that this version is there; call it after it is committed.
    pub fn published(&self, host: &str, version: u64) {
        let hosts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = hosts.get(host) {
            sender.send_replace(version);
        }
    }

    /// Ends whatever waits for a host, because it is retired.
    pub fn forget(&self, host: &str) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(host);
    }
}
