//! `init`: makes a new directory, once. Never overwrites anything.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Args;
use sha2::{Digest, Sha256};

use super::{CommandError, Outside, passphrase, read_text, say, start};
use crate::audit::{self, Draft};
use crate::config::Config;
use crate::http::Origin;
use crate::id::Kind;
use crate::keys::{self, NewKeys};
use crate::store::{self, Organisation, Writing};
use crate::tls::Authority;

const SECRET_BYTES: usize = 32;
const PORT: u16 = 8443;
const FIRST_PROJECT: &str = "main";

#[derive(Args)]
pub(super) struct Init {
    /// Name of the organisation.
    #[arg(long, value_name = "NAME")]
    organisation: String,
    /// https://HOST:PORT as hosts and people reach this server; default: the settings' public_url.
    /// Where there are no settings yet, they are written, with this machine's name and port 8443.
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Further names or addresses for the server's certificate.
    #[arg(long = "name", value_name = "NAME")]
    names: Vec<String>,
    /// Where the root key is written (mode 0600), protected by a passphrase. Take it offline: it is
    /// needed only to renew the signing key.
    #[arg(long, value_name = "FILE", default_value = "cloudid-root.key")]
    root_key_file: PathBuf,
    /// File whose first line is the root key's passphrase; asked for on the terminal when absent.
    #[arg(long, value_name = "FILE")]
    root_passphrase_file: Option<PathBuf>,
    /// Where the one-time secret for the first administrator is written (mode 0600).
    #[arg(long, value_name = "FILE", default_value = "cloudid-bootstrap-secret")]
    bootstrap_secret_file: PathBuf,
    /// Start cloudid-directory.service afterwards, and wait until it answers.
    #[arg(long)]
    start: bool,
}

impl Init {
    pub(super) async fn run(self, outside: &Outside, config: Config) -> Result<(), CommandError> {
        let now = outside.clock.now();
        let public_url = self.public_url(&config)?;
        let random = &outside.random;
        let organisation = Organisation {
            id: Kind::Organisation
                .new_id(now, random)
                .map_err(no_randomness)?,
            name: self.organisation.clone(),
            public_url,
        };
        for path in [
            &config.database,
            &self.bootstrap_secret_file,
            &self.root_key_file,
            &config.keys.root_chain,
            &config.keys.signing_key,
        ] {
            refuse_existing(path)?;
        }
        let passphrase = passphrase::read(self.root_passphrase_file.as_deref())?;
        self.signing_keys(outside, &config, &organisation, &passphrase)?;
        self.certificates(outside, &config, &organisation)?;
        let secret: [u8; SECRET_BYTES] = random.bytes().map_err(no_randomness)?;
        let secret = URL_SAFE_NO_PAD.encode(secret);
        let store = store::create(&config.database).await?;
        let mut tx = store.write().await?;
        organisation
            .insert(&mut tx, &bootstrap_hash(&secret), now.as_millisecond())
            .await?;
        first_project(&mut tx, &organisation, outside).await?;
        tx.commit().await?;
        store.close().await;
        write_secret(&self.bootstrap_secret_file, &secret)?;
        say(&format!(
            "The directory of {} is made. Make its first administrator at {} with the one-time \
             secret in {}. Take the root key in {} offline now: whoever has it and its passphrase can \
             speak for the directory.",
            organisation.name,
            organisation.public_url,
            self.bootstrap_secret_file.display(),
            self.root_key_file.display()
        ));
        if self.start {
            return start::service(config.server.listen).await;
        }
        say("Start it: systemctl start cloudid-directory");
        Ok(())
    }

    /// Settings for a machine that has none: reachable by its own name.
    pub(super) fn write_settings(&self, path: &Path) -> Result<(), CommandError> {
        if path.exists() {
            return Ok(());
        }
        let url = match &self.public_url {
            Some(url) => url.clone(),
            None => format!("https://{}:{PORT}", own_name()?),
        };
        if host_of(&url).is_none() {
            return Err(not_an_address(&url));
        }
        let settings = format!(
            "# Written by `cloudid-directory init`. Every key: /usr/share/doc/cloudid-directory/examples\n\
             [server]\nlisten = \"0.0.0.0:{PORT}\"\npublic_url = \"{url}\"\n"
        );
        write_new(path, settings, 0o644)
    }

    fn public_url(&self, config: &Config) -> Result<String, CommandError> {
        let url = self
            .public_url
            .clone()
            .unwrap_or_else(|| config.server.public_url.clone());
        if host_of(&url).is_some() {
            return Ok(url);
        }
        Err(not_an_address(&url))
    }

