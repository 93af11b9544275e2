//! From chunks back to a slice, on the host. Every record is decoded and checked by itself; a bad
//! one is dropped with a reason and the others apply.

use policy::{AccessRule, UnreadableRule};
use posix_names::clean_line;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::checks::Checks;
use crate::limits::NESTING_MAX;
use crate::manifest::{AcceptedManifest, ChunkKind, ChunkReference, check_chunk};
use crate::nesting;
use crate::record::{CredentialRecord, GroupRecord, HostRecord, PersonRecord, Slice};
use crate::refusal::{DirectoryFault, HostFault, Refusal};
use crate::sealing::{self, SealingKey};

const SHOWN_ID_BYTES: usize = 64;
const SHOWN_PROBLEM_BYTES: usize = 200;

/// A bundle as the host will apply it.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadSlice {
    /// Every record that passed.
    pub slice: Slice,
    /// Every record that did not: each is an alarm.
    pub dropped: Vec<DroppedRecord>,
    /// Access rules that could not be read, for the engine: each denies whomever it might concern.
    pub unreadable_rules: Vec<UnreadableRule>,
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

/// Records as decoded, before they are compared with each other.
#[derive(Default)]
struct Decoded {
    hosts: Vec<HostRecord>,
    people: Vec<PersonRecord>,
    groups: Vec<GroupRecord>,
    access_rules: Vec<AccessRule>,
    unreadable_rules: Vec<UnreadableRule>,
    credentials: Vec<CredentialRecord>,
    dropped: Vec<DroppedRecord>,
}

/// Fetches, checks, opens and reads every chunk of an accepted manifest.
///
/// # Errors
/// A chunk is missing, is not the one named, does not open, or the host record is missing.
pub fn read_slice(
    accepted: &AcceptedManifest,
    mut fetch: impl FnMut(&ChunkReference) -> Option<Vec<u8>>,
    key: &SealingKey,
) -> Result<ReadSlice, Refusal> {
    let manifest = accepted.manifest();
    let mut decoded = Decoded::default();
    for reference in &manifest.chunks {
        let missing = || HostFault::ChunkMissing(reference.name());
        let chunk = fetch(reference).ok_or_else(missing)?;
        check_chunk(reference, &chunk)?;
        let plain = if reference.kind.is_sealed() {
            sealing::open(&chunk, &manifest.organisation, &manifest.host, key)?
        } else {
            Zeroizing::new(chunk)
        };
        decoded.take_chunk(reference.kind, &plain);
    }
    let host = decoded.take_host(&manifest.host)?;
    let mut checks = Checks::new(accepted.limits(), decoded.dropped);
    let host = checks.host(host);
    let mut people = checks.people(decoded.people);
    let groups = checks.groups(decoded.groups);
    checks.primary_groups(&mut people);
    // Kept for as long as the bundle is in force.
    people.shrink_to_fit();
    let credentials = checks.credentials(decoded.credentials, &people);
    Ok(ReadSlice {
        slice: Slice {
            host,
            people,
            groups,
            access_rules: decoded.access_rules,
            credentials,
        },
        dropped: checks.into_dropped(),
        unreadable_rules: decoded.unreadable_rules,
    })
}

impl Decoded {
    fn take_chunk(&mut self, kind: ChunkKind, plain: &[u8]) {
        let dropped = &mut self.dropped;
        let unreadable = match kind {
            ChunkKind::Host => read_lines(kind, plain, &mut self.hosts, dropped),
            ChunkKind::People => read_lines(kind, plain, &mut self.people, dropped),
            ChunkKind::Groups => read_lines(kind, plain, &mut self.groups, dropped),
            ChunkKind::AccessRules => read_lines(kind, plain, &mut self.access_rules, dropped),
            ChunkKind::Credentials => read_lines(kind, plain, &mut self.credentials, dropped),
        };
        if kind == ChunkKind::AccessRules {
            let remains = unreadable.into_iter().map(remains_of_rule);
            self.unreadable_rules.extend(remains);
        }
    }

    fn take_host(&mut self, id: &str) -> Result<HostRecord, Refusal> {
        match self.hosts.pop() {
            Some(host) if self.hosts.is_empty() && host.id == id => Ok(host),
            Some(_) | None => Err(DirectoryFault::Malformed("host record").into()),
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
    let id = record.get("id").or_else(|| record.get("user"));
    clean_line(
        id.and_then(Value::as_str).unwrap_or_default(),
        SHOWN_ID_BYTES,
    )
}
