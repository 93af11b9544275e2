//! `~/.config/cloudid/config.toml`: which directories a person knows. Read only; people write it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::PathBuf;

use serde::Deserialize;

use crate::context::Environment;
use crate::error::Failure;

const DEFAULT_PROFILE: &str = "default";

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    default_profile: Option<String>,
    #[serde(default)]
    profile: BTreeMap<String, Profile>,
}

/// One directory, as one person uses it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    #[serde(skip)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) url: Option<String>,
    #[serde(default)]
    pub(crate) ca_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) user: Option<String>,
}

impl Profile {
    /// The profile in use: `--profile`, `CLOUDID_PROFILE`, `default_profile`, `default`.
    pub(crate) fn in_use(
        asked_for: Option<&str>,
        environment: &Environment,
    ) -> Result<Self, Failure> {
        let file = read(environment)?;
        let named = asked_for
            .map(str::to_owned)
            .or_else(|| environment.profile.clone())
            .or(file.default_profile);
        let name = named.unwrap_or_else(|| DEFAULT_PROFILE.to_owned());
        if !is_plain(&name) {
            return Err(Failure::usage(format!("\"{name}\" cannot name a profile"))
                .because("a profile is named by letters, digits, - and _"));
        }
        let mut profile = file.profile.get(&name).cloned().unwrap_or_default();
        profile.name = name;
        if let Some(url) = &environment.url {
            profile.url = Some(url.clone());
        }
        Ok(profile)
    }
}

fn read(environment: &Environment) -> Result<File, Failure> {
    let Some(folder) = &environment.config else {
        return Ok(File::default());
    };
    let path = folder.join("config.toml");
    match std::fs::read_to_string(&path) {
        Ok(text) => toml::from_str(&text).map_err(|problem| {
            Failure::usage(format!("{} cannot be understood", path.display()))
                .because(problem.to_string())
        }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(File::default()),
        Err(error) => Err(Failure::file("read", &path, &error)),
    }
}

/// The name becomes part of a file name.
fn is_plain(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    !name.is_empty() && name.len() <= 64 && name.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(text: &str) -> (tempfile::TempDir, Environment) {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("config.toml"), text).unwrap();
        let environment = Environment {
            config: Some(folder.path().to_owned()),
            ..Environment::default()
        };
        (folder, environment)
    }

    #[test]
    fn the_option_wins_over_the_file() {
        let (_folder, environment) = environment(
            "default_profile = \"work\"\n[profile.work]\nurl = \"https://a\"\n\
             [profile.lab]\nurl = \"https://b\"\n",
        );
        let url = |asked| Profile::in_use(asked, &environment).unwrap().url.unwrap();
        assert_eq!(url(None), "https://a");
        assert_eq!(url(Some("lab")), "https://b");
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let (_folder, environment) = environment("[profile.work]\nurll = \"https://a\"\n");
        let failure = Profile::in_use(None, &environment).unwrap_err();
        assert!(failure.to_string().contains("urll"), "{failure}");
    }

    #[test]
    fn a_profile_name_cannot_leave_the_folder() {
        for name in ["", "../x", "a/b", "a b", "a\0"] {
            assert!(Profile::in_use(Some(name), &Environment::default()).is_err());
        }
    }
}
