//! Counters that must survive anything: the newest signed time, and every revocation of the fast
//! lane until a bundle contains it. Kept in two copies, each with its checksum; the newer sound one
//! counts, so that a torn or damaged file loses nothing that was acknowledged.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::disk::{Disk, read_bounded};

const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;
const CHECKSUM_BYTES: usize = 32;

/// What is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// Grows with every write: tells the newer copy.
    generation: u64,
    /// The newest signed time seen, milliseconds since 1970.
    pub newest_signed_ms: i64,
    /// Highest fast-lane message taken in.
    pub fast_lane_sequence: u64,
    /// The bundle whose consequences are noted here.
    #[serde(default)]
    pub bundle_version: u64,
    /// Suspensions that no bundle in use contains yet.
    pub revocations: Vec<Revocation>,
    /// Suspensions in a bundle that the shrink guard holds back.
    #[serde(default)]
    pub held_back: BTreeSet<String>,
    /// People who no longer have access here, with the moment (milliseconds since 1970) at which
    /// their sessions end.
    #[serde(default)]
    pub leaving: Vec<Leaving>,
}

/// A user suspended by the fast lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Revocation {
    /// Number of the message.
    pub sequence: u64,
    /// `usr_…`
    pub user: String,
}

/// Somebody whose access to this host has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leaving {
    /// `usr_…`
    pub user: String,
    /// Their uid.
    pub uid: u32,
    /// When their sessions end, milliseconds since 1970.
    pub due_ms: i64,
}

/// Marks were kept, and no copy of them is sound.
#[derive(Debug, thiserror::Error)]
#[error(
    "{0} and its copy are damaged: a revocation that no bundle contains yet is forgotten until the \
     directory repeats it"
)]
pub struct Damaged(PathBuf);

impl Marks {
    /// Reads the newer sound copy; a host that never kept any begins with none.
    ///
    /// # Errors
    /// Something was kept and cannot be used.
    pub fn load(path: &Path) -> Result<Self, Damaged> {
        let copies = [path.to_owned(), second_copy(path)];
        let newest = copies
            .iter()
            .filter_map(|copy| read(copy))
            .max_by_key(|marks| marks.generation);
        match newest {
            Some(marks) => Ok(marks),
            None if copies.iter().any(|copy| copy.symlink_metadata().is_ok()) => {
                Err(Damaged(path.to_owned()))
            }
            None => Ok(Self::default()),
        }
    }

    /// Makes the marks durable, both copies.
    ///
    /// # Errors
    /// The disk refuses; at least one sound copy is there.
    pub fn save(&mut self, disk: &dyn Disk, path: &Path) -> io::Result<()> {
        self.generation += 1;
        let body = serde_json::to_vec(self)?;
        let checksum: [u8; CHECKSUM_BYTES] = Sha256::digest(&body).into();
        let bytes = [checksum.as_slice(), &body].concat();
        let copies = [path.to_owned(), second_copy(path)];
        disk.replace_all(&copies.map(|copy| (copy, bytes.as_slice())), 0o600)
    }

    /// Notes a suspension; one that was offered again is noted once.
    pub(super) fn stick(&mut self, revocation: Revocation) {
        if !self.revocations.contains(&revocation) {
            self.revocations.push(revocation);
        }
    }

    /// Whom the fast lane, or a bundle held back, has suspended beyond what a bundle with this
    /// fast-lane sequence says itself.
    #[must_use]
    pub fn revoked(&self, contained_up_to: u64) -> BTreeSet<String> {
        self.revocations
            .iter()
            .filter(|revocation| revocation.sequence > contained_up_to)
            .map(|revocation| revocation.user.clone())
            .chain(self.held_back.iter().cloned())
            .collect()
    }
}

/// The place of the second copy.
#[must_use]
pub fn second_copy(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".copy");
    PathBuf::from(name)
}

fn read(path: &Path) -> Option<Marks> {
    let bytes = read_bounded(path, FILE_BYTES_MAX).ok()??;
    let (checksum, body) = bytes.split_at_checked(CHECKSUM_BYTES)?;
    let found: [u8; CHECKSUM_BYTES] = Sha256::digest(body).into();
    if found != checksum {
        tracing::error!(path = %path.display(), "damaged, and of no use");
        return None;
    }
    serde_json::from_slice(body).ok()
}
