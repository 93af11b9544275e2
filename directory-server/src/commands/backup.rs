//! `backup` and `restore`: one consistent copy of the database while the server runs, and back,
//! never over something that is there.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{CommandError, say};
use crate::config::Config;
use crate::store;

#[derive(Args)]
pub(super) struct Backup {
    /// Where the copy goes; it must not exist yet.
    #[arg(value_name = "FILE")]
    target: PathBuf,
}

#[derive(Args)]
pub(super) struct Restore {
    /// A copy made by `backup`.
    #[arg(value_name = "FILE")]
    source: PathBuf,
}

impl Backup {
    pub(super) async fn run(self, config: &Config) -> Result<(), CommandError> {
        store::copy(&config.database, &self.target).await?;
        say(&format!(
            "{} is a copy of the database. Keep it like the database itself, together with the \
             files named in [keys] of the settings.",
            self.target.display()
        ));
        Ok(())
    }
}

impl Restore {
    /// Copies beside the place, checks, and only then gives it its name.
    pub(super) async fn run(self, config: &Config) -> Result<(), CommandError> {
        let target = &config.database;
        for path in [
            target.clone(),
            beside(target, "-wal"),
            beside(target, "-shm"),
        ] {
            if path.exists() {
                return Err(CommandError::Operator(format!(
                    "{} exists; a restore never overwrites. Move it away first",
                    path.display()
                )));
            }
        }
        let arriving = beside(target, ".restoring");
        let failed = |error| CommandError::File(arriving.clone(), error);
        // The log of a restore that was cut off would be replayed into this one.
        for left in [
            arriving.clone(),
            beside(&arriving, "-wal"),
            beside(&arriving, "-shm"),
        ] {
            if left.exists() {
                std::fs::remove_file(&left).map_err(failed)?;
            }
        }
        store::copy(&self.source, &arriving).await?;
        let (store, organisation) = store::open(&arriving).await?;
        store.close().await;
        std::fs::rename(&arriving, target).map_err(failed)?;
        sync_folder_of(target).map_err(failed)?;
        say(&format!(
            "The database of {} is back at {}. Hosts keep what they have: what was decided after \
             this copy was made is not in it, so look at suspensions first.",
            organisation.name,
            target.display()
        ));
        Ok(())
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    std::fs::File::open(folder)?.sync_all()
}
