//! Chunks opened and decoded, kept by what the manifest calls them: the same reference is the same
//! bytes, and these are the same records. Nothing here looks at what root allows or at another
//! record; that is checked anew in every bundle.

use std::collections::BTreeMap;
use std::sync::Arc;

use policy::{AccessRule, UnreadableRule};
use posix_names::clean_line;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::checks;
use crate::held::{GroupNumbers, PackedCredentials, PackedPeople};
use crate::limits::NESTING_MAX;
use crate::manifest::{ChunkKind, ChunkReference, Manifest, check_chunk};
use crate::nesting;
use crate::read::{DropReason, DroppedRecord};
use crate::record::{CheckBitsRecord, FactorsRecord, GroupRecord, HostRecord, PersonRecord};
use crate::refusal::{HostFault, Refusal};
use crate::sealing::{self, SealingKey};

const SHOWN_ID_BYTES: usize = 64;
const SHOWN_PROBLEM_BYTES: usize = 200;

/// The chunks of one bundle.
#[derive(Debug, Clone, Default)]
pub(crate) struct DecodedChunks {
    /// For whom they were opened: organisation and host.
    addressee: (String, String),
    chunks: BTreeMap<ChunkReference, Arc<DecodedChunk>>,
    groups: Arc<GroupNumbers>,
}

/// Records of one chunk, before they are compared with others.
#[derive(Debug)]
pub(crate) struct DecodedChunk {
    pub(crate) kind: ChunkKind,
    pub(crate) hosts: Vec<HostRecord>,
    pub(crate) people: Option<DecodedPeople>,
    pub(crate) groups: Vec<GroupRecord>,
    pub(crate) access_rules: Vec<AccessRule>,
    pub(crate) unreadable_rules: Vec<UnreadableRule>,
    pub(crate) credentials: Option<Arc<PackedCredentials>>,
    pub(crate) factors: Vec<FactorsRecord>,
    pub(crate) check_bits: Vec<Arc<CheckBitsRecord>>,
    pub(crate) dropped: Vec<DroppedRecord>,
}

/// People with those keys that are what they say.
#[derive(Debug)]
pub(crate) struct DecodedPeople {
    pub(crate) packed: Arc<PackedPeople>,
    /// The place of each person, once for each key that was not.
    pub(crate) misshapen_keys: Vec<u32>,
}

impl DecodedChunks {
    /// Takes the chunks of a manifest from those known; fetches, checks, opens and decodes the others.
    pub(crate) fn of(
        manifest: &Manifest,
        known: Option<&Self>,
        mut fetch: impl FnMut(&ChunkReference) -> Option<Vec<u8>>,
        key: &SealingKey,
    ) -> Result<(Self, Vec<Arc<DecodedChunk>>), Refusal> {
        let addressee = (manifest.organisation.clone(), manifest.host.clone());
        let known = known
            .filter(|known| known.addressee == addressee)
            .filter(|known| !known.groups.is_worn());
        let mut all = Self {
            addressee,
            chunks: BTreeMap::new(),
            groups: known
                .map(|known| Arc::clone(&known.groups))
                .unwrap_or_default(),
        };
        let mut in_order = Vec::with_capacity(manifest.chunks.len());
        for reference in &manifest.chunks {
            let chunk = match known.and_then(|known| known.chunks.get(reference)) {
                Some(chunk) => Arc::clone(chunk),
                None => {
                    let plain = opened(reference, manifest, &mut fetch, key)?;
                    Arc::new(DecodedChunk::of(reference.kind, &plain, &all.groups))
                }
            };
            all.chunks.insert(*reference, Arc::clone(&chunk));
            in_order.push(chunk);
        }
        Ok((all, in_order))
    }

    /// Numbers of the groups that people are in.
    pub(crate) fn groups(&self) -> &Arc<GroupNumbers> {
        &self.groups
    }
}

fn opened(
    reference: &ChunkReference,
    manifest: &Manifest,
    fetch: &mut impl FnMut(&ChunkReference) -> Option<Vec<u8>>,
    key: &SealingKey,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let missing = || HostFault::ChunkMissing(reference.name());
    let chunk = fetch(reference).ok_or_else(missing)?;
    check_chunk(reference, &chunk)?;
    if reference.kind.is_sealed() {
        sealing::open(&chunk, &manifest.organisation, &manifest.host, key)
    } else {
        Ok(Zeroizing::new(chunk))
    }
}

