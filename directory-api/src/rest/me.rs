//! `/me`: what everybody may see and change of themselves.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Identity, Secret, User};

/// `GET /me`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The own record.
    pub user: User,
    /// How the caller is signed in.
    pub identity: Identity,
}

/// `POST /me/password`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The password until now.
    pub old: Secret,
    /// The new one.
    pub new: Secret,
}

/// A host somebody can reach: `GET /users/{id}/access`, `GET /me/access`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AccessibleHost {
    /// `hst_…`
    pub id: String,
    /// Host name.
    pub hostname: String,
    /// Name of its project.
    pub project: String,
    /// Whether a login would be allowed now.
    pub allowed: bool,
    /// Why.
    pub reason_code: String,
    /// In a sentence.
    pub sentence: String,
    /// The rules that decide.
    pub rule_ids: Vec<String>,
}
