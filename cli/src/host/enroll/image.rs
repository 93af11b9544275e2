//! `cloudid enroll --image-prepare`: notes in an image which directory its machines enrol with, and
//! has them do it at their first boot. There is no identity in an image: whoever copies one would
//! copy it too.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::backup::{self, Backup};
use super::super::places::{BACKUP, FIRST_BOOT, FIRST_BOOT_UNIT, IDENTITY, TOKEN};
use super::super::services;
use super::{Wanted, check_installed};
use crate::context::Context;
use crate::error::Failure;

const NOTES_MODE: (u32, u32, u32) = (0o644, 0, 0);
const HEADING: &str =
    "# Written by `cloudid enroll --image-prepare`. Read once, at the first boot.\n";

/// What an image notes for its machines. No secret, and nothing that only one machine can be.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notes {
    pub(super) url: String,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    #[serde(default)]
    pub(super) no_pam: bool,
    #[serde(default)]
    pub(super) no_ssh: bool,
    #[serde(default = "wait_seconds")]
    pub(super) wait_seconds: u64,
}

fn wait_seconds() -> u64 {
    super::WAIT.as_secs()
}

pub(super) async fn prepare(wanted: &Wanted, context: &Context) -> Result<(), Failure> {
    if Path::new(IDENTITY).exists() || Backup::open(Path::new(BACKUP))?.is_some() {
        return Err(Failure::failed("this machine is a host already")
            .because("every machine made from this image would be the same host")
            .next("cloudid unenroll, then prepare the image"));
    }
    if Path::new(TOKEN).exists() {
        return Err(Failure::failed(format!("{TOKEN} exists"))
            .because("every machine made from this image would have this token")
            .next("remove it: each machine gets its own at its first boot"));
    }
    check_installed()?;
    context.output.say(&format!(
        "{FIRST_BOOT} is written, and {FIRST_BOOT_UNIT} enabled; nothing else is changed."
    ));
    if context.options.dry_run {
        return Ok(());
    }
    let notes = Notes {
        url: wanted.url.clone(),
        tags: wanted.tags.clone(),
        no_pam: wanted.no_pam,
        no_ssh: wanted.no_ssh,
        wait_seconds: wanted.wait.as_secs(),
    };
    notes.write()?;
    services::systemctl(&["enable", FIRST_BOOT_UNIT]).await?;
    context.output.say(&format!(
        "A machine made from this image enrols when its first boot finds a token in {TOKEN}, of root \
         and mode 0600. Before the image is taken: empty /etc/machine-id and remove the keys of sshd."
    ));
    Ok(())
}

/// Takes notes, token and unit away. Answers whether there was anything.
pub(in super::super) async fn forget() -> Result<bool, Failure> {
    let prepared = Path::new(FIRST_BOOT).exists();
    backup::remove(Path::new(TOKEN))?;
    if prepared {
        services::systemctl(&["disable", FIRST_BOOT_UNIT]).await?;
        backup::remove(Path::new(FIRST_BOOT))?;
    }
    Ok(prepared)
}

impl Notes {
    /// What the image says; `None` where nothing was noted.
    pub(super) fn read() -> Result<Option<Self>, Failure> {
        let path = Path::new(FIRST_BOOT);
        match std::fs::read_to_string(path) {
            Ok(text) => Self::parse(&text).map(Some),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::file("read", path, &error)),
        }
    }

    fn parse(text: &str) -> Result<Self, Failure> {
        toml::from_str(text).map_err(|error| {
            Failure::failed(format!("{FIRST_BOOT} cannot be used")).because(error.message())
        })
    }

    fn write(&self) -> Result<(), Failure> {
        let text = toml::to_string(self).map_err(|error| {
            Failure::failed(format!("{FIRST_BOOT} cannot be written")).because(error.to_string())
        })?;
        let text = format!("{HEADING}{text}");
        backup::replace(Path::new(FIRST_BOOT), text.as_bytes(), NOTES_MODE)
    }

    pub(super) fn wait(&self) -> Duration {
        Duration::from_secs(self.wait_seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_say_where_and_need_to_say_no_more() {
        let notes = Notes::parse("url = \"https://id.example.org\"\n").unwrap();
        assert_eq!(notes.wait(), super::super::WAIT);
        assert!(notes.tags.is_empty() && !notes.no_pam && !notes.no_ssh);
        let written = toml::to_string(&notes).unwrap();
        assert_eq!(Notes::parse(&written).unwrap(), notes);
        for wrong in ["", "url = 5", "url = \"x\"\ntoken = \"cloudid1\""] {
            assert!(Notes::parse(wrong).is_err(), "{wrong}");
        }
    }
}