impl DecodedChunk {
    fn empty(kind: ChunkKind) -> Self {
        Self {
            kind,
            hosts: Vec::new(),
            people: None,
            groups: Vec::new(),
            access_rules: Vec::new(),
            unreadable_rules: Vec::new(),
            credentials: None,
            factors: Vec::new(),
            check_bits: Vec::new(),
            dropped: Vec::new(),
        }
    }

    fn of(kind: ChunkKind, plain: &[u8], groups: &Arc<GroupNumbers>) -> Self {
        let mut chunk = Self::empty(kind);
        let dropped = &mut chunk.dropped;
        match kind {
            ChunkKind::Host => {
                read_lines(kind, plain, &mut chunk.hosts, dropped);
            }
            ChunkKind::People => {
                let mut people = Vec::new();
                read_lines(kind, plain, &mut people, dropped);
                chunk.people = Some(DecodedPeople::of(people, groups));
            }
            ChunkKind::Groups => {
                read_lines(kind, plain, &mut chunk.groups, dropped);
            }
            ChunkKind::AccessRules => {
                let unreadable = read_lines(kind, plain, &mut chunk.access_rules, dropped);
                chunk.unreadable_rules = unreadable.into_iter().map(remains_of_rule).collect();
            }
            ChunkKind::Credentials => {
                let mut credentials = Vec::new();
                read_lines(kind, plain, &mut credentials, dropped);
                chunk.credentials = Some(PackedCredentials::of(&credentials));
            }
            ChunkKind::Factors => {
                read_lines(kind, plain, &mut chunk.factors, dropped);
            }
            ChunkKind::CheckBits => {
                let mut check_bits = Vec::new();
                read_lines(kind, plain, &mut check_bits, dropped);
                chunk.check_bits = check_bits.into_iter().map(Arc::new).collect();
            }
        }
        chunk
    }
}

impl DecodedPeople {
    fn of(mut people: Vec<PersonRecord>, groups: &Arc<GroupNumbers>) -> Self {
        let mut misshapen_keys = Vec::new();
        for (place, person) in (0..).zip(&mut people) {
            let keys = person.ssh_keys.len();
            person.ssh_keys.retain(checks::is_sound);
            let misshapen = keys - person.ssh_keys.len();
            misshapen_keys.extend(std::iter::repeat_n(place, misshapen));
        }
        Self {
            packed: PackedPeople::of(&people, groups),
            misshapen_keys,
        }
    }
}

/// Decodes every line; those that cannot be read are reported and returned as they are.
fn read_lines<'a, T: DeserializeOwned>(
    kind: ChunkKind,
    plain: &'a [u8],
    records: &mut Vec<T>,
    dropped: &mut Vec<DroppedRecord>,
) -> Vec<&'a [u8]> {
    let mut unreadable = Vec::new();
    let lines = plain.split(|byte| *byte == b'\n');
    for line in lines.filter(|line| !line.is_empty()) {
        match read_line(kind, line) {
            Ok(record) => records.push(record),
            Err(reason) => {
                unreadable.push(line);
                dropped.push(DroppedRecord {
                    kind,
                    id: id_of(line),
                    reason,
                });
            }
        }
    }
    unreadable
}

fn read_line<T: DeserializeOwned>(kind: ChunkKind, line: &[u8]) -> Result<T, DropReason> {
    if nesting::depth(line) > NESTING_MAX {
        return Err(DropReason::TooDeep);
    }
    serde_json::from_slice(line).map_err(|problem| {
        // The text may quote the record: one harmless line of it is kept, of a secret none.
        let problem = match kind.is_sealed() {
            true => String::from("not a record of its kind"),
            false => clean_line(&problem.to_string(), SHOWN_PROBLEM_BYTES),
        };
        DropReason::Unreadable(problem)
    })
}

/// What can still be told of an unreadable rule.
fn remains_of_rule(line: &[u8]) -> UnreadableRule {
    read_line(ChunkKind::AccessRules, line).unwrap_or_else(|_| UnreadableRule::illegible())
}

/// The id of a record that could not be read as a whole, for the report.
fn id_of(line: &[u8]) -> String {
    if nesting::depth(line) > NESTING_MAX {
        return String::new();
    }
    let record: Value = serde_json::from_slice(line).unwrap_or_default();
    let named = ["id", "device", "user"].into_iter();
    let id = named.filter_map(|field| record.get(field)).next();
    clean_line(
        id.and_then(Value::as_str).unwrap_or_default(),
        SHOWN_ID_BYTES,
    )
}
