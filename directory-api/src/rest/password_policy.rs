//! `/password-policy`: what new passwords must be, in the whole organisation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Lifetime, Time};

/// Rules that have a name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PasswordProfile {
    /// Long and not guessable; no composition, no periodic change.
    #[default]
    Nist,
    /// At least 12 characters with letters and digits, none of the last four, changed after 90 days.
    Pci,
    /// Every rule as it is set.
    Custom,
}

/// What may be edited. A rule that is absent is that of the profile, and may only be made stricter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordPolicySettings {
    /// Where the rules begin.
    #[serde(default)]
    pub profile: PasswordProfile,
    /// Fewest characters, 8 to 128.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<u32>,
    /// Whether letters and digits must both be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub letters_and_digits: Option<bool>,
    /// Least strength, 0 to 4, as zxcvbn tells it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_strength: Option<u8>,
    /// None of the last so many passwords, the present one among them; at most 24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub history: Option<u32>,
    /// A password that is older must be changed at the next login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<Lifetime>,
    /// Words that no password may be built on, such as names of products.
    #[serde(default)]
    pub blocked_words: Vec<String>,
    /// Active people who have not signed in for so long are suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend_inactive_after: Option<Lifetime>,
}

/// `GET /password-policy`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PasswordPolicy {
    /// What an administrator has set.
    #[serde(flatten)]
    pub settings: PasswordPolicySettings,
    /// The rules in force, in words.
    pub rules: Vec<String>,
    /// Newest change; absent while nothing was set.
    pub updated_at: Option<Time>,
    /// The ETag, without quotes.
    pub version: u64,
}
