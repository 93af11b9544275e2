//! "Something that bundles depend on has changed": what was touched since the publisher last asked.
//! Marks are kept until they are taken, so none is lost, and they add up, so they take no room.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// What has to be published again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Every host.
    pub everything: bool,
    /// The hosts that these users (`usr_…`) can reach, or could before.
    pub users: BTreeSet<String>,
    /// These hosts (`hst_…`).
    pub hosts: BTreeSet<String>,
    /// New rows wait in `fast_lane` to be signed and sent.
    pub fast_lane: bool,
}

impl Touched {
    /// Nothing has changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what another has.
    pub fn merge(&mut self, other: Self) {
        self.everything |= other.everything;
        self.fast_lane |= other.fast_lane;
        self.users.extend(other.users);
        self.hosts.extend(other.hosts);
    }
}

/// Where marks are left and taken.
#[derive(Debug, Clone, Default)]
pub struct Dirty(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    touched: Mutex<Touched>,
    wake: Notify,
}

impl Dirty {
    /// Leaves a mark; call it after the transaction is committed.
    pub fn mark(&self, touched: Touched) {
        if touched.is_empty() {
            return;
        }
        self.0
            .touched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .merge(touched);
        self.0.wake.notify_one();
    }

    /// Takes all marks; waits until there is one. For the one publisher.
    pub async fn taken(&self) -> Touched {
        loop {
            let touched = std::mem::take(
                &mut *self
                    .0
                    .touched
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner),
            );
            if !touched.is_empty() {
                return touched;
            }
            self.0.wake.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn marks_left_before_anybody_listens_are_not_lost() {
        let dirty = Dirty::default();
        let user = |name: &str| Touched {
            users: BTreeSet::from([name.to_owned()]),
            ..Touched::default()
        };
        dirty.mark(user("usr_a"));
        dirty.mark(user("usr_b"));
        let taken = dirty.taken().await;
        assert_eq!(taken.users.len(), 2);
        dirty.mark(user("usr_c"));
        assert_eq!(dirty.taken().await.users.len(), 1);
    }
}
