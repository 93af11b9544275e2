//! What a host's bundle says, record by record. Every record is checked by itself: a bad one is
//! dropped with a report, the others and all removals still apply.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use policy::{AccessRule, FactorKind, FactorPolicy, HostState, UserState};
use posix_names::{Gecos, Gid, GroupName, HomeDirectory, LoginShell, Uid, UserName};
use serde::{Deserialize, Serialize};

use crate::group_ids::GroupIds;
use crate::held::{HeldCredential, HeldPerson};

/// What concerns the host as a whole. Exactly one in every bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostRecord {
    /// `hst_…`
    pub id: String,
    /// Host name as the directory knows it.
    pub name: String,
    /// Name of the host's project.
    pub project: String,
    /// Tags as rules see them.
    pub tags: BTreeSet<String>,
    /// Quarantined hosts take no new logins.
    pub state: HostState,
    /// Gids of the virtual groups.
    pub virtual_groups: BTreeMap<VirtualGroup, Gid>,
    /// The settings that hold here, already the strictest of all policies that apply.
    pub policy: EffectivePolicy,
}

/// A group that exists on every host; who is in it is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum VirtualGroup {
    /// Everybody in the host's slice.
    #[serde(rename = "cloudid-users")]
    Everybody,
    /// People whose plain SSH key must be followed by a code.
    #[serde(rename = "cloudid-key-code")]
    KeyAndCode,
    /// People whose ssh sessions are recorded.
    #[serde(rename = "cloudid-recorded")]
    Recorded,
}

impl VirtualGroup {
    /// Its POSIX name.
    #[must_use]
    pub fn name(self) -> GroupName {
        match self {
            Self::Everybody => GroupName::everybody(),
            Self::KeyAndCode => GroupName::key_and_code(),
            Self::Recorded => GroupName::recorded(),
        }
    }
}

/// The settings of a host. Durations in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EffectivePolicy {
    /// A mirror older than this takes no logins.
    pub offline_max_age_seconds: u64,
    /// Wrong passwords before a lock while the directory is away.
    pub password_tries: u32,
    /// How long such a lock lasts.
    pub lock_seconds: u64,
    /// How logins here must be proven, by service and source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub factor_policies: Vec<FactorPolicy>,
}

impl Default for EffectivePolicy {
    fn default() -> Self {
        Self {
            offline_max_age_seconds: 168 * 3600,
            password_tries: 5,
            lock_seconds: 900,
            factor_policies: Vec::new(),
        }
    }
}

/// A person who has rights on this host, suspended ones included (their name still resolves).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PersonRecord {
    /// `usr_…`
    pub id: String,
    /// Login name.
    pub username: UserName,
    /// User id; the private group has the same number.
    pub uid: Uid,
    /// Primary group.
    pub gid: Gid,
    /// Home directory.
    pub home: HomeDirectory,
    /// Login shell.
    pub shell: LoginShell,
    /// Comment field.
    pub gecos: Gecos,
    /// Active or suspended.
    pub state: UserState,
    /// When the account ends by itself, offline too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Ids of all groups, nesting resolved; the engine decides by these.
    pub groups: GroupIds,
    /// Public keys that may log in as this person.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ssh_keys: Vec<SshKeyRecord>,
}

/// A public SSH key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SshKeyRecord {
    /// `SHA256:…` as `ssh-keygen -l` prints it.
    pub fingerprint: String,
    /// `type base64`, without options or comment.
    pub line: String,
    /// The key ends here, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// A group that appears on this host. Members follow from [`PersonRecord::groups`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// `grp_…`
    pub id: String,
    /// POSIX name.
    pub name: GroupName,
    /// POSIX id.
    pub gid: Gid,
}

/// What proves a person here. Travels only sealed to the host.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialRecord {
    /// `usr_…`
    pub user: String,
    /// PHC string (`$argon2id$…`) or an imported crypt string (`$6$`, `$y$`, `$2b$`).
    pub password_verifier: String,
    /// The service must ask for a new one after the login.
    #[serde(default)]
    pub must_change: bool,
}

impl std::fmt::Debug for CredentialRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CredentialRecord")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Which second factors a person has. Travels only sealed to the host, to hosts where one may be
/// asked for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactorsRecord {
    /// `usr_…`
    pub user: String,
    /// Kinds the person has enrolled.
    pub enrolled: BTreeSet<FactorKind>,
    /// Backup codes that were not used yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub backup_codes: Vec<BackupCodeRecord>,
}

/// One unused backup code.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupCodeRecord {
    /// `bkc_…`
    pub id: String,
    /// PHC string (`$argon2id$…`) of the normalised code.
    pub verifier: String,
}

/// Ten bits of each coming code of one device. Travels only sealed to the host.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckBitsRecord {
    /// `mfa_…`
    pub device: String,
    /// `usr_…`
    pub user: String,
    /// The first step (seconds since 1970 divided by 30) that the stock covers.
    pub first_step: u64,
    /// The bits of the steps from there on, as [`crate::CheckBits`] packs them, base64.
    pub bits: String,
}

impl std::fmt::Debug for FactorsRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FactorsRecord")
            .field("user", &self.user)
            .field("enrolled", &self.enrolled)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for BackupCodeRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackupCodeRecord")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for CheckBitsRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckBitsRecord")
            .field("device", &self.device)
            .field("user", &self.user)
            .field("first_step", &self.first_step)
            .finish_non_exhaustive()
    }
}

/// A bundle in plain form: what the directory publishes and the host applies.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice<Person = PersonRecord, Credential = CredentialRecord, Bits = CheckBitsRecord> {
    /// The host itself.
    pub host: HostRecord,
    /// People with rights here.
    pub people: Vec<Person>,
    /// Groups that appear here.
    pub groups: Vec<GroupRecord>,
    /// Rules that match this host.
    pub access_rules: Vec<AccessRule>,
    /// Credentials of people who may use a password here.
    pub credentials: Vec<Credential>,
    /// Second factors of people who may be asked for one here.
    pub factors: Vec<FactorsRecord>,
    /// Bits of their coming codes, by device.
    pub check_bits: Vec<Bits>,
}

/// A slice as a host holds it: what two bundles have in common is there once.
pub type SharedSlice = Slice<HeldPerson, HeldCredential, Arc<CheckBitsRecord>>;

impl SharedSlice {
    /// The same with every record unpacked.
    #[must_use]
    pub fn unpacked(&self) -> Slice {
        Slice {
            host: self.host.clone(),
            people: self.people.iter().filter_map(HeldPerson::record).collect(),
            groups: self.groups.clone(),
            access_rules: self.access_rules.clone(),
            credentials: self
                .credentials
                .iter()
                .map(HeldCredential::record)
                .collect(),
            factors: self.factors.clone(),
            check_bits: self
                .check_bits
                .iter()
                .map(|bits| (**bits).clone())
                .collect(),
        }
    }
}
