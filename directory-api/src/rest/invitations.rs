//! `/users/{id}/invite` and `/enroll/{code}`: a new person proves who they are with a one-time link,
//! and brings password, keys and factors along.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{AccessibleHost, Secret, Time};

/// A new invitation; the one time that its link is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InvitationCreated {
    /// `inv_…`
    pub id: String,
    /// Login name of who is invited.
    pub username: String,
    /// Opens the pages of self-enrolment. Whoever has it can become this user.
    pub link: Secret,
    /// Whether it was mailed to the user as well.
    pub mailed: bool,
    /// The link ends then.
    pub expires_at: Time,
}

/// `GET /enroll/{code}`: how far somebody has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrollment {
    /// Whose directory this is.
    pub organisation: String,
    /// Login name.
    pub username: String,
    /// Name of the person.
    pub display_name: String,
    /// The link ends then.
    pub expires_at: Time,
    /// There is a password.
    pub password: bool,
    /// SSH keys so far.
    pub ssh_keys: u64,
    /// Confirmed second factors so far.
    pub factors: u64,
    /// Policy asks for a second factor, and there is none that counts: the enrolment cannot be
    /// finished.
    #[serde(default)]
    pub factor_missing: bool,
    /// Backup codes were made and are kept safe.
    pub backup_codes: bool,
    /// Password and factor were tried and are right.
    pub tested: bool,
    /// What a new password must be, in words.
    pub password_rules: Vec<String>,
}

/// `POST /enroll/{code}/open`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnrollmentOpened {
    /// Stands for the code of the link until somebody opens the link again.
    pub code: Secret,
}

/// `POST /enroll/{code}/password`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrollPassword {
    /// The new password.
    pub password: Secret,
}

/// `POST /enroll/{code}/strength`: what the directory thinks of a password, without keeping it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswordStrength {
    /// 0 (guessed at once) to 4.
    pub score: u8,
    /// How long it would withstand somebody who has the verifier, in words.
    pub withstands: String,
    /// The rules it does not meet.
    pub unmet: Vec<String>,
}

/// `POST /enroll/{code}/test`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EnrollTest {
    /// The password that was just set.
    pub password: Secret,
    /// A code of the second factor, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Secret>,
}

/// `POST /enroll/{code}/finish`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    /// Login name.
    pub username: String,
    /// Where a login works now.
    pub hosts: Vec<AccessibleHost>,
}
