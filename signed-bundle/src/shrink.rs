//! The shrink guard: a bundle in which most people vanish is held back until somebody confirms.
//! It holds back disappearance, never a suspension.

use std::collections::BTreeSet;

use policy::UserState;

use crate::limits::SHRINK_PEOPLE_MIN;
use crate::record::Slice;
use crate::refusal::{Refusal, Shrink};

/// Compares the slice in force with a new one. `confirmed_removals` is the manifest's number, or
/// `u32::MAX` when root on the host accepts whatever comes.
///
/// # Errors
/// More than half of the people and at least ten would vanish, and fewer removals are confirmed.
pub fn shrink_guard(old: &Slice, new: &Slice, confirmed_removals: u32) -> Result<(), Refusal> {
    let listed: BTreeSet<&str> = new.people.iter().map(|person| person.id.as_str()).collect();
    let vanished = old
        .people
        .iter()
        .filter(|person| !listed.contains(person.id.as_str()))
        .count();
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

/// People of the slice in force whom the new one suspends: this much of a bundle that is held
/// back still applies.
#[must_use]
pub fn suspensions(old: &Slice, new: &Slice) -> Vec<String> {
    let suspended: BTreeSet<&str> = new
        .people
        .iter()
        .filter(|person| person.state != UserState::Active)
        .map(|person| person.id.as_str())
        .collect();
    old.people
        .iter()
        .filter(|person| person.state == UserState::Active)
        .filter(|person| suspended.contains(person.id.as_str()))
        .map(|person| person.id.clone())
        .collect()
}
