//! `/groups`: users and groups in groups, at most eight deep and without circles.

use posix_names::Gid;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Time;

/// A group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Group {
    /// `grp_…`
    pub id: String,
    /// What may be edited.
    #[serde(flatten)]
    pub settings: GroupSettings,
    /// Group id on hosts, for groups that appear there.
    #[schema(value_type = Option<u32>)]
    pub gid: Option<Gid>,
    /// How many direct members there are.
    pub member_count: u64,
    /// Moment of creation.
    pub created_at: Time,
    /// Id of the creator.
    pub created_by: String,
    /// Newest change.
    pub updated_at: Time,
    /// The ETag, without quotes.
    pub version: u64,
}

/// `POST /groups`, and what may be edited later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GroupSettings {
    /// Name; for groups with `unix` also the name on hosts.
    pub name: String,
    /// Free text.
    #[serde(default)]
    pub description: String,
    /// Whether the group appears on hosts. A gid once given stays with the group.
    #[serde(default)]
    pub unix: bool,
}

/// `GET /groups/{id}/members`; with `transitive=true` nested users too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupMembers {
    /// Users and groups.
    pub items: Vec<GroupMember>,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
pub struct GroupMember {
    /// `user` or `group`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `usr_…` or `grp_…`
    pub id: String,
    /// Login name or group name.
    pub name: String,
}

/// `POST /groups/{id}/members`: members as `user:NAME`, `group:NAME` or plain ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MembersChange {
    /// To be added; who is already there stays.
    #[serde(default)]
    pub add: Vec<String>,
    /// To be removed; who is not there is passed over.
    #[serde(default)]
    pub remove: Vec<String>,
}
