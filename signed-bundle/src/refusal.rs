//! Why a host does not take what it was offered. The outer variant says who must act; a refusal
//! never changes what is in force.

use jiff::Timestamp;

/// Something offered to a host was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Whoever runs the directory, or the store the bytes came from, must look.
    #[error("refused: {0}")]
    Directory(#[from] DirectoryFault),
    /// The host itself must do something first.
    #[error("not yet: {0}")]
    Host(#[from] HostFault),
    /// An administrator must confirm.
    #[error("held back: {0}")]
    Administrator(#[from] Shrink),
}

/// What is wrong with the bytes offered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryFault {
    /// Too few valid signatures of distinct keys of the role.
    #[error("{valid} of {needed} needed signatures are valid")]
    Signature {
        /// Distinct keys whose signature is valid.
        valid: usize,
        /// The threshold.
        needed: usize,
    },
    /// The key belongs to another role.
    #[error("key {key} is certified, but not for this")]
    Role {
        /// Id of the key.
        key: String,
    },
    /// A key or signature of a kind this version does not know.
    #[error("algorithm {0} is unknown")]
    Algorithm(u8),
    /// Made for another organisation.
    #[error("made for organisation {0:?}")]
    Organisation(String),
    /// Made for another host.
    #[error("made for host {0:?}")]
    WrongHost(String),
    /// An older version than the one in force.
    #[error("version {offered} is older than {held}")]
    Older {
        /// Version in force.
        held: u64,
        /// Version offered.
        offered: u64,
    },
    /// The same version was signed with two contents: keep both as evidence.
    #[error("version {version} was signed with two different contents")]
    Equivocation {
        /// The version concerned.
        version: u64,
    },
    /// The manifest had already expired when it was fetched.
    #[error("expired at {0}")]
    Expired(Timestamp),
    /// The root document has expired.
    #[error("the root document expired at {0}")]
    RootExpired(Timestamp),
    /// Root documents do not follow each other.
    #[error("root version {found} where {expected} must follow")]
    RootGap {
        /// The version that must follow.
        expected: u64,
        /// The version found.
        found: u64,
    },
    /// Signed under an older root document than the one in force.
    #[error("signed under root version {offered}, in force is {held}")]
    RootOlder {
        /// Root version in force.
        held: u64,
        /// Root version offered.
        offered: u64,
    },
    /// Larger than a host takes.
    #[error("{what} has {found} bytes, at most {most} are taken")]
    Limit {
        /// What is too large.
        what: &'static str,
        /// Its size.
        found: u64,
        /// The limit.
        most: u64,
    },
    /// A chunk is not the one the manifest names.
    #[error("a chunk is not the one the manifest names")]
    Chunk,
    /// Cannot be decoded, or contradicts itself.
    #[error("malformed: {0}")]
    Malformed(&'static str),
}

/// What the host must do first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostFault {
    /// Fetch the root chain first.
    #[error("signed under root version {needed}, held is {held}; fetch the root chain")]
    RootNeeded {
        /// Root version of the manifest.
        needed: u64,
        /// Root version in force.
        held: u64,
    },
    /// A chunk is missing.
    #[error("chunk {0} is missing")]
    ChunkMissing(String),
    /// A sealed chunk does not open with this host's key.
    #[error("a sealed chunk does not open with this host's key")]
    SealingKey,
}

/// Most people would vanish at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{vanished} of {before} people would vanish, {confirmed} removals were confirmed")]
pub struct Shrink {
    /// People in force.
    pub before: usize,
    /// Of those, people no longer listed.
    pub vanished: usize,
    /// Removals that an administrator confirmed.
    pub confirmed: u32,
}

impl Refusal {
    /// The `why` of a `bundle.refused` event: a stable word.
    #[must_use]
    pub fn why(&self) -> &'static str {
        match self {
            Self::Directory(fault) => fault.why(),
            Self::Host(HostFault::RootNeeded { .. }) => "root",
            Self::Host(HostFault::ChunkMissing(_)) => "incomplete",
            Self::Host(HostFault::SealingKey) => "sealed",
            Self::Administrator(_) => "shrink_guard",
        }
    }
}

impl DirectoryFault {
    fn why(&self) -> &'static str {
        match self {
            Self::Signature { .. } | Self::Algorithm(_) => "signature",
            Self::Role { .. } => "wrong_role",
            Self::Organisation(_) => "wrong_organisation",
            Self::WrongHost(_) => "wrong_host",
            Self::Older { .. } => "older",
            Self::Equivocation { .. } => "equivocation",
            Self::Expired(_) => "expired",
            Self::RootExpired(_) | Self::RootGap { .. } | Self::RootOlder { .. } => "root",
            Self::Limit { .. } => "limit",
            Self::Chunk => "chunk",
            Self::Malformed(_) => "malformed",
        }
    }
}
