//! What records must satisfy together: the limits root has set, and that no name and no id has two
//! owners. Where two claim the same, the first one keeps it.

use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_STANDARD_NO_PAD};
use policy::UserState;
use sha2::{Digest, Sha256};

use crate::check_bits::CheckBits;
use crate::decode::DecodedPeople;
use crate::held::{HeldCredential, HeldPerson, PackedCredentials, PersonView};
use crate::manifest::ChunkKind;
use crate::read::{DropReason, DroppedRecord};
use crate::record::{CheckBitsRecord, FactorsRecord, GroupRecord, HostRecord, SshKeyRecord};
use crate::root::Limits;

const VERIFIER_BYTES_MAX: usize = 1024;

/// Walks through the records in a fixed order and remembers what is taken.
pub(crate) struct Checks<'a> {
    limits: &'a Limits,
    /// Ids of people who were not left out, `usr_…`.
    people: HashSet<&'a str>,
    /// Ids of groups, `grp_…`.
    groups: HashSet<&'a str>,
    /// Names of people, of groups, and of private groups: one space.
    names: HashSet<&'a str>,
    uids: HashSet<u32>,
    gids: HashSet<u32>,
    /// Gids of groups of the directory, which several people may have as their primary one.
    shared_gids: HashSet<u32>,
    dropped: Vec<DroppedRecord>,
}

impl<'a> Checks<'a> {
    /// With room for so many people.
    pub(crate) fn new(limits: &'a Limits, dropped: Vec<DroppedRecord>, people: usize) -> Self {
        Self {
            limits,
            people: HashSet::with_capacity(people),
            groups: HashSet::new(),
            names: HashSet::with_capacity(people),
            uids: HashSet::with_capacity(people),
            gids: HashSet::with_capacity(people),
            shared_gids: HashSet::new(),
            dropped,
        }
    }

    pub(crate) fn into_dropped(self) -> Vec<DroppedRecord> {
        self.dropped
    }

    /// Virtual groups with a gid that is not allowed are left out.
    pub(crate) fn host(&mut self, mut host: HostRecord) -> HostRecord {
        let groups = std::mem::take(&mut host.virtual_groups);
        for (group, gid) in groups {
            let verdict = in_limits(self.limits, gid.get()).and_then(|()| {
                claim(&mut self.gids, gid.get(), "gid")
                    .map(|()| host.virtual_groups.insert(group, gid))
            });
            if let Err(reason) = verdict {
                self.report(ChunkKind::Host, group.name().as_str(), reason);
            }
        }
        host
    }

    pub(crate) fn people(
        &mut self,
        people: impl Iterator<Item = &'a DecodedPeople>,
    ) -> Vec<HeldPerson> {
        let mut kept = Vec::new();
        for chunk in people {
            for (place, person) in chunk.packed.views() {
                match self.person(&person) {
                    Ok(()) => {
                        // A key that is not what it says is left out; its owner stays.
                        let keys = chunk.misshapen_keys.iter();
                        for _ in keys.filter(|of| **of == place) {
                            self.report(ChunkKind::People, person.id, DropReason::Misshapen);
                        }
                        kept.push(HeldPerson::new(&chunk.packed, place));
                    }
                    Err(reason) => self.report(ChunkKind::People, person.id, reason),
                }
            }
        }
        kept
    }

    pub(crate) fn groups(
        &mut self,
        groups: impl Iterator<Item = &'a GroupRecord>,
    ) -> Vec<GroupRecord> {
        let mut kept = Vec::new();
        for group in groups {
            match self.group(group) {
                Ok(()) => kept.push(group.clone()),
                Err(reason) => self.report(ChunkKind::Groups, &group.id, reason),
            }
        }
        kept
    }

    /// A primary group is the person's own, or a group of the directory that was not left out.
    pub(crate) fn primary_groups(&mut self, people: &mut Vec<HeldPerson>) {
        people.retain(|person| {
            let person = person.view();
            let gid = person.gid;
            let exists = gid == person.uid || self.shared_gids.contains(&gid);
            if !exists {
                self.people.remove(person.id);
                self.report(ChunkKind::People, person.id, DropReason::NoSuchGroup(gid));
            }
            exists
        });
    }

    pub(crate) fn credentials(
        &mut self,
        credentials: impl Iterator<Item = &'a Arc<PackedCredentials>>,
    ) -> Vec<HeldCredential> {
        let mut users = HashSet::new();
        let mut kept = Vec::new();
        for chunk in credentials {
            for (place, credential) in chunk.views() {
                let verdict = if self.people.contains(credential.user) {
                    verifier(credential.password_verifier)
                        .and_then(|()| claim(&mut users, credential.user, "user"))
                } else {
                    Err(DropReason::NobodyHere)
                };
                match verdict {
                    Ok(()) => kept.push(HeldCredential::new(chunk, place)),
                    Err(reason) => self.report(ChunkKind::Credentials, credential.user, reason),
                }
            }
        }
        kept.shrink_to_fit();
        kept
    }

