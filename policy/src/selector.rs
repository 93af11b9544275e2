//! Which hosts a rule concerns: `env=prod,role in (web,api),!legacy,project=payments,web-*`.
//! Comma means *and*; a bare word is a tag; a word with `*` is a host-name pattern; `project` is
//! the host's project; `!` turns a term round; `*` alone is every host. Nothing is no selector.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::host_pattern::HostPattern;
use crate::selector_text::{self, BadSelector};
use crate::{Effect, Host};

/// Tags that begin so were set by the host's own configuration. They never count in allow rules: a
/// host must not tag itself into somebody's access.
pub const OWN_TAG_PREFIX: &str = "host:";

/// The key that means the project and not a tag.
const PROJECT: &str = "project";

/// A parsed selector; its text form is what is stored and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector {
    terms: Vec<Term>,
}

/// One condition of a selector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) negated: bool,
    pub(crate) test: Test,
}

/// What a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Test {
    /// A bare word.
    Word(String),
    /// `key=value`.
    Equals(String, String),
    /// `key in (value,…)`.
    OneOf(String, Vec<String>),
    /// A word with `*`.
    Name(HostPattern),
}

impl Selector {
    /// Whether the host fits, all its tags counted. For filters and lists; rules ask
    /// [`AccessRule::concerns_host`](crate::AccessRule::concerns_host).
    #[must_use]
    pub fn matches(&self, host: &Host) -> bool {
        self.fits(host, |_| true)
    }

    /// Whether a rule of this effect concerns the host: what is to somebody's good does not count
    /// the tags that the host gave itself.
    #[must_use]
    pub fn matches_for(&self, effect: Effect, host: &Host) -> bool {
        match effect {
            Effect::Allow => self.fits(host, |tag| !tag.starts_with(OWN_TAG_PREFIX)),
            Effect::Deny => self.matches(host),
        }
    }

    fn fits(&self, host: &Host, counts: impl Fn(&str) -> bool) -> bool {
        let has_tag = |tag: &str| counts(tag) && host.tags.contains(tag);
        self.terms
            .iter()
            .all(|term| term.test.holds(host, &has_tag) != term.negated)
    }
}

impl Test {
    fn holds(&self, host: &Host, has_tag: &impl Fn(&str) -> bool) -> bool {
        let equals = |key: &str, value: &str| {
            if key == PROJECT {
                host.project == value
            } else {
                has_tag(&format!("{key}={value}"))
            }
        };
        match self {
            Self::Word(tag) => has_tag(tag),
            Self::Equals(key, value) => equals(key, value),
            Self::OneOf(key, values) => values.iter().any(|value| equals(key, value)),
            Self::Name(pattern) => pattern.matches(&host.name),
        }
    }
}

impl FromStr for Selector {
    type Err = BadSelector;
    fn from_str(text: &str) -> Result<Self, BadSelector> {
        selector_text::parse(text).map(|terms| Self { terms })
    }
}

impl TryFrom<String> for Selector {
    type Error = BadSelector;
    fn try_from(text: String) -> Result<Self, BadSelector> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, term) in self.terms.iter().enumerate() {
            if place > 0 {
                f.write_str(",")?;
            }
            if term.negated {
                f.write_str("!")?;
            }
            match &term.test {
                Test::Word(tag) => f.write_str(tag)?,
                Test::Equals(key, value) => write!(f, "{key}={value}")?,
                Test::OneOf(key, values) => write!(f, "{key} in ({})", values.join(","))?,
                Test::Name(pattern) => write!(f, "{pattern}")?,
            }
        }
        Ok(())
    }
}
