//! Home directories and login shells: absolute, plain, and never a place that belongs to the system.

use serde::{Deserialize, Serialize};

/// Where homes may lie unless the site names other roots.
/// Where homes are.
pub const DEFAULT_HOME_ROOT: &str = "/home";
const PATH_BYTES_MAX: usize = 256;

/// An absolute home directory below a home root, without `..`, `.` or doubled slashes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HomeDirectory(String);

/// An absolute path of a login shell, without arguments.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LoginShell(String);

/// Why a home directory was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{shown}\" cannot be a home directory: it must be an absolute path below {DEFAULT_HOME_ROOT} \
     of letters, digits and ._+-@ without \"..\"",
    shown = .0.escape_default()
)]
pub struct BadHome(pub String);

/// Why a shell was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{shown}\" cannot be a login shell: it must be an absolute path without arguments",
    shown = .0.escape_default()
)]
pub struct BadShell(pub String);

impl HomeDirectory {
    /// Checks a home directory against the default home root.
    ///
    /// # Errors
    /// The path is not a plain absolute path below a home root.
    pub fn parse(path: &str) -> Result<Self, BadHome> {
        let below = path
            .strip_prefix(DEFAULT_HOME_ROOT)
            .and_then(|rest| rest.strip_prefix('/'));
        match below {
            Some(rest) if plain(path) && !rest.is_empty() => Ok(Self(path.to_owned())),
            Some(_) | None => Err(BadHome(path.to_owned())),
        }
    }

    /// The home of a user where nothing else is said.
    #[must_use]
    pub fn of(user: &crate::UserName) -> Self {
        Self(format!("{DEFAULT_HOME_ROOT}/{user}"))
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LoginShell {
    /// Checks a shell's path; whether it is installed is for the host to know.
    ///
    /// # Errors
    /// The path is not a plain absolute path.
    pub fn parse(path: &str) -> Result<Self, BadShell> {
        if plain(path) {
            Ok(Self(path.to_owned()))
        } else {
            Err(BadShell(path.to_owned()))
        }
    }

    /// The path as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Absolute, bounded, every component plain: nothing that a shell, passwd or sudoers would read
/// as more than a path.
fn plain(path: &str) -> bool {
    let Some(relative) = path.strip_prefix('/') else {
        return false;
    };
    path.len() <= PATH_BYTES_MAX
        && relative.split('/').all(|part| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.bytes().all(|byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'@')
                })
        })
}

macro_rules! path_conversions {
    ($type:ty, $error:ty) => {
        impl TryFrom<String> for $type {
            type Error = $error;
            fn try_from(path: String) -> Result<Self, $error> {
                Self::parse(&path)
            }
        }
        impl From<$type> for String {
            fn from(path: $type) -> Self {
                path.0
            }
        }
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}
path_conversions!(HomeDirectory, BadHome);
path_conversions!(LoginShell, BadShell);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_08_homes_of_the_system_are_refused() {
        let bad = [
            "",
            "/",
            "alice",
            "home/alice",
            "/root",
            "/etc",
            "/etc/x",
            "/home",
            "/home/",
            "/home/../etc",
            "/home/a/..",
            "/home//a",
            "/home/a/",
            "/home/./a",
            "/homer/a",
            "/home/a:b",
            "/home/a\nb",
            "/home/a b",
            "/home/$(id)",
        ];
        for path in bad {
            assert!(HomeDirectory::parse(path).is_err(), "{path:?} was accepted");
        }
        assert!(HomeDirectory::parse("/home/alice").is_ok());
        assert!(HomeDirectory::parse("/home/staff/alice").is_ok());
    }

    #[test]
    fn id_08_shells_with_arguments_are_refused() {
        for path in [
            "",
            "bash",
            "/bin/bash -c id",
            "/bin/sh;id",
            "/",
            "/bin/",
            "/bin/../sh",
        ] {
            assert!(LoginShell::parse(path).is_err(), "{path:?} was accepted");
        }
        assert!(LoginShell::parse("/bin/bash").is_ok());
        assert!(LoginShell::parse("/usr/bin/zsh").is_ok());
    }
}
