//! What an access rule says: who, on which hosts, when, from where, and whether it allows or denies.

use std::collections::BTreeSet;

use ipnet::IpNet;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Schedule, Selector};

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
