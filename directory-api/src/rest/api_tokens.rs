//! `/tokens`: how programs sign in. A token can do at most what its owner can, within its scopes.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Lifetime, Secret, Time};

/// An API token; only a hash of its secret is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiToken {
    /// `key_…`
    pub id: String,
    /// Free text.
    pub name: String,
    /// Id of the owner.
    pub owner: String,
    /// Login name of the owner.
    pub owner_name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it ends.
    pub expires_at: Time,
    /// Newest use.
    pub last_used_at: Option<Time>,
    /// Moment of creation.
    pub created_at: Time,
}

/// `POST /tokens`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiToken {
    /// Free text.
    pub name: String,
    /// What it may be used for; at least one.
    pub scopes: Vec<Scope>,
    /// How long; `90d` when absent, at most `365d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Lifetime>,
}

/// What a token may be used for. Writing includes reading of the same kind of object.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Everything that the owner may read.
    Read,
    /// Change users, their passwords and keys.
    Users,
    /// Change groups.
    Groups,
    /// Change hosts, tags and projects.
    Hosts,
    /// Change access rules.
    Rules,
    /// Make and revoke enrolment tokens.
    EnrollmentTokens,
    /// Everything that the owner may do, except making tokens.
    All,
}

/// The answer to `POST /tokens`, the one time that the secret is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ApiTokenCreated {
    /// The token's record.
    #[serde(flatten)]
    pub record: ApiToken,
    /// Goes into `Authorization: Bearer`.
    pub token: Secret,
}
