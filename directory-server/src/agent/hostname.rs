//! Names of hosts: lower-case letters, digits, dots and hyphens, as DNS has them.

use std::fmt;

use posix_names::clean_line;

use crate::http::Refused;

const NAME_BYTES_MAX: usize = 253;
const SHOWN_BYTES: usize = 64;

/// A checked host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Hostname(String);

impl Hostname {
    /// Checks a host name; capital letters become small ones.
    pub(super) fn parse(name: &str) -> Result<Self, Refused> {
        let name = name.to_ascii_lowercase();
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if name.len() <= NAME_BYTES_MAX && name.split('.').all(is_label) {
            return Ok(Self(name));
        }
        let detail = format!("\"{}\" is no host name.", shown(&name));
        Err(Refused::invalid("hostname", detail)
            .hint("Letters, digits, dots and hyphens: web-1.example.org"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Any text as one short, harmless line.
pub(super) fn shown(text: &str) -> String {
    clean_line(text, SHOWN_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names_are_those_of_dns() {
        for name in ["web-1", "WEB-1.example.org", "1", &"a".repeat(63)] {
            assert!(Hostname::parse(name).is_ok(), "{name}");
        }
        for name in [
            "",
            ".",
            "a..b",
            "-a",
            "a-",
            "a b",
            "a\nb",
            "a*",
            "é",
            &"a".repeat(64),
        ] {
            assert!(Hostname::parse(name).is_err(), "{name:?}");
        }
        assert_eq!(Hostname::parse("WEB-1").unwrap().as_str(), "web-1");
    }
}
