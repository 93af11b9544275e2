//! `renew-signing-key`: the root key certifies a new signing key. Hosts follow by themselves as
//! soon as the server is started again; the old key signs nothing that they take.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use signed_bundle::RootKey;

use super::{CommandError, Outside, passphrase, read_text, say};
use crate::config::Config;
use crate::keys::{self, KeyError};
use crate::store;

#[derive(Args)]
pub(super) struct Renew {
    /// The root key, as `init` wrote it.
    #[arg(long, value_name = "FILE")]
    root_key_file: PathBuf,
    /// File whose first line is the root key's passphrase; asked for on the terminal when absent.
    #[arg(long, value_name = "FILE")]
    root_passphrase_file: Option<PathBuf>,
}

impl Renew {
    pub(super) async fn run(self, outside: &Outside, config: Config) -> Result<(), CommandError> {
        let (store, organisation) = store::open(&config.database).await?;
        store.close().await;
        let passphrase = passphrase::of_existing(self.root_passphrase_file.as_deref())?;
        let root_key = RootKey::from_protected_pem(&read_text(&self.root_key_file)?, &passphrase)
            .map_err(|_| KeyError::Damaged)?;
        let chain = read_bytes(&config.keys.root_chain)?;
        let of = keys::For {
            organisation: &organisation.id,
            signing_ttl: config.keys.signing_ttl,
            now: outside.clock.now(),
        };
        let (chain, signing_key) = keys::renew(of, &chain, &root_key, &outside.random)?;
        // The chain first: with the new chain and the old key the server says what is wrong and
        // signs nothing, and this command can be run again.
        replace(&config.keys.root_chain, &chain, 0o644)?;
        replace(&config.keys.signing_key, signing_key.as_bytes(), 0o600)?;
        say("The signing key is renewed. Restart `cloudid-directory serve` to use it.");
        Ok(())
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, CommandError> {
    std::fs::read(path).map_err(|error| CommandError::File(path.to_owned(), error))
}

/// Temporary file, fsync, rename, fsync of the folder: old or new, never half of it.
fn replace(path: &Path, content: &[u8], mode: u32) -> Result<(), CommandError> {
    let failed = |error| CommandError::File(path.to_owned(), error);
    let temporary = path.with_extension("new");
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(mode)
        .open(&temporary)
        .and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(failed)?;
    match path.parent() {
        Some(folder) => File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed),
        None => Ok(()),
    }
}