    /// Makes the root key, which goes to its owner, and the signing key that it certifies.
    fn signing_keys(
        &self,
        outside: &Outside,
        config: &Config,
        organisation: &Organisation,
        passphrase: &str,
    ) -> Result<(), CommandError> {
        let of = keys::For {
            organisation: &organisation.id,
            signing_ttl: config.keys.signing_ttl,
            now: outside.clock.now(),
        };
        let made = NewKeys::make(of, passphrase, &outside.random)?;
        write_secret(&self.root_key_file, &made.root_key_pem)?;
        write_new(&config.keys.root_chain, &made.root_chain, 0o644)?;
        write_secret(&config.keys.signing_key, &made.signing_key)
    }

    /// Makes the CA, and the server's certificate unless the operator has put one there.
    fn certificates(
        &self,
        outside: &Outside,
        config: &Config,
        organisation: &Organisation,
    ) -> Result<(), CommandError> {
        let now = outside.clock.now();
        refuse_existing(&config.keys.ca_key)?;
        let (authority, key_pem) = Authority::create(&organisation.name, now)?;
        if config.server.tls_cert.exists() && config.server.tls_key.exists() {
            read_text(&config.server.tls_cert)?;
        } else {
            let mut names: Vec<String> = host_of(&organisation.public_url).into_iter().collect();
            names.extend(self.names.iter().cloned());
            let issued = authority.issue_server(&names, (now, &outside.random))?;
            write_new(&config.server.tls_cert, &issued.chain_pem, 0o644)?;
            write_secret(&config.server.tls_key, &issued.key_pem)?;
        }
        write_new(&config.keys.ca_cert, authority.certificate_pem(), 0o644)?;
        write_secret(&config.keys.ca_key, &key_pem)
    }
}

fn not_an_address(url: &str) -> CommandError {
    CommandError::Operator(format!(
        "public_url \"{}\" must be https://HOST:PORT; give --public-url or set server.public_url",
        url.escape_default()
    ))
}

fn own_name() -> Result<String, CommandError> {
    let path = Path::new("/proc/sys/kernel/hostname");
    Ok(read_text(path)?.trim().to_ascii_lowercase())
}

/// Every host belongs to a project, so there is one to begin with.
async fn first_project(
    tx: &mut Writing,
    organisation: &Organisation,
    outside: &Outside,
) -> Result<(), CommandError> {
    let now = outside.clock.now();
    let id = Kind::Project
        .new_id(now, &outside.random)
        .map_err(no_randomness)?;
    sqlx::query(
        "INSERT INTO projects (id, name, description, trust_host_tags, created_at, created_by,
           updated_at, version)
         VALUES ($1, $2, '', 0, $3, 'system', $3, 1)",
    )
    .bind(&id)
    .bind(FIRST_PROJECT)
    .bind(now.as_millisecond())
    .execute(&mut **tx)
    .await?;
    let draft = Draft::new("project.created").target("project", &id, FIRST_PROJECT);
    let origin = Origin::of_system(now);
    audit::append(tx, &organisation.id, draft, &origin, &outside.random)
        .await
        .map_err(|refused| CommandError::Operator(refused.detail().to_owned()))?;
    Ok(())
}

/// How the bootstrap secret is kept: it has 256 random bits, so a plain hash is enough.
#[must_use]
pub(crate) fn bootstrap_hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(secret.trim()))
}

/// The host of `https://HOST:PORT`, an IPv6 address without its brackets.
fn host_of(url: &str) -> Option<String> {
    let authority = url.strip_prefix("https://")?;
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None => authority.split(':').next()?,
    };
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    (!host.is_empty() && host.bytes().all(plain) && !authority.contains('/'))
        .then(|| host.to_owned())
}

fn refuse_existing(path: &Path) -> Result<(), CommandError> {
    if path.exists() {
        let text = format!("{} exists already; init never overwrites", path.display());
        return Err(CommandError::Operator(text));
    }
    Ok(())
}

fn write_secret(path: &Path, text: &str) -> Result<(), CommandError> {
    write_new(path, text, 0o600)
}

fn write_new(path: &Path, content: impl AsRef<[u8]>, mode: u32) -> Result<(), CommandError> {
    let failed = |error| CommandError::File(path.to_owned(), error);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .map_err(failed)?;
    file.write_all(content.as_ref()).map_err(failed)?;
    file.sync_all().map_err(failed)
}

fn no_randomness(error: crate::clock::NoRandomness) -> CommandError {
    CommandError::Operator(error.to_string())
}
