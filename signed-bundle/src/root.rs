//! Root documents: which keys may sign what, and limits that no online key can exceed. Each is
//! signed by the keys of its predecessor and by its own.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::required as milliseconds;
use posix_names::{FIRST_RANGE, SECOND_RANGE};
use serde::{Deserialize, Serialize};

use crate::envelope::{self, Kind};
use crate::key::{PublicKey, SigningKey};
use crate::limits::{ROLE_KEYS_MAX, ROOT_CHAIN_BYTES_MAX};
use crate::refusal::{DirectoryFault, Refusal};

/// What the offline root keys say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootDocument {
    /// `org_…`
    pub organisation: String,
    /// From 1, without gaps.
    pub version: u64,
    /// When it was signed.
    #[serde(with = "milliseconds")]
    pub issued: Timestamp,
    /// Nothing new is accepted under it from then on.
    #[serde(with = "milliseconds")]
    pub expires: Timestamp,
    /// Who signs the next root document.
    pub root: Role,
    /// Who signs manifests, fast-lane messages and times.
    pub bundle: Role,
    /// What holds whoever signs.
    pub limits: Limits,
}

/// Keys, and how many of them must sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Role {
    /// The keys.
    pub keys: BTreeSet<PublicKey>,
    /// Signatures of as many distinct keys are needed.
    pub threshold: u32,
}

/// What the online key cannot exceed; hosts check it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Ids of people and groups lie in one of these.
    pub id_ranges: Vec<IdRange>,
    /// Names that no person or group may have, besides the reserved ones.
    pub protected_names: BTreeSet<String>,
    /// Longest time-limited right, in seconds.
    pub longest_grant_seconds: u64,
    /// Public keys of SSH certificate authorities that hosts may trust.
    pub ssh_ca_keys: Vec<String>,
    /// Keys of people whose own signature a rule may demand.
    pub approver_keys: Vec<PublicKey>,
}

/// Ids from `first` to `last`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// Lowest id.
    pub first: u32,
    /// Highest id.
    pub last: u32,
}

/// A root document with its signatures, as bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedRoot(Vec<u8>);

impl Default for Limits {
    fn default() -> Self {
        let id_ranges = [FIRST_RANGE, SECOND_RANGE].map(|range| IdRange {
            first: *range.start(),
            last: *range.end(),
        });
        Self {
            id_ranges: id_ranges.to_vec(),
            protected_names: BTreeSet::new(),
            longest_grant_seconds: 8 * 3600,
            ssh_ca_keys: Vec::new(),
            approver_keys: Vec::new(),
        }
    }
}

impl Limits {
    /// Whether an id of a person or group may be this one.
    #[must_use]
    pub fn allows_id(&self, id: u32) -> bool {
        self.id_ranges
            .iter()
            .any(|range| (range.first..=range.last).contains(&id))
    }
}

impl Role {
    /// A role of these keys.
    #[must_use]
    pub fn new(keys: impl IntoIterator<Item = PublicKey>, threshold: u32) -> Self {
        Self {
            keys: keys.into_iter().collect(),
            threshold,
        }
    }

    fn is_sound(&self) -> bool {
        let count = self.keys.len();
        (1..=ROLE_KEYS_MAX).contains(&count)
            && self.threshold > 0
            && usize::try_from(self.threshold).is_ok_and(|threshold| threshold <= count)
    }
}

impl SignedRoot {
    /// The document, without a look at its signatures: for whoever keeps the chain, not for a host.
    ///
    /// # Errors
    /// Not a root document.
    pub fn document(&self) -> Result<RootDocument, Refusal> {
        read(envelope::open(&self.0, "root document", ROOT_CHAIN_BYTES_MAX)?.payload)
    }
}

/// Signs a root document. The first one is signed by its own root keys, every other one by those
/// of its predecessor, too.
#[must_use]
pub fn make_root(document: &RootDocument, keys: &[&SigningKey]) -> SignedRoot {
    SignedRoot(envelope::sign(
        Kind::Root,
        &envelope::encode(document),
        keys,
    ))
}

