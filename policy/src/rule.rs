//! What an access rule says: who, on which hosts, when, from where, and whether it allows or denies.

use std::collections::BTreeSet;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Host, Schedule, Selector};

/// One access rule. Deny wins over allow; no rule means no.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessRule {
    /// `acc_…`; decisions name rules by this id only.
    pub id: String,
    /// Whether it gives or takes away.
    pub effect: Effect,
    /// Whom it concerns; an empty set concerns nobody.
    pub subjects: BTreeSet<Subject>,
    /// The hosts it concerns.
    pub hosts: Selector,
    /// Not before this moment, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Not at or after this moment, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// Only at these times of the week, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// Only from these networks; empty means from anywhere.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<IpNet>,
}

impl AccessRule {
    /// Whether the rule is for this person, whatever the time and the place.
    #[must_use]
    pub fn concerns_person(&self, person_id: &str, groups: &BTreeSet<String>) -> bool {
        concerns(&self.subjects, person_id, groups)
    }

    /// Whether the rule is for this host. Tags that the host gave itself do not count in an allow
    /// rule.
    #[must_use]
    pub fn concerns_host(&self, host: &Host) -> bool {
        self.hosts.matches_for(self.effect, host)
    }
}

/// Whether some allow rule names this person and this host, whatever the time and the source: only
/// such people belong in the host's slice.
#[must_use]
pub fn could_ever_reach(
    person_id: &str,
    groups: &BTreeSet<String>,
    host: &Host,
    rules: &[AccessRule],
) -> bool {
    rules.iter().any(|rule| {
        rule.effect == Effect::Allow
            && rule.concerns_person(person_id, groups)
            && rule.concerns_host(host)
    })
}

/// Whether one of the subjects is this person or one of their groups.
pub(crate) fn concerns(
    subjects: &BTreeSet<Subject>,
    person_id: &str,
    groups: &BTreeSet<String>,
) -> bool {
    subjects.iter().any(|subject| match subject {
        Subject::User(id) => id == person_id,
        Subject::Group(id) => groups.contains(id),
    })
}

/// Allow or deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// The rule gives access.
    Allow,
    /// The rule takes access away, whatever else says yes.
    Deny,
}

/// Whom a rule concerns, by immutable id: `user:usr_…` or `group:grp_…`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// One user.
    User(String),
    /// Every member of a group, nested ones included.
    Group(String),
}
