//! `/tags`: every tag in use, with its number of hosts.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tag {
    /// `key=value` or a bare word.
    pub name: String,
    /// How many hosts carry it.
    pub host_count: u64,
}
