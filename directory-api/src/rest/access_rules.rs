//! `/access-rules`: who may log in where.

use ipnet::IpNet;
use policy::{Effect, Schedule, Selector};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;

/// An access rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AccessRule {
    /// `acc_…`
    pub id: String,
    /// What may be edited. Subjects are given as `user:usr_…` and `group:grp_…` here.
    #[serde(flatten)]
    pub settings: AccessRuleSettings,
    /// The subjects with their names.
    pub subject_names: Vec<RuleSubject>,
    /// Moment of creation.
    pub created_at: Time,
    /// Id of the creator.
    pub created_by: String,
    /// Newest change.
    pub updated_at: Time,
    /// The ETag, without quotes.
    pub version: u64,
}

/// `POST /access-rules`, and what may be edited later.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AccessRuleSettings {
    /// `[a-z0-9][a-z0-9._-]{0,62}`
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// `allow` or `deny`; deny wins.
    #[schema(value_type = String)]
    pub effect: Effect,
    /// `user:NAME`, `group:NAME`, or the same with ids; nobody when empty.
    pub subjects: Vec<String>,
    /// The hosts concerned, such as `env=prod,!legacy`.
    #[schema(value_type = String)]
    pub hosts: Selector,
    /// Not before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Time>,
    /// Not at or after this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Time>,
    /// Only at these times of the week.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub schedule: Option<Schedule>,
    /// Only from these networks; from anywhere when empty.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub sources: Vec<IpNet>,
}

/// A subject of a rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct RuleSubject {
    /// `user` or `group`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `usr_…` or `grp_…`
    pub id: String,
    /// Its name now.
    pub name: String,
}
