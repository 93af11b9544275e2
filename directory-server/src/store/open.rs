//! Making and opening the database file, and everything that speaks against using one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

use super::{Organisation, Store};

static MIGRATIONS: Migrator = sqlx::migrate!();

const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const READERS: u32 = 8;

/// Why a database is not used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no such file.
    #[error(
        "there is no database at {0}. If this is a new directory, run `cloudid-directory init`; \
         if it was lost, restore the newest backup with `cloudid-directory restore`. \
         Nothing is signed and hosts go on with what they have"
    )]
    Missing(PathBuf),
    /// There is a file already where a new database should be made.
    #[error("{0} exists already; it is not overwritten")]
    Exists(PathBuf),
    /// The file holds no organisation.
    #[error(
        "the database at {0} is empty: it holds no organisation. It is not used, because an empty \
         directory would take everybody's access away. Restore the newest backup"
    )]
    Empty(PathBuf),
    /// The file is damaged.
    #[error("the database at {0} is damaged ({1}). Restore the newest backup")]
    Damaged(PathBuf, String),
    /// The file was written by a newer version.
    #[error("the database at {0} belongs to a newer version of cloudid-directory ({1})")]
    Newer(PathBuf, String),
    /// Anything else.
    #[error("the database at {0} cannot be opened: {1}")]
    Sqlx(PathBuf, #[source] sqlx::Error),
}

/// Makes a new database with its tables and no organisation yet.
///
/// # Errors
/// The file exists or cannot be made.
pub async fn create(path: &Path) -> Result<Store, OpenError> {
    super::copy::make_private(path)?;
    let store = connect(path, true).await?;
    migrate(path, &store).await?;
    Ok(store)
}

/// Opens the database of a working directory server.
///
/// # Errors
/// The database is missing, empty, damaged or of a newer version: the text says what to do.
pub async fn open(path: &Path) -> Result<(Store, Organisation), OpenError> {
    match std::fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(OpenError::Missing(path.to_owned()));
        }
        Err(error) => return Err(OpenError::Sqlx(path.to_owned(), error.into())),
        Ok(found) if found.len() == 0 => return Err(OpenError::Empty(path.to_owned())),
        Ok(_) => {}
    }
    let store = connect(path, false).await?;
    check(path, &store).await?;
    refuse_empty(path, &store).await?;
    migrate(path, &store).await?;
    let organisation = Organisation::load(&store)
        .await
        .map_err(|error| damaged_or_other(path, error))?
        .ok_or_else(|| OpenError::Empty(path.to_owned()))?;
    Ok((store, organisation))
}

pub(super) async fn connect(path: &Path, create: bool) -> Result<Store, OpenError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(create)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT);
    let failed = |error| damaged_or_other(path, error);
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .connect_with(options.clone())
        .await
        .map_err(failed)?;
    let reader = SqlitePoolOptions::new()
        .max_connections(READERS)
        .connect_with(options.pragma("query_only", "ON"))
        .await
        .map_err(failed)?;
    Ok(Store { writer, reader })
}

/// Reads the whole file once; a page that was cut off or overwritten shows here.
pub(super) async fn check(path: &Path, store: &Store) -> Result<(), OpenError> {
    let verdict: String = sqlx::query_scalar("PRAGMA integrity_check(1)")
        .fetch_one(store.read())
        .await
        .map_err(|error| damaged_or_other(path, error))?;
    if verdict == "ok" {
        Ok(())
    } else {
        Err(OpenError::Damaged(path.to_owned(), verdict))
    }
}

/// A file without our tables is not filled in silently: that is the work of `init`.
pub(super) async fn refuse_empty(path: &Path, store: &Store) -> Result<(), OpenError> {
    let tables: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'organisation'",
    )
    .fetch_one(store.read())
    .await
    .map_err(|error| damaged_or_other(path, error))?;
    if tables == 0 {
        Err(OpenError::Empty(path.to_owned()))
    } else {
        Ok(())
    }
}

async fn migrate(path: &Path, store: &Store) -> Result<(), OpenError> {
    let outcome = MIGRATIONS.run(&store.writer).await;
    outcome.map_err(|error| {
        if let MigrateError::VersionMissing(version) = error {
            OpenError::Newer(path.to_owned(), format!("schema {version}"))
        } else {
            OpenError::Damaged(path.to_owned(), error.to_string())
        }
    })
}

fn damaged_or_other(path: &Path, error: sqlx::Error) -> OpenError {
    const CORRUPT: &str = "11";
    const NOT_A_DATABASE: &str = "26";
    let code = error
        .as_database_error()
        .and_then(|error| error.code().map(String::from));
    match code.as_deref() {
        Some(CORRUPT | NOT_A_DATABASE) => OpenError::Damaged(path.to_owned(), error.to_string()),
        Some(_) | None => OpenError::Sqlx(path.to_owned(), error),
    }
}
