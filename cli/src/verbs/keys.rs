//! SSH keys: the own ones, and those of others for administrators.

use std::io::Read;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use directory_api::rest::NewSshKey;
use reqwest::Method;
use serde_json::Value;

use super::objects;
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::moment;
use crate::output::Column;

const KEY_BYTES_MAX: u64 = 64 * 1024;
const COLUMNS: &[Column] = &[
    ("FINGERPRINT", "/fingerprint"),
    ("TYPE", "/type"),
    ("COMMENT", "/comment"),
    ("EXPIRES", "/expires_at"),
    ("ADDED", "/created_at"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum KeysVerb {
    /// List keys
    List(Whose),
    /// Add a public key
    Add(AddKey),
    /// Remove a key; hosts refuse it within seconds
    Remove(RemoveKey),
}

#[derive(Debug, Args)]
pub(crate) struct Whose {
    /// The keys of another user; for administrators
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

impl Whose {
    fn path(&self) -> Vec<&str> {
        match &self.user {
            Some(user) => vec!["users", user, "ssh-keys"],
            None => vec!["me", "ssh-keys"],
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct AddKey {
    #[command(flatten)]
    whose: Whose,
    /// An id_….pub file, - for standard input
    file: PathBuf,
    /// A remark in place of the one in the file
    #[arg(long)]
    comment: Option<String>,
    /// When the key ends, for example 2026-12-31 or +90d
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveKey {
    #[command(flatten)]
    whose: Whose,
    /// Fingerprint (SHA256:…) or id (ssh_…)
    key: String,
}

pub(crate) async fn run(verb: KeysVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        KeysVerb::List(whose) => objects::list(Call::get(&whose.path()), COLUMNS, context).await,
        KeysVerb::Add(arguments) => add(arguments, context).await,
        KeysVerb::Remove(arguments) => remove(&arguments, context).await,
    }
}

async fn add(arguments: AddKey, context: &Context) -> Result<(), Failure> {
    let expires = arguments.expires.as_deref();
    let key = NewSshKey {
        public_key: public_key(&arguments.file)?,
        comment: arguments.comment,
        expires_at: expires
            .map(|text| moment::read(context, "--expires", text))
            .transpose()?,
    };
    objects::create(&arguments.whose.path(), &key, context).await
}

/// Whoever names the private file by mistake is stopped before it leaves the machine.
fn public_key(path: &std::path::Path) -> Result<String, Failure> {
    let failed = |error| Failure::file("read", path, &error);
    let mut text = String::new();
    if path == std::path::Path::new("-") {
        std::io::stdin()
            .take(KEY_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(KEY_BYTES_MAX)
            .read_to_string(&mut text)
            .map_err(failed)?;
    }
    if text.contains("PRIVATE KEY") || text.starts_with("PuTTY-User-Key-File") {
        return Err(
            Failure::usage(format!("{} is a private key", path.display()))
                .because("it was not sent; a private key never leaves its owner's machine")
                .next("give the file that ends in .pub"),
        );
    }
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next()) {
        (Some(line), None) => Ok(line.to_owned()),
        (Some(_), Some(_)) => Err(Failure::usage(format!(
            "{} holds more than one line",
            path.display()
        ))
        .next("add one key after the other")),
        (None, _) => Err(Failure::usage(format!("{} is empty", path.display()))),
    }
}

async fn remove(arguments: &RemoveKey, context: &Context) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
    let path = arguments.whose.path();
    let keys = directory.list(Call::get(&path)).await?;
    let is_meant = |key: &&Value| {
        ["/id", "/fingerprint"]
            .iter()
            .any(|field| key.pointer(field).and_then(Value::as_str) == Some(arguments.key.as_str()))
    };
    let id = keys
        .iter()
        .find(is_meant)
        .and_then(|key| key.get("id")?.as_str())
        .ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("there is no key {}", arguments.key))
                .next("cloudid keys list")
        })?;
    let mut path = path;
    path.push(id);
    let call = Call::new(Method::DELETE, &path);
    let call = if context.options.dry_run {
        call.dry_run()
    } else {
        call
    };
    let answer = directory.call(call).await?;
    if context.options.dry_run {
        return context.output.object(&answer.body);
    }
    context.output.say("The key was removed.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_key_stays_on_this_machine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id_ed25519");
        for private in [
            "-----BEGIN OPENSSH PRIVATE KEY-----\nx\n",
            "PuTTY-User-Key-File-3: x\n",
        ] {
            std::fs::write(&path, private).unwrap();
            let failure = public_key(&path).unwrap_err();
            assert_eq!(failure.kind, Kind::Usage);
        }
    }

    #[test]
    fn a_public_key_is_exactly_one_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id.pub");
        std::fs::write(&path, "\n ssh-ed25519 AAAA me \r\n\n").unwrap();
        assert_eq!(public_key(&path).unwrap(), "ssh-ed25519 AAAA me");
        for bad in ["", "\n", "ssh-ed25519 A\nssh-ed25519 B\n"] {
            std::fs::write(&path, bad).unwrap();
            assert!(public_key(&path).is_err());
        }
    }
}
