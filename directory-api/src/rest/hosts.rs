//! `/hosts`: the machines, and what has reached them.

use policy::{HostState, Selector};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Preview, Time};
use crate::agent::HostFacts;

/// A host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Host {
    /// `hst_…`
    pub id: String,
    /// Name under which it was enrolled.
    pub hostname: String,
    /// `pending`, `active`, `quarantined` or `retired`.
    #[schema(value_type = String)]
    pub state: HostState,
    /// Not heard of for twice the usual interval.
    pub stale: bool,
    /// What may be edited.
    #[serde(flatten)]
    pub settings: HostSettings,
    /// Tags made from facts (`auto:`) and by the host itself (`host:`).
    pub own_tags: Vec<String>,
    /// What the host says of itself.
    #[schema(value_type = Object)]
    pub facts: HostFacts,
    /// `tok_…` it was enrolled with.
    pub enrolled_by: String,
    /// Retires itself when it is gone.
    pub ephemeral: bool,
    /// Newest sign of life.
    pub last_seen: Option<Time>,
    /// Version of the newest bundle made for it; 0 for none.
    pub bundle_version: u64,
    /// Version it has in force; 0 for none.
    pub acked_version: u64,
    /// Moment of enrolment.
    pub created_at: Time,
    /// Newest change.
    pub updated_at: Time,
    /// The ETag, without quotes.
    pub version: u64,
}

/// What may be edited of a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HostSettings {
    /// Shown beside the host name.
    #[serde(default)]
    pub display_name: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Name of its project.
    pub project: String,
    /// Tags given by administrators.
    #[serde(default)]
    pub tags: Vec<String>,
}

/// How many people are meant to vanish from a host at once: `POST /hosts/{id}/confirm-removals`.
/// Hosts hold back a bundle without most of the people they know until somebody says this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmRemovals {
    /// At most so many.
    pub removals: u32,
    /// Goes into the audit log.
    #[serde(default)]
    pub reason: String,
}

/// A user who can reach a host: `GET /hosts/{id}/users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostUser {
    /// `usr_…`
    pub id: String,
    /// Login name.
    pub username: String,
    /// User id.
    pub uid: u32,
    /// `active` or `suspended`.
    pub state: String,
    /// Whether a login would be allowed now.
    pub allowed: bool,
    /// Why.
    pub reason_code: String,
    /// The rules that decide.
    pub rule_ids: Vec<String>,
}

/// `POST /hosts/tags`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TagsChange {
    /// The hosts concerned.
    #[schema(value_type = String)]
    pub selector: Selector,
    /// Tags to be added.
    #[serde(default)]
    pub add: Vec<String>,
    /// Tags to be removed.
    #[serde(default)]
    pub remove: Vec<String>,
}

/// Answer to [`TagsChange`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TagsChanged {
    /// Names of the hosts whose tags changed.
    pub hosts: Vec<String>,
    /// What this means for logins, with `dry_run=true`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preview: Option<Preview>,
}
