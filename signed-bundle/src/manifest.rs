//! The manifest: which chunks make up a host's bundle, signed. Whether a host takes it is decided
//! here and nowhere else.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::required as milliseconds;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::envelope::{self, Kind};
use crate::key::SigningKey;
use crate::limits::{BUNDLE_BYTES_MAX, CHUNK_BYTES_MAX, MANIFEST_BYTES_MAX};
use crate::refusal::{DirectoryFault, HostFault, Refusal};
use crate::root::{Limits, RootDocument};

/// What the signing key says of one host's bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `org_…`
    pub organisation: String,
    /// `hst_…`
    pub host: String,
    /// Strictly increasing for this host under one root document.
    pub version: u64,
    /// When it was signed.
    #[serde(with = "milliseconds")]
    pub issued: Timestamp,
    /// Not to be taken from anywhere after this moment. Ends no logins.
    #[serde(with = "milliseconds")]
    pub expires: Timestamp,
    /// Version of the root document under which it is signed.
    pub root_version: u64,
    /// All fast-lane messages up to this one are contained.
    pub fast_lane_sequence: u64,
    /// So many people may vanish at once; an administrator has confirmed it.
    pub confirmed_removals: u32,
    /// The content.
    pub chunks: Vec<ChunkReference>,
}

/// One chunk, named by its content as it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChunkReference {
    /// What is inside.
    pub kind: ChunkKind,
    /// SHA-256 of the bytes as they travel.
    pub sha256: [u8; 32],
    /// Their number.
    pub length: u32,
}

/// What is inside a chunk. An unknown kind makes the whole manifest unreadable: what a host does
/// not understand it cannot leave out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChunkKind {
    /// [`crate::HostRecord`]
    Host,
    /// [`crate::PersonRecord`]
    People,
    /// [`crate::GroupRecord`]
    Groups,
    /// [`policy::AccessRule`]
    AccessRules,
    /// [`crate::CredentialRecord`], sealed.
    Credentials,
    /// [`crate::FactorsRecord`], sealed.
    Factors,
    /// [`crate::CheckBitsRecord`], sealed.
    CheckBits,
}

/// What a host compares an offered manifest with.
#[derive(Debug, Clone)]
pub struct Accepting<'a> {
    /// The root document in force.
    pub root: &'a RootDocument,
    /// `org_…` of this host.
    pub organisation: &'a str,
    /// `hst_…` of this host.
    pub host: &'a str,
    /// The manifest in force, if any.
    pub held: Option<Held>,
    /// The time, never going back.
    pub now: Timestamp,
}

/// What a host remembers of the manifest in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Its root version. A new root document starts the count of versions anew.
    pub root_version: u64,
    /// Its version.
    pub version: u64,
    /// SHA-256 of the signed content.
    pub digest: [u8; 32],
}

/// A manifest that passed every check. Cannot be made in any other way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptedManifest {
    manifest: Manifest,
    digest: [u8; 32],
    limits: Limits,
}

impl AcceptedManifest {
    /// The manifest itself.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// What to remember once the bundle is in force.
    #[must_use]
    pub fn held(&self) -> Held {
        Held {
            root_version: self.manifest.root_version,
            version: self.manifest.version,
            digest: self.digest,
        }
    }

    /// The limits its records are held to.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

impl ChunkKind {
    /// Whether chunks of this kind travel only sealed to their host.
    #[must_use]
    pub fn is_sealed(self) -> bool {
        match self {
            Self::Credentials | Self::Factors | Self::CheckBits => true,
            Self::Host | Self::People | Self::Groups | Self::AccessRules => false,
        }
    }
}

impl ChunkReference {
    /// The reference to these bytes, or `None` when they are more than a chunk holds.
    #[must_use]
    pub fn of(kind: ChunkKind, bytes: &[u8]) -> Option<Self> {
        let fits = bytes.len() <= CHUNK_BYTES_MAX;
        let length = u32::try_from(bytes.len()).ok().filter(|_| fits)?;
        Some(Self {
            kind,
            sha256: Sha256::digest(bytes).into(),
            length,
        })
    }

