//! `/auth`: signing in and out, and the very first administrator.

use posix_names::UserName;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Role, Scope, Secret, Time};

/// `POST /auth/login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LoginRequest {
    /// Login name.
    pub username: String,
    /// Password.
    pub password: Secret,
}

/// The password was right and a code is needed: stands in the problem `mfa_required`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SecondStep {
    /// Stands for the password, for five minutes and one sign-in.
    pub ticket: Secret,
    /// Kinds of codes that count: `totp`, `yubikey-otp`, `backup-code`.
    pub kinds: Vec<String>,
    /// The ticket ends then.
    pub expires_at: Time,
}

/// `POST /auth/mfa`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MfaRequest {
    /// From the answer to `POST /auth/login`.
    pub ticket: Secret,
    /// A code of a second factor, or a backup code.
    pub code: Secret,
}

/// `POST /auth/bootstrap`: the first administrator, with the one-time secret that
/// `cloudid-directory init` left on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BootstrapRequest {
    /// The one-time secret.
    pub secret: Secret,
    /// Login name of the first owner.
    #[schema(value_type = String)]
    pub username: UserName,
    /// Password of the first owner.
    pub password: Secret,
    /// Name of the person.
    #[serde(default)]
    pub display_name: String,
    /// Where mail goes.
    #[serde(default)]
    pub email: String,
}

/// A new session; the one time that its token is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SessionCreated {
    /// Goes into `Authorization: Bearer`.
    pub token: Secret,
    /// Ends then at the latest.
    pub expires_at: Time,
    /// Ends after this many seconds without a request.
    pub idle_seconds: u64,
    /// Who signed in.
    pub identity: Identity,
    /// A new password must be set by `POST /me/password` before anything else works.
    pub must_change_password: bool,
    /// A second factor must be enrolled by `/me/mfa` before anything else works.
    #[serde(default)]
    pub must_enroll_factor: bool,
}

/// Who is calling: `GET /auth/session`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Identity {
    /// `usr_…`
    pub user_id: String,
    /// Login name.
    pub username: String,
    /// Roles held.
    pub roles: Vec<Role>,
    /// Scopes, when a token is calling; absent for a person's session.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<Scope>>,
    /// When the session or token ends.
    pub expires_at: Time,
    /// A second factor must be enrolled by `/me/mfa` before anything else works.
    #[serde(default)]
    pub must_enroll_factor: bool,
}
