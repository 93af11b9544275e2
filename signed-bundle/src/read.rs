//! From chunks back to a slice, on the host. Every record is decoded and checked by itself; a bad
//! one is dropped with a reason and the others apply.

use std::sync::Arc;

use policy::UnreadableRule;

use crate::checks::Checks;
use crate::decode::{DecodedChunk, DecodedChunks};
use crate::held::{GroupNumbers, HeldCredential, HeldPerson};
use crate::limits::NESTING_MAX;
use crate::manifest::{AcceptedManifest, ChunkKind, ChunkReference};
use crate::orders::{MovesOfBoth, Orders};
use crate::record::{HostRecord, SharedSlice, Slice};
use crate::refusal::{DirectoryFault, Refusal};
use crate::root::Limits;
use crate::sealing::SealingKey;
use crate::since::{Since, steady};

/// A bundle as the host will apply it.
#[derive(Debug, Clone)]
pub struct ReadSlice {
    /// Every record that passed.
    pub slice: SharedSlice,
    /// Every record that did not: each is an alarm.
    pub dropped: Vec<DroppedRecord>,
    /// Access rules that could not be read, for the engine: each denies whomever it might concern.
    pub unreadable_rules: Vec<UnreadableRule>,
    /// People and what proves them, in order.
    pub(crate) orders: Orders,
    /// How many people were compared with all others.
    compared: usize,
    /// What the next bundle may share.
    decoded: DecodedChunks,
    /// Chunks whose records all others were compared with, and the limits they were held to.
    pub(crate) steady: Vec<Arc<DecodedChunk>>,
    pub(crate) limits: Limits,
}

impl ReadSlice {
    /// What the numbers of groups in [`crate::PersonView`] stand for.
    #[must_use]
    pub fn group_numbers(&self) -> &GroupNumbers {
        self.decoded.groups()
    }

    /// In which order people and what proves them stand.
    #[must_use]
    pub fn orders(&self) -> &Orders {
        &self.orders
    }

    /// How many people were compared with all others to read this: those who have come since the bundle
    /// before, or everybody.
    #[must_use]
    pub fn compared(&self) -> usize {
        self.compared
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
/// fetched nor decoded again, and where nothing is left out, what they say of people is not compared
/// again with what they say of others. The result is the same as without `before`.
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
    let limits = accepted.limits();
    let all = all_of(&chunks);
    let moves = before.and_then(|before| {
        let moves = Since::moves(before, limits, &chunks, (&all.0, &all.1))?;
        Some((before, moves))
    });
    let checked = match moves {
        Some((before, moves)) => unchanged(before, &moves, all),
        None => compared(limits, host, &chunks),
    };
    let access_rules = chunks.iter().flat_map(|chunk| &chunk.access_rules);
    let unreadable_rules = chunks.iter().flat_map(|chunk| &chunk.unreadable_rules);
    Ok(ReadSlice {
        slice: Slice {
            access_rules: access_rules.cloned().collect(),
            ..checked.slice
        },
        dropped: checked.dropped,
        unreadable_rules: unreadable_rules.cloned().collect(),
        orders: checked.orders,
        compared: checked.compared,
        steady: steady(&chunks),
        limits: limits.clone(),
        decoded,
    })
}

/// What was found by comparing records. Access rules are not among them.
struct Checked {
    slice: SharedSlice,
    dropped: Vec<DroppedRecord>,
    orders: Orders,
    compared: usize,
}

/// Everybody, and everything that proves somebody, checked or not.
fn all_of(chunks: &[Arc<DecodedChunk>]) -> (Vec<HeldPerson>, Vec<HeldCredential>) {
    let people = || chunks.iter().filter_map(|chunk| chunk.people.as_ref());
    let credentials = || chunks.iter().filter_map(|chunk| chunk.credentials.as_ref());
    // Kept for as long as the bundle is in force.
    let mut all_people = Vec::with_capacity(people().map(|one| one.packed.len()).sum());
    all_people.extend(people().flat_map(|one| HeldPerson::all_of(&one.packed)));
    let mut all_credentials = Vec::with_capacity(credentials().map(|one| one.len()).sum());
    all_credentials.extend(credentials().flat_map(HeldCredential::all_of));
    (all_people, all_credentials)
}

/// Nothing is left out, and what is compared with people is what it was.
fn unchanged(
    before: &ReadSlice,
    moves: &MovesOfBoth,
    (people, credentials): (Vec<HeldPerson>, Vec<HeldCredential>),
) -> Checked {
    Checked {
        orders: before.orders.following(moves, &people, &credentials),
        compared: moves.people.fresh().len(),
        dropped: Vec::new(),
        slice: Slice {
            host: before.slice.host.clone(),
            people,
            groups: before.slice.groups.clone(),
            access_rules: Vec::new(),
            credentials,
            factors: before.slice.factors.clone(),
            check_bits: before.slice.check_bits.clone(),
        },
    }
}

/// All records are compared with all others.
fn compared(limits: &Limits, host: HostRecord, chunks: &[Arc<DecodedChunk>]) -> Checked {
    let dropped = chunks.iter().flat_map(|chunk| &chunk.dropped);
    let people = || chunks.iter().filter_map(|chunk| chunk.people.as_ref());
    let count = people().map(|people| people.packed.len()).sum();
    let mut checks = Checks::new(limits, dropped.cloned().collect(), count);
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
    Checked {
        orders: Orders::of(&people, &credentials),
        compared: count,
        dropped: checks.into_dropped(),
        slice: Slice {
            host,
            people,
            groups,
            access_rules: Vec::new(),
            credentials,
            factors,
            check_bits,
        },
    }
}

fn host_of(chunks: &[Arc<DecodedChunk>], id: &str) -> Result<HostRecord, Refusal> {
    let mut hosts = chunks.iter().flat_map(|chunk| &chunk.hosts);
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if host.id == id => Ok(host.clone()),
        _ => Err(DirectoryFault::Malformed("host record").into()),
    }
}
