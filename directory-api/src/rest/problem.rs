//! How the API says no: `application/problem+json` (RFC 9457) with a stable code, what happened,
//! why, and what to do next. Never repeats a secret.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::SecondStep;

/// `type` is this and the code.
pub const PROBLEM_TYPE_PREFIX: &str = "urn:cloudid:problem:";

/// An error answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:cloudid:problem:CODE`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The code in words.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// Stable code, for programs.
    pub code: String,
    /// What happened and why.
    pub detail: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hint: String,
    /// The id under which the directory's log knows this request.
    #[serde(default)]
    pub request_id: String,
    /// Which fields were wrong, where fields were wrong.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// With `password_rejected`: the rules that the new password does not meet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmet: Vec<String>,
    /// With `mfa_required`: how the sign-in goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_step: Option<SecondStep>,
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldProblem {
    /// Path of the field, such as `subjects[2]`.
    pub field: String,
    /// Stable code.
    pub code: String,
}
