//! The session of a person: a file that only they can read, with the address and the pinned CA
//! that its token belongs to. The token is sent nowhere else.

use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use directory_api::rest::{Secret, Time};
use serde::{Deserialize, Serialize};

use crate::context::{Context, Environment};
use crate::error::{Failure, Kind};
use crate::profile::Profile;
use crate::secret_file;

/// What `cloudid login` leaves behind.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Session {
    pub(crate) url: String,
    /// PEM of the CA that was pinned at login; system roots when absent.
    pub(crate) ca_certificate: Option<String>,
    pub(crate) username: String,
    pub(crate) expires_at: Time,
    pub(crate) token: Secret,
}

impl Session {
    /// The session of the profile in use, if it has not ended.
    pub(crate) fn current(context: &Context) -> Result<Self, Failure> {
        let profile = Profile::in_use(context.options.profile.as_deref(), &context.environment)?;
        let path = path(&profile, &context.environment)?;
        let session = match std::fs::metadata(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(not_signed_in()),
            Err(error) => return Err(Failure::file("read", &path, &error)),
            Ok(status) if status.mode() & 0o077 != 0 => {
                return Err(Failure::failed(format!("{} is not used", path.display()))
                    .because("others can read it, and so could have taken the token")
                    .next("cloudid logout, then cloudid login"));
            }
            Ok(_) => read(&path)?,
        };
        if let Some(url) = profile.url.filter(|url| !same_address(url, &session.url)) {
            return Err(not_signed_in().because(format!(
                "the session of this profile belongs to {}, not to {url}",
                session.url
            )));
        }
        if session.expires_at.0 <= context.now.timestamp() {
            return Err(
                not_signed_in().because(format!("the session ended at {}", session.expires_at))
            );
        }
        Ok(session)
    }

    pub(crate) fn save(&self, context: &Context) -> Result<(), Failure> {
        let profile = Profile::in_use(context.options.profile.as_deref(), &context.environment)?;
        let path = path(&profile, &context.environment)?;
        if let Some(folder) = path.parent() {
            secret_file::make_private_folder(folder)?;
        }
        let text = serde_json::to_string(self).map_err(|error| {
            Failure::failed("cannot save the session").because(error.to_string())
        })?;
        secret_file::replace(&path, text.as_bytes())
    }

    pub(crate) fn forget(context: &Context) -> Result<(), Failure> {
        let profile = Profile::in_use(context.options.profile.as_deref(), &context.environment)?;
        let path = path(&profile, &context.environment)?;
        match std::fs::remove_file(&path) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(Failure::file("remove", &path, &error)),
        }
    }
}

pub(crate) fn not_signed_in() -> Failure {
    Failure::new(Kind::NotSignedIn, "you are not signed in").next("cloudid login --url URL")
}

fn read(path: &std::path::Path) -> Result<Session, Failure> {
    let text = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    serde_json::from_slice(&text).map_err(|_| {
        Failure::failed(format!("{} is not a session file", path.display()))
            .next("cloudid logout, then cloudid login")
    })
}

fn path(profile: &Profile, environment: &Environment) -> Result<PathBuf, Failure> {
    let folder = environment.state.as_ref().ok_or_else(|| {
        Failure::usage("there is no place for the session").because("HOME is not set")
    })?;
    Ok(folder.join(format!("session-{}.json", profile.name)))
}

fn same_address(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}
