//! What a change does: field by field, who gains and loses which host, and when hosts enforced it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::Time;

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Change {
    /// Name of the field.
    pub field: String,
    /// Until now.
    pub from: Value,
    /// From now on.
    pub to: Value,
}

/// The answer to a write with `dry_run=true`: nothing was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Preview {
    /// Always true, so that nobody takes a preview for the act.
    pub dry_run: bool,
    /// Field by field.
    pub changes: Vec<Change>,
    /// Logins that become possible: users times hosts.
    pub gained: Vec<Reach>,
    /// Logins that end: users times hosts.
    pub lost: Vec<Reach>,
    /// How many pairs `gained` would hold if it were not cut off at 200.
    pub gained_count: u64,
    /// How many pairs `lost` would hold if it were not cut off at 200.
    pub lost_count: u64,
    /// How logins are proven, where that changes; looser ones first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proofs: Vec<ProofChange>,
    /// How many entries `proofs` would hold if it were not cut off at 200.
    #[serde(default)]
    pub proofs_count: u64,
    /// How many of all those let somebody in with less than before.
    #[serde(default)]
    pub loosened_count: u64,
}

/// One field of how logins to one host are proven.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProofChange {
    /// Host name.
    pub host: String,
    /// How many people can log in there once the change is made.
    pub users: u64,
    /// The PAM services concerned, of those that policies name and the usual ones.
    pub services: BTreeSet<String>,
    /// Networks they come from, of those that policies name, and `anywhere` for all others.
    pub sources: BTreeSet<String>,
    /// Such as `mfa.required`.
    pub field: String,
    /// Until now.
    pub from: Value,
    /// From now on.
    pub to: Value,
    /// Whether it lets somebody in with less than before.
    pub loosened: bool,
}

/// A user can log in to a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct Reach {
    /// Login name.
    pub user: String,
    /// Host name.
    pub host: String,
}

/// Host by host, whether the newest state is in force there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnforcementReport {
    /// One line per host.
    pub hosts: Vec<Enforcement>,
}

/// Whether a change is in force on one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enforcement {
    /// `hst_…`
    pub host_id: String,
    /// Host name.
    pub host: String,
    /// Where the change stands.
    pub state: EnforcementState,
    /// Version of the newest published bundle.
    pub published_version: u64,
    /// Version the host has in force.
    pub acked_version: u64,
    /// Newest revocation the directory has sent.
    pub published_sequence: u64,
    /// Newest revocation the host has applied.
    pub acked_sequence: u64,
    /// When the host last said what it has in force.
    pub acked_at: Option<Time>,
    /// From publishing to the host's word that it is in force.
    pub latency_ms: Option<u64>,
}

/// Where a change stands on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnforcementState {
    /// The host has confirmed it.
    Active,
    /// Sent, or about to be.
    Pending,
    /// The host has not been heard of lately.
    Unreachable,
}
