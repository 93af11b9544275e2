//! `/roles` and `/role-assignments`: who administers the directory.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;

/// A built-in role, for the whole organisation.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Everything, roles and keys included.
    Owner,
    /// People, groups, hosts and rules; neither roles nor people who hold roles.
    DirectoryAdmin,
    /// Looks at everything, changes nothing.
    ReadOnly,
}

/// What a role may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleDescription {
    /// Its name.
    pub role: Role,
    /// In a sentence.
    pub description: String,
    /// Names of the actions it allows.
    pub actions: Vec<String>,
}

/// Somebody holds a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoleAssignment {
    /// `rol_…`
    pub id: String,
    /// The role.
    pub role: Role,
    /// `usr_…`
    pub user: String,
    /// Login name.
    pub username: String,
    /// Moment of creation.
    pub created_at: Time,
    /// Id of the creator.
    pub created_by: String,
}

/// `POST /role-assignments`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRoleAssignment {
    /// The role.
    pub role: Role,
    /// Name or id of the user.
    pub user: String,
}
