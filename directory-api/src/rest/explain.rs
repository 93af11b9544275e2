//! `POST /explain`: would this login work, and why. The same engine decides on the host.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;

/// What is to be explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuestion {
    /// Name or id of the user.
    pub user: String,
    /// Name or id of the host.
    pub host: String,
    /// PAM service; `sshd` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Where the login comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub source: Option<IpAddr>,
    /// At which moment; now when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Time>,
}

/// The decision and how it came about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainAnswer {
    /// `allow` or `deny`.
    pub decision: String,
    /// Stable code.
    pub reason_code: String,
    /// The same for people.
    pub sentence: String,
    /// The rules that decided.
    pub rule_ids: Vec<String>,
    /// When the answer stops being true, as far as is known.
    pub until: Option<Time>,
    /// Step by step.
    pub trace: Vec<ExplainStep>,
}

/// One step of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplainStep {
    /// `host`, `user`, `deny-rules`, `access-rules`.
    pub step: String,
    /// What the step found.
    pub result: String,
    /// The rule concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why it did or did not apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}
