//! `/enrollment-tokens`: what lets a machine become a host.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Lifetime, Secret, Time};

/// An enrolment token; its secret is not in the directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrollmentToken {
    /// `tok_…`
    pub id: String,
    /// Free text.
    pub description: String,
    /// Name of the project that its hosts join.
    pub project: String,
    /// Tags that its hosts get.
    pub tags: Vec<String>,
    /// Its hosts retire themselves when they are gone.
    pub ephemeral: bool,
    /// How long unseen is gone, for ephemeral hosts.
    pub gone_after: Lifetime,
    /// Its hosts wait for an administrator's approval.
    pub approval_required: bool,
    /// How many hosts it may enrol.
    pub max_uses: u32,
    /// How many it has enrolled.
    pub uses: u32,
    /// When it ends.
    pub expires_at: Time,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Time>,
    /// Moment of creation.
    pub created_at: Time,
    /// Id of the creator.
    pub created_by: String,
}

/// `POST /enrollment-tokens`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEnrollmentToken {
    /// Name or id of the project.
    pub project: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Tags for its hosts.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Hosts retire themselves when they are gone.
    #[serde(default)]
    pub ephemeral: bool,
    /// How long unseen is gone; `30m` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_after: Option<Lifetime>,
    /// How many hosts; 1 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u32>,
    /// How long it can be used; `1h` when absent, at most `30d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Lifetime>,
    /// Hosts wait for an administrator's approval.
    #[serde(default)]
    pub approval_required: bool,
}

/// The answer to `POST /enrollment-tokens`, the one time that the secret is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrollmentTokenCreated {
    /// The token's record.
    #[serde(flatten)]
    pub record: EnrollmentToken,
    /// The whole token, `cloudid1.tok_….SEED.FINGERPRINT`.
    pub token: Secret,
    /// What makes a machine a host, typed there with the token in the place of `TOKEN`. No secret.
    pub install_line: String,
}
