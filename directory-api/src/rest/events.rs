//! `/events`: everything that happened, in one hash chain.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{Change, Time};

/// One event of the directory's chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// `evt_…`
    pub id: String,
    /// Number in the chain, from 1 without holes.
    pub seq: u64,
    /// When it happened.
    pub time: Time,
    /// When it reached the directory.
    pub received_at: Time,
    /// Name from the catalogue, such as `user.suspended`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Version of the payload.
    pub version: u32,
    /// `org_…`
    pub org: String,
    /// `success`, `failure`, `denied` or `error`.
    pub outcome: String,
    /// `info`, `notice`, `warning` or `critical`.
    pub severity: String,
    /// Why, where there is a code for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<String>,
    /// Who did it.
    pub actor: EventObject,
    /// To whom or what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<EventObject>,
    /// The host concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<EventObject>,
    /// Address of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The request it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// Field by field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The fields of the catalogue.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    #[schema(value_type = Object)]
    pub details: Map<String, Value>,
    /// Place in the host's own chain, for events of hosts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<Value>,
    /// Hash of the event before.
    pub prev_hash: String,
    /// SHA-256 over `prev_hash` and this event.
    pub hash: String,
}

/// Who or what an event is about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventObject {
    /// `user`, `group`, `host`, `rule`, `token`, `project`, `system`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// Its id; empty for the system.
    pub id: String,
    /// Its name at that time.
    pub name: String,
}

/// `GET /events/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventsVerified {
    /// Whether the whole chain is sound.
    pub intact: bool,
    /// How many events were checked.
    pub checked: u64,
    /// Number of the first event that is missing or was changed.
    pub first_bad_position: Option<u64>,
    /// What is wrong there.
    pub problem: Option<String>,
    /// Hash of the newest event.
    pub head: String,
}
