//! Times of the week at which a rule applies, in a named time zone.

use serde::{Deserialize, Serialize};

/// `{"days":["mon","tue"],"from":"08:00","until":"18:00","time_zone":"Europe/Berlin"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// `mon` to `sun`.
    pub days: Vec<String>,
    /// Local time `HH:MM` at which it begins.
    pub from: String,
    /// Local time `HH:MM` at which it ends; earlier than `from` means past midnight.
    pub until: String,
    /// Name in the IANA time zone database.
    pub time_zone: String,
}
