//! An event before it has its place in the chain.

use directory_api::rest::{Change, Event, EventObject, Time};
use jiff::Timestamp;
use serde_json::{Map, Value};

use super::PAYLOAD_VERSION;

const TEXT_BYTES_MAX: usize = 1024;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// As wanted.
    Success,
    /// Not as wanted.
    Failure,
    /// Refused.
    Denied,
    /// Something broke.
    Error,
}

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Everyday.
    Info,
    /// Worth knowing.
    Notice,
    /// Worth looking at.
    Warning,
    /// Look now.
    Critical,
}

/// What is to be written down. Never holds a password, code, token or private key.
#[derive(Debug, Clone)]
pub struct Draft {
    kind: String,
    outcome: Outcome,
    severity: Severity,
    reason_code: Option<String>,
    target: Option<EventObject>,
    host: Option<EventObject>,
    changes: Vec<Change>,
    details: Map<String, Value>,
}

impl Draft {
    /// A successful act, by its name in the catalogue.
    #[must_use]
    pub fn new(kind: &str) -> Self {
        Self {
            kind: line(kind),
            outcome: Outcome::Success,
            severity: Severity::Info,
            reason_code: None,
            target: None,
            host: None,
            changes: Vec::new(),
            details: Map::new(),
        }
    }

    /// To whom or what it happened.
    #[must_use]
    pub fn target(mut self, kind: &str, id: &str, name: &str) -> Self {
        self.target = Some(object(kind, id, name));
        self
    }

    /// On which host.
    #[must_use]
    pub fn host(mut self, id: &str, name: &str) -> Self {
        self.host = Some(object("host", id, name));
        self
    }

    /// How it ended.
    #[must_use]
    pub fn outcome(mut self, outcome: Outcome) -> Self {
        self.outcome = outcome;
        self
    }

    /// How much it matters.
    #[must_use]
    pub fn severity(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self
    }

    /// Why, as a code.
    #[must_use]
    pub fn reason(mut self, code: &str) -> Self {
        self.reason_code = Some(line(code));
        self
    }

    /// Field by field.
    #[must_use]
    pub fn changes(mut self, changes: Vec<Change>) -> Self {
        self.changes = changes;
        self
    }

    /// A field of the catalogue; nothing is written for an empty text.
    #[must_use]
    pub fn detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        let mut value = value.into();
        if let Value::String(text) = &mut value {
            *text = line(text);
            if text.is_empty() {
                return self;
            }
        }
        self.details.insert(name.to_owned(), value);
        self
    }

    /// The changes, for previews.
    #[must_use]
    pub fn changed_fields(&self) -> &[Change] {
        &self.changes
    }

    pub(super) fn into_event(self, organisation: &str, now: Timestamp) -> Event {
        Event {
            id: String::new(),
            seq: 0,
            time: Time(now),
            received_at: Time(now),
            kind: self.kind,
            version: PAYLOAD_VERSION,
            org: organisation.to_owned(),
            outcome: match self.outcome {
                Outcome::Success => "success",
                Outcome::Failure => "failure",
                Outcome::Denied => "denied",
                Outcome::Error => "error",
            }
            .to_owned(),
            severity: match self.severity {
                Severity::Info => "info",
                Severity::Notice => "notice",
                Severity::Warning => "warning",
                Severity::Critical => "critical",
            }
            .to_owned(),
            reason_code: self.reason_code,
            actor: EventObject::default(),
            target: self.target,
            host: self.host,
            source: None,
            request_id: None,
            changes: self.changes,
            details: self.details,
            origin: None,
            prev_hash: String::new(),
            hash: String::new(),
        }
    }
}

/// One line, bounded, without control characters: one event is one line in every sink.
fn line(text: &str) -> String {
    posix_names::clean_line(text, TEXT_BYTES_MAX)
}

fn object(kind: &str, id: &str, name: &str) -> EventObject {
    EventObject {
        kind: kind.to_owned(),
        id: line(id),
        name: line(name),
    }
}
