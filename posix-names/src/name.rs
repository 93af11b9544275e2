//! Login and group names: `[a-z_][a-z0-9_-]{0,31}`, and none that a system already uses.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::reserved::is_reserved;

/// Longest login or group name in bytes (`LOGIN_NAME_MAX` of shadow-utils).
pub const NAME_BYTES_MAX: usize = 32;

/// A login name that a person or service user of the directory may have. A copy shares the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(Arc<str>);

/// A POSIX group name that a group of the directory may have.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GroupName(Arc<str>);

/// Why a name was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing was given.
    #[error("a name cannot be empty")]
    Empty,
    /// More than [`NAME_BYTES_MAX`] bytes.
    #[error("a name has at most {NAME_BYTES_MAX} bytes, this one has {0}")]
    TooLong(usize),
    /// A character outside the allowed set; shown escaped.
    #[error(
        "names match [a-z_][a-z0-9_-]*; character {at} of \"{shown}\" does not fit",
        shown = .name.escape_default()
    )]
    Character {
        /// The name as it was given.
        name: String,
        /// Position of the first character that does not fit, counted from one.
        at: usize,
    },
    /// Belongs to the operating system or to cloudid itself.
    #[error("\"{0}\" is reserved for the system; choose another name")]
    Reserved(String),
}

impl UserName {
    /// Checks a login name.
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn parse(name: &str) -> Result<Self, BadName> {
        checked(name).map(Self)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl GroupName {
    /// The virtual group of everybody in a host's slice.
    #[must_use]
    pub fn everybody() -> Self {
        Self("cloudid-users".into())
    }

    /// The virtual group of people whose plain SSH key must be followed by a code.
    #[must_use]
    pub fn key_and_code() -> Self {
        Self("cloudid-key-code".into())
    }

    /// The virtual group of people whose ssh sessions are recorded.
    #[must_use]
    pub fn recorded() -> Self {
        Self("cloudid-recorded".into())
    }

    /// The private group of a user, which has the same name.
    #[must_use]
    pub fn private(user: &UserName) -> Self {
        Self(Arc::clone(&user.0))
    }

    /// Checks a group name.
    ///
    /// # Errors
    /// Says which rule the name breaks.
    pub fn parse(name: &str) -> Result<Self, BadName> {
        checked(name).map(Self)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The form in which names are compared for uniqueness: NFKC, lower case, trimmed.
#[must_use]
pub fn folded(name: &str) -> String {
    name.nfkc().collect::<String>().trim().to_lowercase()
}

/// Whether a login or group name may be this. Takes no memory, unlike parsing.
#[must_use]
pub fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && misfit(name).is_none() && !is_reserved(name)
}

/// Where the first character stands that no name has there.
fn misfit(name: &str) -> Option<usize> {
    name.chars()
        .enumerate()
        .position(|(index, character)| match character {
            'a'..='z' | '_' => false,
            '0'..='9' | '-' => index == 0,
            _ => true,
        })
}

fn checked(name: &str) -> Result<Arc<str>, BadName> {
    if name.is_empty() {
        return Err(BadName::Empty);
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(BadName::TooLong(name.len()));
    }
    if let Some(index) = misfit(name) {
        return Err(BadName::Character {
            name: name.to_owned(),
            at: index + 1,
        });
    }
    if is_reserved(name) {
        return Err(BadName::Reserved(name.to_owned()));
    }
    Ok(name.into())
}

macro_rules! text_conversions {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = BadName;
            fn try_from(name: String) -> Result<Self, BadName> {
                Self::parse(&name)
            }
        }
        impl From<$type> for String {
            fn from(name: $type) -> Self {
                String::from(&*name.0)
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl std::str::FromStr for $type {
            type Err = BadName;
            fn from_str(name: &str) -> Result<Self, BadName> {
                Self::parse(name)
            }
        }
    };
}
text_conversions!(UserName);
text_conversions!(GroupName);

#[cfg(test)]
mod tests {
    use super::*;

    /// The hostile names of acceptance row ID-02 and some more.
    const HOSTILE: &[&str] = &[
        "-rf",
        "a:b",
        "a\nb",
        "../x",
        "$(id)",
        "rооt",
        "ad\u{200b}min",
        "\u{202e}toor",
        "x.",
        "x ",
        " x",
        "x$",
        "a\0b",
        "0day",
        "123",
        "#0",
        "+",
        "-1",
        "@g",
        "%wheel",
        "ALL",
        "root@R",
        "",
        "a b",
        "a\tb",
        "a/b",
        "/",
        "..",
        ".",
        "a;b",
        "a|b",
        "a&b",
        "`id`",
        "a\\b",
        "a'b",
        "a\"b",
        "*",
        "?",
        "a*",
        "~root",
        "!x",
        "a,b",
        "a=b",
        "a<b",
        "a>b",
        "a(b",
        "a)b",
        "{x}",
        "[x]",
        "Root",
        "ALICE",
        "ａlice",
        "alice\u{301}",
        "é",
        "😀",
        "\u{feff}alice",
        "alice\r",
        "a%0ab",
        "-o ProxyCommand=x",
        "--help",
        "*)(uid=*",
        "' OR 1=1--",
        "%",
        "a\u{7f}",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    ];

    #[test]
    fn id_02_hostile_names_are_refused() {
        for name in HOSTILE {
            assert!(
                UserName::parse(name).is_err(),
                "{name:?} was accepted as a user name"
            );
            assert!(
                GroupName::parse(name).is_err(),
                "{name:?} was accepted as a group name"
            );
        }
        assert!(UserName::parse(&"x".repeat(256)).is_err());
    }

    #[test]
    fn ordinary_names_are_accepted() {
        for name in ["alice", "_svc", "ci-deploy", "a", "x1", &"a".repeat(32)] {
            assert_eq!(UserName::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn id_01_reserved_names_are_refused_in_every_case() {
        for name in [
            "root",
            "daemon",
            "www-data",
            "cloudid",
            "cloudid-x",
            "sshd",
            "nobody",
        ] {
            assert!(
                matches!(UserName::parse(name), Err(BadName::Reserved(_))),
                "{name}"
            );
            assert!(UserName::parse(&name.to_uppercase()).is_err(), "{name}");
        }
    }

    #[test]
    fn a_bad_name_cannot_enter_through_serde() {
        for name in HOSTILE {
            assert!(UserName::try_from((*name).to_owned()).is_err());
        }
    }

    #[test]
    fn id_03_names_that_look_alike_fold_to_one() {
        assert_eq!(folded("ＡLICE "), folded("alice"));
        assert_ne!(folded("alice"), folded("alicf"));
    }
}
