//! From a slice to chunks: the same slice always gives the same bytes, and one changed person is
//! one changed chunk.

use std::collections::BTreeMap;

use serde::Serialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroize;

use crate::limits::BUNDLE_BYTES_MAX;
use crate::manifest::ChunkKind;
use crate::record::Slice;
use crate::sealing::SEALED_CONTENT_MAX;

/// People per chunk, about.
const BUCKET_PEOPLE: usize = 32;
/// More buckets than this cannot make a bundle fit.
const BUCKETS_MAX: usize = 1 << 14;

/// A chunk before sealing. Wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct PlainChunk {
    /// What is inside.
    pub kind: ChunkKind,
    /// JSON lines.
    pub bytes: Vec<u8>,
}

/// A slice cannot become a bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// One record alone does not fit into a chunk.
    #[error("record {0} does not fit into a chunk")]
    RecordTooLong(String),
    /// All together are more than a bundle holds.
    #[error("the slice has {0} bytes, a bundle holds {BUNDLE_BYTES_MAX}")]
    TooLarge(u64),
    /// A record could not be encoded.
    #[error("record {0} cannot be encoded")]
    Unencodable(String),
}

impl PlainChunk {
    /// SHA-256 of the plain bytes: names the content whatever the seal looks like.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.bytes).into()
    }
}

impl Drop for PlainChunk {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl std::fmt::Debug for PlainChunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PlainChunk({:?}, {} bytes)", self.kind, self.bytes.len())
    }
}

/// Cuts a slice into chunks.
///
/// # Errors
/// A record or the whole is too large.
pub fn plan_chunks(slice: &Slice) -> Result<Vec<PlainChunk>, PlanError> {
    let people: Vec<_> = slice.people.iter().collect();
    let groups: Vec<_> = slice.groups.iter().collect();
    let rules: Vec<_> = slice.access_rules.iter().collect();
    let credentials: Vec<_> = slice.credentials.iter().collect();
    let mut chunks = bucketed(ChunkKind::Host, &[&slice.host], |host| &host.id)?;
    chunks.extend(bucketed(ChunkKind::People, &people, |person| &person.id)?);
    chunks.extend(bucketed(ChunkKind::Groups, &groups, |group| &group.id)?);
    chunks.extend(bucketed(ChunkKind::AccessRules, &rules, |rule| &rule.id)?);
    chunks.extend(bucketed(ChunkKind::Credentials, &credentials, |one| {
        &one.user
    })?);
    let factors: Vec<_> = slice.factors.iter().collect();
    chunks.extend(bucketed(ChunkKind::Factors, &factors, |one| &one.user)?);
    let check_bits: Vec<_> = slice.check_bits.iter().collect();
    chunks.extend(bucketed(ChunkKind::CheckBits, &check_bits, |one| {
        &one.device
    })?);
    let total: u64 = chunks.iter().map(|chunk| chunk.bytes.len() as u64).sum();
    if total > BUNDLE_BYTES_MAX {
        return Err(PlanError::TooLarge(total));
    }
    Ok(chunks)
}

/// Lines by the hash of their id: a record stays in its bucket until the number of records
/// doubles. Buckets that overflow are halved, all together.
fn bucketed<T: Serialize>(
    kind: ChunkKind,
    records: &[&T],
    id: impl Fn(&T) -> &String,
) -> Result<Vec<PlainChunk>, PlanError> {
    let mut lines = BTreeMap::new();
    for record in records {
        let id = id(record);
        let line = serde_json::to_vec(record).map_err(|_| PlanError::Unencodable(id.clone()))?;
        if line.len() >= SEALED_CONTENT_MAX {
            return Err(PlanError::RecordTooLong(id.clone()));
        }
        lines.insert(id.as_str(), line);
    }
    let mut buckets = records.len().div_ceil(BUCKET_PEOPLE).next_power_of_two();
    while buckets <= BUCKETS_MAX {
        if let Some(chunks) = filled(kind, &lines, buckets) {
            return Ok(chunks);
        }
        buckets *= 2;
    }
    Err(PlanError::TooLarge(BUNDLE_BYTES_MAX))
}

fn filled(
    kind: ChunkKind,
    lines: &BTreeMap<&str, Vec<u8>>,
    buckets: usize,
) -> Option<Vec<PlainChunk>> {
    let mut chunks: BTreeMap<usize, PlainChunk> = BTreeMap::new();
    for (id, line) in lines {
        let chunk = chunks
            .entry(bucket_of(id, buckets))
            .or_insert_with(|| PlainChunk {
                kind,
                bytes: Vec::new(),
            });
        if chunk.bytes.len() + line.len() + 1 > SEALED_CONTENT_MAX {
            return None;
        }
        chunk.bytes.extend_from_slice(line);
        chunk.bytes.push(b'\n');
    }
    Some(chunks.into_values().collect())
}

fn bucket_of(id: &str, buckets: usize) -> usize {
    let digest: [u8; 32] = Sha256::digest(id).into();
    let [first, second, third, fourth, ..] = digest;
    let number = u32::from_be_bytes([first, second, third, fourth]);
    usize::try_from(number).unwrap_or_default() % buckets
}
