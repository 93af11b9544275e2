//! `/healthz`, `/readyz`, `/version`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Whether the directory works.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
}

/// What is running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// Version of the program.
    pub version: String,
    /// Version of the API.
    pub api: String,
}
