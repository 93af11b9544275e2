//! From chunks back to a slice, on the host. Every record is decoded and checked by itself; a bad
//! one is dropped with a reason and the others apply.

use std::sync::Arc;

use policy::UnreadableRule;

use crate::checks::Checks;
use crate::decode::{DecodedChunk, DecodedChunks};
use crate::held::GroupNumbers;
use crate::limits::NESTING_MAX;
use crate::manifest::{AcceptedManifest, ChunkKind, ChunkReference};
use crate::record::{HostRecord, SharedSlice, Slice};
use crate::refusal::{DirectoryFault, Refusal};
use crate::sealing::SealingKey;

/// A bundle as the host will apply it.
#[derive(Debug, Clone)]
pub struct ReadSlice {
    /// Every record that passed.
    pub slice: SharedSlice,
    /// Every record that did not: each is an alarm.
    pub dropped: Vec<DroppedRecord>,
    /// Access rules that could not be read, for the engine: each denies whomever it might concern.
    pub unreadable_rules: Vec<UnreadableRule>,
    /// What the next bundle may share.
    decoded: DecodedChunks,
}

impl ReadSlice {
    /// What the numbers of groups in [`crate::PersonView`] stand for.
    #[must_use]
    pub fn group_numbers(&self) -> &GroupNumbers {
        self.decoded.groups()
    }
}

/// A record that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedRecord {
    /// In which kind of chunk it stood.
    pub kind: ChunkKind,
    /// Its id, or empty when that could not be read.
    pub id: String,
    /// Why it was left out.
    pub reason: DropReason,
}

/// Why a record was left out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DropReason {
    /// Lists and objects nest deeper than a host descends.
    #[error("nests deeper than {NESTING_MAX}")]
    TooDeep,
    /// Not a record of its kind.
    #[error("cannot be read: {0}")]
    Unreadable(String),
    /// An id that root has not allowed.
    #[error("id {0} is outside the limits")]
    OutsideLimits(u32),
    /// A name that root has protected.
    #[error("name {0} is protected")]
    ProtectedName(String),
    /// Something that must be unique was there before.
    #[error("{0} is used twice")]
    Duplicate(&'static str),
    /// The primary group does not exist.
    #[error("primary group {0} does not exist")]
    NoSuchGroup(u32),
    /// Proves somebody who is not in this bundle.
    #[error("belongs to nobody here")]
    NobodyHere,
    /// A state in which nobody is sent to hosts.
    #[error("is in a state that does not belong on hosts")]
    WrongState,
    /// An SSH key or verifier that is not one clean line.
    #[error("is not a well-formed key or verifier")]
    Misshapen,
}

/// Fetches, checks, opens and reads every chunk of an accepted manifest.
///
/// # Errors
/// A chunk is missing, is not the one named, does not open, or the host record is missing.
pub fn read_slice(
    accepted: &AcceptedManifest,
    fetch: impl FnMut(&ChunkReference) -> Option<Vec<u8>>,
    key: &SealingKey,
) -> Result<ReadSlice, Refusal> {
    read_next_slice(None, accepted, fetch, key)
}

/// As [`read_slice`], but chunks that `before` was read from, with the same key, are neither
/// fetched nor decoded again. All records are checked, whichever way they came.
///
/// # Errors
/// As [`read_slice`].
pub fn read_next_slice(
    before: Option<&ReadSlice>,
    accepted: &AcceptedManifest,
    fetch: impl FnMut(&ChunkReference) -> Option<Vec<u8>>,
    key: &SealingKey,
) -> Result<ReadSlice, Refusal> {
    let manifest = accepted.manifest();
    let known = before.map(|before| &before.decoded);
    let (decoded, chunks) = DecodedChunks::of(manifest, known, fetch, key)?;
    let host = host_of(&chunks, &manifest.host)?;
    let dropped = chunks.iter().flat_map(|chunk| &chunk.dropped);
    let people = || chunks.iter().filter_map(|chunk| chunk.people.as_ref());
    let count = people().map(|people| people.packed.len()).sum();
    let mut checks = Checks::new(accepted.limits(), dropped.cloned().collect(), count);
    let host = checks.host(host);
    let mut people = checks.people(people());
    let groups = checks.groups(chunks.iter().flat_map(|chunk| &chunk.groups));
    checks.primary_groups(&mut people);
    // Kept for as long as the bundle is in force.
    people.shrink_to_fit();
    let credentials = chunks.iter().filter_map(|chunk| chunk.credentials.as_ref());
    let credentials = checks.credentials(credentials);
    let factors = chunks.iter().flat_map(|chunk| &chunk.factors);
    let factors = checks.factors(factors);
    let check_bits = chunks.iter().flat_map(|chunk| &chunk.check_bits);
    let check_bits = checks.check_bits(check_bits);
    let access_rules = chunks.iter().flat_map(|chunk| &chunk.access_rules);
    let unreadable_rules = chunks.iter().flat_map(|chunk| &chunk.unreadable_rules);
    Ok(ReadSlice {
        slice: Slice {
            host,
            people,
            groups,
            access_rules: access_rules.cloned().collect(),
            credentials,
            factors,
            check_bits,
        },
        dropped: checks.into_dropped(),
        unreadable_rules: unreadable_rules.cloned().collect(),
        decoded,
    })
}

fn host_of(chunks: &[Arc<DecodedChunk>], id: &str) -> Result<HostRecord, Refusal> {
    let mut hosts = chunks.iter().flat_map(|chunk| &chunk.hosts);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if host.id == id => Ok(host.clone()),
        _ => Err(DirectoryFault::Malformed("host record").into()),
    }
}