    /// The name under which the chunk is fetched: lower-case hex of its hash.
    #[must_use]
    pub fn name(&self) -> String {
        const DIGITS: [char; 16] = [
            '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
        ];
        let digit = |value: u8| DIGITS.get(usize::from(value)).copied().unwrap_or_default();
        let mut name = String::with_capacity(2 * self.sha256.len());
        for byte in self.sha256 {
            name.push(digit(byte >> 4));
            name.push(digit(byte & 15));
        }
        name
    }
}

/// Signs a manifest.
#[must_use]
pub fn sign_manifest(manifest: &Manifest, key: &SigningKey) -> Vec<u8> {
    envelope::sign(Kind::Manifest, &envelope::encode(manifest), &[key])
}

/// Decides whether a host takes a manifest it was offered.
///
/// # Errors
/// Says what is wrong and who must act. What is in force stays in force.
pub fn accept_manifest(
    bytes: &[u8],
    accepting: &Accepting<'_>,
) -> Result<AcceptedManifest, Refusal> {
    let root = accepting.root;
    if root.expires <= accepting.now {
        return Err(DirectoryFault::RootExpired(root.expires).into());
    }
    let accepted = verified(bytes, std::slice::from_ref(root), accepting)?;
    if accepted.manifest.expires <= accepting.now {
        return Err(DirectoryFault::Expired(accepted.manifest.expires).into());
    }
    if let Some(held) = accepting.held {
        follows(&accepted, &held)?;
    }
    Ok(accepted)
}

/// Opens the manifest a host has stored. `roots` is its stored chain. Signatures are checked
/// again; expiry is not, because a host that is cut off serves its last good bundle.
///
/// # Errors
/// As [`accept_manifest`], except for expiry and version.
pub fn reopen_manifest(
    bytes: &[u8],
    roots: &[RootDocument],
    organisation: &str,
    host: &str,
) -> Result<AcceptedManifest, Refusal> {
    let newest = roots
        .last()
        .ok_or(DirectoryFault::Malformed("empty root chain"))?;
    let accepting = Accepting {
        root: newest,
        organisation,
        host,
        held: None,
        now: newest.issued,
    };
    verified(bytes, roots, &accepting)
}

/// Compares a chunk with what the manifest says of it.
///
/// # Errors
/// Its length or hash differs, or it is larger than a chunk may be.
pub fn check_chunk(reference: &ChunkReference, bytes: &[u8]) -> Result<(), Refusal> {
    envelope::within("chunk", bytes.len(), CHUNK_BYTES_MAX)?;
    let length_fits = u32::try_from(bytes.len()).is_ok_and(|length| length == reference.length);
    let digest: [u8; 32] = Sha256::digest(bytes).into();
    if length_fits && digest == reference.sha256 {
        Ok(())
    } else {
        Err(DirectoryFault::Chunk.into())
    }
}

/// Signature, addressee, root version and limits; not time and not version.
fn verified(
    bytes: &[u8],
    roots: &[RootDocument],
    accepting: &Accepting<'_>,
) -> Result<AcceptedManifest, Refusal> {
    let envelope = envelope::open(bytes, "manifest", MANIFEST_BYTES_MAX)?;
    // The payload is read before its signature only to find the root document it names.
    let manifest: Manifest = envelope::decode(envelope.payload, "manifest")?;
    let Some(root) = roots
        .iter()
        .find(|root| root.version == manifest.root_version)
    else {
        return Err(wrong_root(&envelope, &manifest, accepting.root));
    };
    envelope.require_role(Kind::Manifest, &root.bundle, &root.root)?;
    if manifest.organisation != accepting.organisation || root.organisation != manifest.organisation
    {
        return Err(DirectoryFault::Organisation(manifest.organisation).into());
    }
    if manifest.host != accepting.host {
        return Err(DirectoryFault::WrongHost(manifest.host).into());
    }
    check_references(&manifest.chunks)?;
    Ok(AcceptedManifest {
        digest: Sha256::digest(envelope.payload).into(),
        limits: accepting.root.limits.clone(),
        manifest,
    })
}

fn wrong_root(
    envelope: &envelope::Envelope<'_>,
    manifest: &Manifest,
    root: &RootDocument,
) -> Refusal {
    if manifest.root_version > root.version {
        return HostFault::RootNeeded {
            needed: manifest.root_version,
            held: root.version,
        }
        .into();
    }
    // An unsigned claim of an older root is reported as what it is: unsigned.
    if let Err(refusal) = envelope.require_role(Kind::Manifest, &root.bundle, &root.root) {
        return refusal;
    }
    DirectoryFault::RootOlder {
        held: root.version,
        offered: manifest.root_version,
    }
    .into()
}

fn check_references(chunks: &[ChunkReference]) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    let mut total: u64 = 0;
    for chunk in chunks {
        let length = usize::try_from(chunk.length).unwrap_or(usize::MAX);
        envelope::within("chunk", length, CHUNK_BYTES_MAX)?;
        total += u64::from(chunk.length);
        if !seen.insert(chunk.sha256) {
            return Err(DirectoryFault::Malformed("the same chunk twice").into());
        }
    }
    if total > BUNDLE_BYTES_MAX {
        return Err(DirectoryFault::Limit {
            what: "bundle",
            found: total,
            most: BUNDLE_BYTES_MAX,
        }
        .into());
    }
    Ok(())
}

/// Versions only grow. A new root document starts the count anew, so that a stolen signing key
/// cannot block a host for ever by signing the highest number.
fn follows(offered: &AcceptedManifest, held: &Held) -> Result<(), Refusal> {
    let new = offered.held();
    if new.root_version == held.root_version
        && new.version == held.version
        && new.digest != held.digest
    {
        return Err(DirectoryFault::Equivocation {
            version: held.version,
        }
        .into());
    }
    if (new.root_version, new.version) < (held.root_version, held.version) {
        return Err(DirectoryFault::Older {
            held: held.version,
            offered: new.version,
        }
        .into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upg_01_a_manifest_that_names_a_kind_of_chunk_nobody_knows_yet_is_refused() {
        let moment = Timestamp::from_second(1_800_000_000).unwrap();
        let manifest = Manifest {
            organisation: "org_1".to_owned(),
            host: "hst_1".to_owned(),
            version: 1,
            issued: moment,
            expires: moment,
            root_version: 1,
            fast_lane_sequence: 0,
            confirmed_removals: 0,
            chunks: vec![ChunkReference {
                kind: ChunkKind::CheckBits,
                sha256: [9; 32],
                length: 1,
            }],
        };
        let mut payload = envelope::encode(&manifest);
        assert_eq!(envelope::decode(&payload, "manifest"), Ok(manifest));
        // behind it are the hash and the length, which is one byte here
        let kind = payload.len() - 34;
        assert_eq!(payload[kind], ChunkKind::CheckBits as u8);
        payload[kind] += 1;
        let refused = envelope::decode::<Manifest>(&payload, "manifest");
        assert_eq!(refused.unwrap_err().why(), "malformed");
    }
}