/// Joins signed root documents, oldest first, to the bytes that hosts fetch.
#[must_use]
pub fn encode_root_chain(chain: &[SignedRoot]) -> Vec<u8> {
    let parts: Vec<&[u8]> = chain.iter().map(|root| root.0.as_slice()).collect();
    envelope::encode(&parts)
}

/// Takes a chain apart again without judging it: for whoever keeps the chain, not for a host.
///
/// # Errors
/// Not a chain of root documents.
pub fn decode_root_chain(chain: &[u8]) -> Result<Vec<SignedRoot>, Refusal> {
    envelope::within("root chain", chain.len(), ROOT_CHAIN_BYTES_MAX)?;
    let parts: Vec<Vec<u8>> = envelope::decode(chain, "root chain")?;
    Ok(parts.into_iter().map(SignedRoot).collect())
}

/// Follows a fetched chain to its newest document. A host that holds none yet must have reached
/// the directory over a pinned connection: its first document is believed.
///
/// # Errors
/// A document is not signed by its predecessor and by itself, versions have gaps, the newest is
/// older than the one held, or it has expired.
pub fn verify_root_chain(
    held: Option<&RootDocument>,
    organisation: &str,
    chain: &[u8],
    now: Timestamp,
) -> Result<RootDocument, Refusal> {
    let documents = reopen_root_chain(organisation, chain)?;
    let newest = last(documents.clone())?;
    if let Some(held) = held {
        continues(held, &documents, &newest)?;
    }
    if newest.expires <= now {
        return Err(DirectoryFault::RootExpired(newest.expires).into());
    }
    Ok(newest)
}

/// Reads the chain a host has stored, oldest first. Signatures are checked again; expiry is not,
/// because a host that is cut off serves its last good bundle.
///
/// # Errors
/// As [`verify_root_chain`], except for expiry.
pub fn reopen_root_chain(organisation: &str, chain: &[u8]) -> Result<Vec<RootDocument>, Refusal> {
    let mut documents: Vec<RootDocument> = Vec::new();
    for signed in decode_root_chain(chain)? {
        let envelope = envelope::open(&signed.0, "root document", ROOT_CHAIN_BYTES_MAX)?;
        let document = read(envelope.payload)?;
        if document.organisation != organisation {
            return Err(DirectoryFault::Organisation(document.organisation).into());
        }
        let expected = documents.last().map_or(1, |before| before.version + 1);
        if document.version != expected {
            return Err(DirectoryFault::RootGap {
                expected,
                found: document.version,
            }
            .into());
        }
        if let Some(before) = documents.last() {
            envelope.require_role(Kind::Root, &before.root, &before.bundle)?;
        }
        envelope.require_role(Kind::Root, &document.root, &document.bundle)?;
        documents.push(document);
    }
    last(documents.clone())?;
    Ok(documents)
}

fn continues(
    held: &RootDocument,
    documents: &[RootDocument],
    newest: &RootDocument,
) -> Result<(), Refusal> {
    if newest.version < held.version {
        return Err(DirectoryFault::RootOlder {
            held: held.version,
            offered: newest.version,
        }
        .into());
    }
    if documents.contains(held) {
        return Ok(());
    }
    Err(DirectoryFault::Equivocation {
        version: held.version,
    }
    .into())
}

fn last(mut documents: Vec<RootDocument>) -> Result<RootDocument, Refusal> {
    documents
        .pop()
        .ok_or_else(|| DirectoryFault::Malformed("empty root chain").into())
}

fn read(payload: &[u8]) -> Result<RootDocument, Refusal> {
    let document: RootDocument = envelope::decode(payload, "root document")?;
    let keys = document.root.keys.iter().chain(&document.bundle.keys);
    if let Some(key) = keys
        .into_iter()
        .find(|key| key.algorithm != crate::key::ED25519)
    {
        return Err(DirectoryFault::Algorithm(key.algorithm).into());
    }
    if document.version == u64::MAX || !document.root.is_sound() || !document.bundle.is_sound() {
        return Err(DirectoryFault::Malformed("root document").into());
    }
    Ok(document)
}
