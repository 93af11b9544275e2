//! In which order people and what proves them stand by id, name and number: to find one among them.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::held::{HeldCredential, HeldPerson, Moves, sorted};

/// Places in a slice, in the order of each key. No key is there twice.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Orders {
    /// People by id, `usr_…`.
    pub by_id: Arc<[u32]>,
    /// People by login name.
    pub by_name: Arc<[u32]>,
    /// People by uid.
    pub by_uid: Arc<[u32]>,
    /// What proves people, by their id.
    pub credentials: Arc<[u32]>,
}

/// How people and credentials of the bundle before stand in this one.
pub(crate) struct MovesOfBoth {
    pub(crate) people: Moves,
    pub(crate) credentials: Moves,
}

impl Orders {
    pub(crate) fn of(people: &[HeldPerson], credentials: &[HeldCredential]) -> Self {
        Self {
            by_id: sorted(people, |one| quick(one.view().id)).into(),
            by_name: sorted(people, |one| quick(one.view().username)).into(),
            by_uid: sorted(people, |one| one.view().uid).into(),
            credentials: sorted(credentials, |one| quick(one.user())).into(),
        }
    }

    /// The same as [`Orders::of`], from those of the bundle before.
    pub(crate) fn following(
        &self,
        moves: &MovesOfBoth,
        people: &[HeldPerson],
        credentials: &[HeldCredential],
    ) -> Self {
        let MovesOfBoth {
            people: moved,
            credentials: moved_credentials,
        } = moves;
        Self {
            by_id: moved
                .ordered(&self.by_id, people, |one| one.view().id)
                .into(),
            by_name: moved
                .ordered(&self.by_name, people, |one| one.view().username)
                .into(),
            by_uid: moved
                .ordered(&self.by_uid, people, |one| one.view().uid)
                .into(),
            credentials: moved_credentials
                .ordered(&self.credentials, credentials, HeldCredential::user)
                .into(),
        }
    }
}

/// The place of the one that compares equal.
pub fn find<R>(records: &[R], order: &[u32], compare: impl Fn(&R) -> Ordering) -> Option<u32> {
    let at = |place: &u32| records.get(*place as usize);
    let found = order
        .binary_search_by(|place| at(place).map_or(Ordering::Less, &compare))
        .ok()?;
    order.get(found).copied()
}

/// A text with its first bytes as a number before it, in the same order: comparing two mostly ends there.
fn quick(text: &str) -> (u128, &str) {
    let mut bytes = [0; 16];
    for (to, from) in bytes.iter_mut().zip(text.bytes()) {
        *to = from;
    }
    (u128::from_be_bytes(bytes), text)
}
