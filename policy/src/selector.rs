//! Which hosts a rule concerns: `env=prod,role in (web,api),!legacy,project=payments,web-*`.

use serde::{Deserialize, Serialize};

/// A parsed selector; its text form is what is stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector {
    text: String,
}

/// Why a selector was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("selector \"{text}\": {problem} at character {at}")]
pub struct BadSelector {
    /// The selector as given.
    pub text: String,
    /// What is wrong.
    pub problem: String,
    /// Where, counted from one.
    pub at: usize,
}

impl TryFrom<String> for Selector {
    type Error = BadSelector;
    fn try_from(text: String) -> Result<Self, BadSelector> {
        Ok(Self { text })
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.text
    }
}