    pub(crate) fn factors(
        &mut self,
        factors: impl Iterator<Item = &'a FactorsRecord>,
    ) -> Vec<FactorsRecord> {
        let mut users = HashSet::new();
        let mut kept = Vec::new();
        for one in factors {
            let mut codes = one.backup_codes.iter();
            let verdict = match self.people.contains(one.user.as_str()) {
                true => codes
                    .try_for_each(|code| verifier(&code.verifier))
                    .and_then(|()| claim(&mut users, one.user.as_str(), "user")),
                false => Err(DropReason::NobodyHere),
            };
            match verdict {
                Ok(()) => kept.push(one.clone()),
                Err(reason) => self.report(ChunkKind::Factors, &one.user, reason),
            }
        }
        kept
    }

    pub(crate) fn check_bits(
        &mut self,
        check_bits: impl Iterator<Item = &'a Arc<CheckBitsRecord>>,
    ) -> Vec<Arc<CheckBitsRecord>> {
        let mut devices = HashSet::new();
        let mut kept = Vec::new();
        for one in check_bits {
            let verdict = match self.people.contains(one.user.as_str()) {
                true if CheckBits::read(one).is_none() => Err(DropReason::Misshapen),
                true => claim(&mut devices, one.device.as_str(), "device"),
                false => Err(DropReason::NobodyHere),
            };
            match verdict {
                Ok(()) => kept.push(Arc::clone(one)),
                Err(reason) => self.report(ChunkKind::CheckBits, &one.device, reason),
            }
        }
        kept
    }

    fn person(&mut self, person: &PersonView<'a>) -> Result<(), DropReason> {
        is_sound_alone(person, self.limits)?;
        let uid = person.uid;
        self.free(person.id, person.username, uid)?;
        claim(&mut self.uids, uid, "uid")?;
        self.people.insert(person.id);
        self.take(person.username, uid);
        Ok(())
    }

    fn group(&mut self, group: &'a GroupRecord) -> Result<(), DropReason> {
        let gid = group.gid.get();
        in_limits(self.limits, gid)?;
        not_protected(self.limits, group.name.as_str())?;
        self.free(&group.id, group.name.as_str(), gid)?;
        self.groups.insert(&group.id);
        self.take(group.name.as_str(), gid);
        self.shared_gids.insert(gid);
        Ok(())
    }

    fn free(&self, id: &str, name: &str, gid: u32) -> Result<(), DropReason> {
        if self.people.contains(id) || self.groups.contains(id) {
            Err(DropReason::Duplicate("id"))
        } else if self.names.contains(name) {
            Err(DropReason::Duplicate("name"))
        } else if self.gids.contains(&gid) {
            Err(DropReason::Duplicate("gid"))
        } else {
            Ok(())
        }
    }

    fn take(&mut self, name: &'a str, gid: u32) {
        self.names.insert(name);
        self.gids.insert(gid);
    }

    fn report(&mut self, kind: ChunkKind, id: &str, reason: DropReason) {
        self.dropped.push(DroppedRecord {
            kind,
            id: id.to_owned(),
            reason,
        });
    }
}

/// What a person must be whoever else there is.
pub(crate) fn is_sound_alone(person: &PersonView<'_>, limits: &Limits) -> Result<(), DropReason> {
    match person.state {
        UserState::Active | UserState::Suspended => {}
        UserState::Staged | UserState::Deleted => return Err(DropReason::WrongState),
    }
    in_limits(limits, person.uid)?;
    in_limits(limits, person.gid)?;
    not_protected(limits, person.username)
}

fn in_limits(limits: &Limits, id: u32) -> Result<(), DropReason> {
    if limits.allows_id(id) {
        Ok(())
    } else {
        Err(DropReason::OutsideLimits(id))
    }
}

fn not_protected(limits: &Limits, name: &str) -> Result<(), DropReason> {
    if limits.protected_names.contains(name) {
        Err(DropReason::ProtectedName(name.to_owned()))
    } else {
        Ok(())
    }
}

fn claim<T: Eq + Hash>(
    taken: &mut HashSet<T>,
    value: T,
    what: &'static str,
) -> Result<(), DropReason> {
    if taken.insert(value) {
        Ok(())
    } else {
        Err(DropReason::Duplicate(what))
    }
}

/// `type base64`, nothing else, and the fingerprint is the one of these very bytes: sshd gets the
/// line as it is.
pub(crate) fn is_sound(key: &SshKeyRecord) -> bool {
    key_blob(&key.line).is_some_and(|(_, blob)| key.fingerprint == fingerprint(&blob))
}

/// The type of a key and its bytes; there is one line for both.
pub(crate) fn key_blob(line: &str) -> Option<(&str, Vec<u8>)> {
    let (kind, encoded) = line.split_once(' ')?;
    let is_kind = |byte: u8| byte.is_ascii_alphanumeric() || b"-@.".contains(&byte);
    let is_kind = !kind.is_empty() && kind.bytes().all(is_kind);
    let blob = BASE64_STANDARD.decode(encoded).ok()?;
    is_kind.then_some((kind, blob))
}

/// As `ssh-keygen -l` prints it.
pub(crate) fn fingerprint(blob: &[u8]) -> String {
    let digest = BASE64_STANDARD_NO_PAD.encode(Sha256::digest(blob));
    format!("SHA256:{digest}")
}

/// `$…`, one line of printable ASCII.
pub(crate) fn verifier(text: &str) -> Result<(), DropReason> {
    let fits = text.starts_with('$')
        && text.len() <= VERIFIER_BYTES_MAX
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(())
    } else {
        Err(DropReason::Misshapen)
    }
}
