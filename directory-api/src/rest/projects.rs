//! `/projects`: scopes of authority; every host belongs to exactly one.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;

/// A project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Project {
    /// `prj_…`
    pub id: String,
    /// What may be edited.
    #[serde(flatten)]
    pub settings: ProjectSettings,
    /// How many hosts it has, retired ones not counted.
    pub host_count: u64,
    /// Moment of creation.
    pub created_at: Time,
    /// Id of the creator.
    pub created_by: String,
    /// Newest change.
    pub updated_at: Time,
    /// The ETag, without quotes.
    pub version: u64,
}

/// `POST /projects`, and what may be edited later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProjectSettings {
    /// `[a-z0-9][a-z0-9._-]{0,62}`; cannot be changed once hosts are in it.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Whether `host:` tags (which hosts give themselves) count in allow rules.
    #[serde(default)]
    pub trust_host_tags: bool,
}
