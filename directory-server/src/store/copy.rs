//! A consistent copy of a database that may be in use.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use super::OpenError;
use super::open::{check, connect, refuse_empty};

/// Copies a database to a file that does not exist yet, readable by its owner only.
///
/// # Errors
/// The source is missing, empty or damaged, or the target exists.
pub async fn copy(source: &Path, target: &Path) -> Result<(), OpenError> {
    if !source.exists() {
        return Err(OpenError::Missing(source.to_owned()));
    }
    make_private(target)?;
    let store = connect(source, false).await?;
    check(source, &store).await?;
    refuse_empty(source, &store).await?;
    let written = sqlx::query("VACUUM INTO $1")
        .bind(target.to_string_lossy().into_owned())
        .execute(&store.writer)
        .await;
    store.close().await;
    written.map_err(|error| OpenError::Sqlx(target.to_owned(), error))?;
    let synced = std::fs::File::open(target).and_then(|file| file.sync_all());
    synced.map_err(|error| OpenError::Sqlx(target.to_owned(), error.into()))
}

/// An empty file that only its owner may read; SQLite keeps the mode for the files beside it.
pub(super) fn make_private(path: &Path) -> Result<(), OpenError> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map(drop)
        .map_err(|error| {
            if error.kind() == ErrorKind::AlreadyExists {
                OpenError::Exists(path.to_owned())
            } else {
                OpenError::Sqlx(path.to_owned(), error.into())
            }
        })
}
