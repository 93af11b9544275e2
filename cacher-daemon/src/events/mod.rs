//! What happened on this host, written down once: chained, durable before it counts, delivered
//! when the directory can be reached.

pub mod deliver;
pub mod spool;

use std::collections::BTreeMap;

use directory_api::agent::HOST_EVENT_KINDS;
use posix_names::clean_line;
use serde_json::Value;

/// Longest text in an event.
const TEXT_BYTES_MAX: usize = 4096;

/// An event before it is written.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Catalogue name.
    pub kind: &'static str,
    /// `success`, `failure`, `denied` or `error`.
    pub outcome: &'static str,
    /// Login name concerned; empty for none.
    pub user: String,
    /// Further fields; sorted, so that every reader hashes the same bytes.
    pub details: BTreeMap<&'static str, Value>,
}

impl Event {
    /// Begins an event.
    #[must_use]
    pub fn new(kind: &'static str, outcome: &'static str) -> Self {
        // The directory keeps other kinds under another name.
        debug_assert!(
            HOST_EVENT_KINDS.contains(&kind),
            "{kind} is not in the list"
        );
        Self {
            kind,
            outcome,
            user: String::new(),
            details: BTreeMap::new(),
        }
    }

    /// Names the user concerned.
    #[must_use]
    pub fn user(mut self, name: &str) -> Self {
        self.user = clean_line(name, TEXT_BYTES_MAX);
        self
    }

    /// Adds a field. Texts become one harmless line.
    #[must_use]
    pub fn detail(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let value = match value.as_str() {
            Some(text) => Value::String(clean_line(text, TEXT_BYTES_MAX)),
            None => value,
        };
        self.details.insert(name, value);
        self
    }

    /// Notes that the host was cut off when it happened.
    pub fn offline(&mut self, offline: bool) {
        if offline {
            self.details.insert("offline", Value::Bool(true));
        }
    }
}
