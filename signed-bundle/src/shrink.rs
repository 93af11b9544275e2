//! The shrink guard: a bundle in which most people vanish is held back until somebody confirms.
//! It holds back disappearance, never a suspension.

use std::collections::HashSet;

use policy::UserState;

use crate::held::HeldPerson;
use crate::limits::SHRINK_PEOPLE_MIN;
use crate::record::{PersonRecord, Slice};
use crate::refusal::{Refusal, Shrink};

/// Somebody in a slice, as far as it matters whether they are in the next one.
pub trait Listed {
    /// `usr_…`
    fn id(&self) -> &str;
    /// Active or suspended.
    fn state(&self) -> UserState;
    /// Whether this is known to be the very same record.
    fn is_same(&self, other: &Self) -> bool;
}

impl Listed for PersonRecord {
    fn id(&self) -> &str {
        &self.id
    }

    fn state(&self) -> UserState {
        self.state
    }

    fn is_same(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}

impl Listed for HeldPerson {
    fn id(&self) -> &str {
        self.view().id
    }

    fn state(&self) -> UserState {
        self.view().state
    }

    fn is_same(&self, other: &Self) -> bool {
        Self::is_same(self, other)
    }
}

/// Compares the slice in force with a new one. `confirmed_removals` is the manifest's number, or
/// `u32::MAX` when root on the host accepts whatever comes.
///
/// # Errors
/// More than half of the people and at least ten would vanish, and fewer removals are confirmed.
pub fn shrink_guard<P: Listed, C, B>(
    old: &Slice<P, C, B>,
    new: &Slice<P, C, B>,
    confirmed_removals: u32,
) -> Result<(), Refusal> {
    let vanished = vanished(old, new).len();
    let before = old.people.len();
    let confirmed = usize::try_from(confirmed_removals).unwrap_or(usize::MAX);
    if vanished < SHRINK_PEOPLE_MIN || vanished * 2 <= before || vanished <= confirmed {
        return Ok(());
    }
    Err(Shrink {
        before,
        vanished,
        confirmed: confirmed_removals,
    }
    .into())
}

/// People of the slice in force who are not in the new one.
#[must_use]
pub fn vanished<'a, P: Listed, C, B>(old: &'a Slice<P, C, B>, new: &Slice<P, C, B>) -> Vec<&'a P> {
    let (old, new) = differing(&old.people, &new.people);
    let listed = ids(new.iter());
    old.iter()
        .filter(|person| !listed.contains(person.id()))
        .collect()
}

/// People of the slice in force whom the new one suspends: this much of a bundle that is held
/// back still applies.
#[must_use]
pub fn suspensions<P: Listed, C, B>(old: &Slice<P, C, B>, new: &Slice<P, C, B>) -> Vec<String> {
    let (old, new) = differing(&old.people, &new.people);
    let suspended = ids(new
        .iter()
        .filter(|person| person.state() != UserState::Active));
    old.iter()
        .filter(|person| person.state() == UserState::Active)
        .filter(|person| suspended.contains(person.id()))
        .map(|person| person.id().to_owned())
        .collect()
}

fn ids<'a, P: Listed + 'a>(people: impl Iterator<Item = &'a P>) -> HashSet<&'a str> {
    people.map(Listed::id).collect()
}

/// Both without the very same records that they begin and end with: nobody is in a slice twice, so
/// whoever is left out here is neither gone nor changed.
fn differing<'old, 'new, P: Listed>(old: &'old [P], new: &'new [P]) -> (&'old [P], &'new [P]) {
    let same = |(old, new): &(&P, &P)| old.is_same(new);
    let begin = old.iter().zip(new).take_while(same).count();
    let (old, new) = (rest(old, begin), rest(new, begin));
    let end = old
        .iter()
        .rev()
        .zip(new.iter().rev())
        .take_while(same)
        .count();
    (without_end(old, end), without_end(new, end))
}

fn rest<P>(people: &[P], begin: usize) -> &[P] {
    people.get(begin..).unwrap_or_default()
}

fn without_end<P>(people: &[P], end: usize) -> &[P] {
    people.get(..people.len() - end).unwrap_or_default()
}
