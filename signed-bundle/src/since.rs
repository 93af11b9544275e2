//! A bundle that differs little from the one before: what has come is compared with what has stayed, and
//! what has stayed is not compared with itself again. That gives what comparing all records gives, as long
//! as nothing is left out: then nothing depends on which of two came first. As soon as something might be
//! left out, all records are compared.

use std::collections::HashSet;
use std::sync::Arc;

use crate::checks::{is_sound_alone, verifier};
use crate::decode::DecodedChunk;
use crate::held::{HeldCredential, HeldPerson, Moves, PersonView};
use crate::manifest::ChunkKind;
use crate::orders::{MovesOfBoth, find};
use crate::read::ReadSlice;
use crate::root::Limits;

/// More than one in so many has come: comparing all takes no longer.
const FEW: usize = 8;

/// A bundle and the one before it.
pub(crate) struct Since<'a> {
    before: &'a ReadSlice,
    limits: &'a Limits,
    people: &'a [HeldPerson],
    credentials: &'a [HeldCredential],
    moves: MovesOfBoth,
}

/// Those chunks whose records all others are compared with.
pub(crate) fn steady(chunks: &[Arc<DecodedChunk>]) -> Vec<Arc<DecodedChunk>> {
    let is_steady = |chunk: &&Arc<DecodedChunk>| match chunk.kind {
        ChunkKind::People | ChunkKind::Credentials | ChunkKind::AccessRules => false,
        ChunkKind::Host | ChunkKind::Groups | ChunkKind::Factors | ChunkKind::CheckBits => true,
    };
    chunks.iter().filter(is_steady).cloned().collect()
}

impl<'a> Since<'a> {
    /// How people and credentials have moved, if nothing of this bundle would be left out, and nothing
    /// was of the one before.
    pub(crate) fn moves(
        before: &'a ReadSlice,
        limits: &'a Limits,
        chunks: &[Arc<DecodedChunk>],
        (people, credentials): (&'a [HeldPerson], &'a [HeldCredential]),
    ) -> Option<MovesOfBoth> {
        let is_whole = |chunk: &Arc<DecodedChunk>| {
            let mut people = chunk.people.iter();
            chunk.dropped.is_empty() && people.all(|people| people.misshapen_keys.is_empty())
        };
        let steady = steady(chunks);
        let comparable = before.dropped.is_empty()
            && before.limits == *limits
            && chunks.iter().all(is_whole)
            && steady.len() == before.steady.len()
            && steady
                .iter()
                .zip(&before.steady)
                .all(|(one, other)| Arc::ptr_eq(one, other));
        if !comparable {
            return None;
        }
        let since = Self {
            before,
            limits,
            people,
            credentials,
            moves: MovesOfBoth {
                people: Moves::between(&before.slice.people, people),
                credentials: Moves::between(&before.slice.credentials, credentials),
            },
        };
        let few = since.moves.people.fresh().len() * FEW <= people.len()
            && since.moves.credentials.fresh().len() * FEW <= credentials.len();
        (few && since.is_clean()).then_some(since.moves)
    }

    fn is_clean(&self) -> bool {
        let fresh = self.moves.people.fresh().iter();
        let fresh: Vec<PersonView<'_>> = fresh
            .filter_map(|place| Some(self.people.get(*place as usize)?.view()))
            .collect();
        let ids: HashSet<&str> = fresh.iter().map(|person| person.id).collect();
        let names: HashSet<&str> = fresh.iter().map(|person| person.username).collect();
        let uids: HashSet<u32> = fresh.iter().map(|person| person.uid).collect();
        let mut groups = self.before.slice.groups.iter();
        let mut virtual_gids = self.before.slice.host.virtual_groups.values();
        [ids.len(), names.len(), uids.len()] == [fresh.len(); 3]
            && fresh.iter().all(|person| self.fits(person))
            && !virtual_gids.any(|gid| uids.contains(&gid.get()))
            && !groups.any(|group| {
                ids.contains(group.id.as_str())
                    || names.contains(group.name.as_str())
                    || uids.contains(&group.gid.get())
            })
            && self.nobody_is_missed(&ids)
            && self.credentials_fit(&ids)
    }

    /// A person who has come: as such, and beside the people who have stayed.
    fn fits(&self, person: &PersonView<'_>) -> bool {
        let orders = &self.before.orders;
        let mut groups = self.before.slice.groups.iter();
        is_sound_alone(person, self.limits).is_ok()
            && !self.has_stayed(&orders.by_id, |one| one.id.cmp(person.id))
            && !self.has_stayed(&orders.by_name, |one| one.username.cmp(person.username))
            && !self.has_stayed(&orders.by_uid, |one| one.uid.cmp(&person.uid))
            && (person.gid == person.uid || groups.any(|group| group.gid.get() == person.gid))
    }

    /// Whether somebody who was there before, and is there now, compares equal.
    fn has_stayed(
        &self,
        order: &[u32],
        compare: impl Fn(&PersonView<'_>) -> std::cmp::Ordering,
    ) -> bool {
        let people = &self.before.slice.people;
        let found = find(people, order, |one| compare(&one.view()));
        found.is_some_and(|place| self.moves.people.to(place).is_some())
    }

    /// Nothing that has stayed belongs to somebody who has not. `came`: ids of those who have come.
    fn nobody_is_missed(&self, came: &HashSet<&str>) -> bool {
        let slice = &self.before.slice;
        let gone = self.moves.people.gone();
        let gone = gone.filter_map(|place| Some(slice.people.get(place as usize)?.view().id));
        let gone: HashSet<&str> = gone.filter(|id| !came.contains(id)).collect();
        gone.is_empty()
            || !gone.iter().any(|id| self.has_stayed_credential(id))
                && !slice
                    .factors
                    .iter()
                    .any(|one| gone.contains(one.user.as_str()))
                && !slice
                    .check_bits
                    .iter()
                    .any(|one| gone.contains(one.user.as_str()))
    }

    /// Credentials that have come: as such, and beside those that have stayed.
    fn credentials_fit(&self, came: &HashSet<&str>) -> bool {
        let by_id = &self.before.orders.by_id;
        let is_here =
            |user: &str| came.contains(user) || self.has_stayed(by_id, |one| one.id.cmp(user));
        let mut users = HashSet::new();
        let mut fresh = self.moves.credentials.fresh().iter();
        fresh.all(|place| {
            let credential = self
                .credentials
                .get(*place as usize)
                .map(HeldCredential::view);
            credential.is_some_and(|one| {
                verifier(one.password_verifier).is_ok()
                    && is_here(one.user)
                    && !self.has_stayed_credential(one.user)
                    && users.insert(one.user)
            })
        })
    }

    fn has_stayed_credential(&self, user: &str) -> bool {
        let credentials = &self.before.slice.credentials;
        let found = find(credentials, &self.before.orders.credentials, |one| {
            one.user().cmp(user)
        });
        found.is_some_and(|place| self.moves.credentials.to(place).is_some())
    }
}
