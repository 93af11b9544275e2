//! What the cacher decides by: the slice in force, arranged for questions. Immutable; a new bundle
//! or a revocation makes a new one.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use policy::{AccessRule, Decision, FactorPolicy, Host, Person, Question, UnreadableRule};
use signed_bundle::{
    CheckBitsRecord, CredentialRecord, EffectivePolicy, FactorsRecord, HostRecord, PersonRecord,
};

use crate::apply::Eyes;
use crate::people::{People, Seen};

/// The tables in force.
#[derive(Debug, Default)]
pub struct Tables {
    /// Version of the bundle; 0 before the first one.
    pub version: u64,
    /// When it was signed.
    pub issued: Timestamp,
    /// When a newer one should have come at the latest.
    pub expires: Timestamp,
    /// The host, `None` before the first bundle.
    pub host: Option<HostRecord>,
    pub(crate) people: People,
    /// By which they were seen.
    pub(crate) eyes: Option<Eyes>,
    /// Groups but the private ones, which have their owner's name and number.
    pub(crate) names_by_gid: HashMap<u32, String>,
    pub(crate) rules: Vec<AccessRule>,
    pub(crate) unreadable: Vec<UnreadableRule>,
    /// Groups that appear on this host.
    pub groups: usize,
    /// Uids of those who must type a code after a key, in order; nobody where sshd cannot see it.
    pub(crate) key_and_code: Vec<u32>,
    /// Names that are known here and have no rights here.
    pub(crate) strangers: BTreeSet<String>,
}

/// Where a login comes from, as far as it matters.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// PAM service name.
    pub service: &'a str,
    /// Address, for remote logins.
    pub source: Option<std::net::IpAddr>,
    /// The moment.
    pub now: Timestamp,
    /// The newest signed time the host has seen.
    pub newest_signed: Timestamp,
    /// The host's own limit on the age of its mirror; the policy's may be shorter.
    pub max_age: SignedDuration,
}

impl Tables {
    /// A person of the slice by login name.
    #[must_use]
    pub fn person(&self, name: &str) -> Option<PersonRecord> {
        self.people.named(name)?.record()
    }

    /// A person of the slice by uid.
    #[must_use]
    pub fn person_with_uid(&self, uid: u32) -> Option<PersonRecord> {
        self.people.with_uid(uid)?.record()
    }

    /// Everybody in the slice, as they are seen here.
    pub fn everybody(&self) -> impl Iterator<Item = Seen<'_>> {
        self.people.iter()
    }

    /// How many people are in the slice.
    #[must_use]
    pub fn people(&self) -> usize {
        self.people.len()
    }

    /// The name of a group of this host.
    #[must_use]
    pub fn group_with_gid(&self, gid: u32) -> Option<&str> {
        let shared = self.names_by_gid.get(&gid).map(String::as_str);
        shared.or_else(|| Some(self.people.with_uid(gid)?.view().username))
    }

    /// A group of this host by name, with its gid.
    #[must_use]
    pub fn group_named(&self, name: &str) -> Option<(u32, &str)> {
        let mut groups = self.names_by_gid.iter();
        let shared = groups.find(|(_, found)| *found == name);
        let private = || {
            let person = *self.people.named(name)?.view();
            Some((person.uid, person.username))
        };
        shared
            .map(|(gid, name)| (*gid, name.as_str()))
            .or_else(private)
    }

    /// What proves a person here.
    #[must_use]
    pub fn credential(&self, person: &PersonRecord) -> Option<CredentialRecord> {
        self.people.credential(&person.id)
    }

    /// The settings of the bundle; the defaults before the first one.
    #[must_use]
    pub fn policy(&self) -> EffectivePolicy {
        self.host
            .as_ref()
            .map(|host| host.policy.clone())
            .unwrap_or_default()
    }

    /// How logins here must be proven.
    #[must_use]
    pub fn factor_policies(&self) -> &[FactorPolicy] {
        let host = self.host.as_ref();
        host.map_or(&[], |host| &host.policy.factor_policies)
    }

    /// Which second factors a user has.
    #[must_use]
    pub fn factors_of(&self, user: &str) -> Option<&FactorsRecord> {
        let mut all = self.people.slice()?.factors.iter();
        all.find(|record| record.user == user)
    }

    /// Bits of a user's coming codes, by device.
    pub fn check_bits_of(&self, user: &str) -> impl Iterator<Item = &CheckBitsRecord> {
        let all = self.people.slice().map(|slice| slice.check_bits.iter());
        all.into_iter()
            .flatten()
            .map(Arc::as_ref)
            .filter(move |record| record.user == user)
    }

    /// Bits of anybody's coming codes.
    #[must_use]
    pub fn any_check_bits(&self) -> Option<&CheckBitsRecord> {
        self.people.slice()?.check_bits.first().map(Arc::as_ref)
    }

    /// Whether some rule looks at where a login comes from.
    #[must_use]
    pub fn source_matters(&self) -> bool {
        self.rules.iter().any(|rule| !rule.sources.is_empty())
    }

    /// Asks the engine; `None` before the first bundle.
    #[must_use]
    pub fn decide(&self, record: &PersonRecord, how: &Circumstances<'_>) -> Option<Decision> {
        let host = self.host.as_ref()?;
        let offline = i64::try_from(host.policy.offline_max_age_seconds).unwrap_or(i64::MAX);
        let host = Host {
            id: host.id.clone(),
            name: host.name.clone(),
            state: host.state,
            project: host.project.clone(),
            tags: host.tags.clone(),
            mirror_age: Some(how.now.duration_since(how.newest_signed)),
            mirror_age_max: SignedDuration::from_secs(offline).min(how.max_age),
        };
        let person = Person {
            id: record.id.clone(),
            username: record.username.to_string(),
            state: record.state,
            expires_at: record.expires_at,
            locked_until: None,
            groups: record.groups.iter().map(str::to_owned).collect(),
        };
        let question = Question {
            person: &person,
            host: &host,
            service: how.service,
            source: how.source,
            now: how.now,
        };
        Some(policy::decide_with_unreadable(
            &question,
            &self.rules,
            &self.unreadable,
        ))
    }
}
