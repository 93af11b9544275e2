//! `/etc/cloudid/directory.toml`: read, merged with the defaults, checked; all problems at once.

mod check;
mod raw;
mod words;

use std::net::SocketAddr;
use std::path::PathBuf;

use directory_api::rest::Secret;
use jiff::SignedDuration;
use policy::Selector;

pub use check::{BadConfig, ConfigProblem};

/// The defaults, which are also the list of the keys there are.
pub const DEFAULTS: &str = include_str!("defaults.toml");

/// The checked settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// `[server]`
    pub server: Server,
    /// File of the database.
    pub database: PathBuf,
    /// `[keys]`
    pub keys: Keys,
    /// `[publish]`
    pub publish: Publish,
    /// `[auth]`
    pub auth: Auth,
    /// `[password]`
    pub password: Password,
    /// `[mail]`
    pub mail: Option<Mail>,
    /// `[yubico]`
    pub yubico: Yubico,
    /// Folder of the packages that new hosts install.
    pub packages: PathBuf,
    /// `[limits]`
    pub limits: Limits,
}

/// Where the server listens and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// Address and port.
    pub listen: SocketAddr,
    /// `https://…`; empty means the one that `init` was told.
    pub public_url: String,
    /// The server's certificate, then its CA's (PEM).
    pub tls_cert: PathBuf,
    /// The server's private key (PEM).
    pub tls_key: PathBuf,
}

/// Key files and how long what they sign is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// The signed root documents.
    pub root_chain: PathBuf,
    /// The online signing key.
    pub signing_key: PathBuf,
    /// How long the root certifies the signing key for.
    pub signing_ttl: SignedDuration,
    /// How old a fetched manifest may be.
    pub bundle_ttl: SignedDuration,
    /// Certificate of the CA that issues the hosts' certificates.
    pub ca_cert: PathBuf,
    /// Its key.
    pub ca_key: PathBuf,
    /// How long a host's certificate is good.
    pub host_certificate_ttl: SignedDuration,
    /// Encrypts the seeds of one-time codes.
    pub totp_key_file: PathBuf,
}

/// Which hosts get changes before the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publish {
    /// Absent: all at once.
    pub canaries: Option<Selector>,
    /// How long one may take to have a change in force.
    pub canary_wait: SignedDuration,
}

/// Sessions and locks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Longest session.
    pub session_max: SignedDuration,
    /// Longest pause within a session.
    pub idle: SignedDuration,
    /// Wrong passwords before a lock.
    pub lock_after: u32,
    /// Within which they count together.
    pub lock_window: SignedDuration,
    /// How long a lock lasts.
    pub lock_for: SignedDuration,
}

/// What passwords must be and how they are hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Password {
    /// Fewest characters.
    pub min_length: usize,
    /// Argon2id memory.
    pub argon2_memory_kib: u32,
    /// Argon2id passes.
    pub argon2_passes: u32,
}

/// Where mail is handed in, and from whom it comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Address of the relay; may hold a password.
    pub smtp: Secret,
    /// The sender.
    pub from: String,
}

/// Who verifies the one-time passwords of YubiKeys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Yubico {
    /// As the validation service knows this directory.
    pub client_id: String,
    /// File of the secret shared with it; empty: YubiKeys are not used.
    pub secret_file: PathBuf,
    /// Validation servers, asked in this order.
    pub urls: Vec<String>,
}

/// What one caller may ask of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Logins per minute and source address.
    pub login_per_minute_ip: u32,
    /// Logins per minute and account.
    pub login_per_minute_user: u32,
    /// Password hashes at the same time.
    pub argon2_parallel: usize,
}

impl Config {
    /// Reads settings: the text of the file, and overrides as `(section, key, value)`.
    ///
    /// # Errors
    /// Every problem that was found, with its line.
    pub fn read(text: &str, overrides: &[Override]) -> Result<Self, BadConfig> {
        check::read(text, overrides)
    }
}

/// A key set outside the file: `CLOUDID_DIRECTORY_<SECTION>_<KEY>`, or by an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Such as `server`.
    pub section: String,
    /// Such as `listen`.
    pub key: String,
    /// As text.
    pub value: String,
}

const ENVIRONMENT_PREFIX: &str = "CLOUDID_DIRECTORY_";

impl Override {
    /// Reads one variable of the environment; other people's variables are nothing to us.
    #[must_use]
    pub fn from_environment(name: &str, value: &str) -> Option<Self> {
        let (section, key) = name.strip_prefix(ENVIRONMENT_PREFIX)?.split_once('_')?;
        Some(Self {
            section: section.to_ascii_lowercase(),
            key: key.to_ascii_lowercase(),
            value: value.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        let config = Config::read("", &[]).unwrap();
        assert_eq!(config.server.listen.port(), 8443);
        assert_eq!(config, Config::read(DEFAULTS, &[]).unwrap());
    }

    #[test]
    fn all_problems_are_told_at_once_with_line_and_proposal() {
        let text = "[server]\nlisten = \"nowhere\"\n[keys]\nbundel_ttl = \"1h\"\n\
                    signing_ttl = 5\n[pasword]\n[password]\nargon2_memory_kib = 8\n";
        let problems = Config::read(text, &[]).unwrap_err().to_string();
        for part in [
            "line 2: server.listen",
            "line 4: keys.bundel_ttl is not a setting; did you mean bundle_ttl?",
            "line 5: keys.signing_ttl",
            "line 6: [pasword] is not a section; did you mean password?",
            "line 8: password.argon2_memory_kib",
        ] {
            assert!(problems.contains(part), "{part:?} is not in\n{problems}");
        }
    }

    #[test]
    fn variables_of_the_environment_override_keys() {
        let listen = Override::from_environment("CLOUDID_DIRECTORY_SERVER_LISTEN", "[::1]:9");
        let config = Config::read("", &[listen.unwrap()]).unwrap();
        assert_eq!(config.server.listen.port(), 9);
        assert_eq!(Override::from_environment("PATH", "/bin"), None);
    }
}
