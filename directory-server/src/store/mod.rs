//! The database: one file, one writer, many readers. An answer is given only after the write is on
//! disk (`synchronous = FULL`). A database that is missing, empty, cut off or of a newer schema is
//! refused with the reason: an empty directory must never be mistaken for an empty organisation.

mod copy;
mod open;
mod organisation;

use sqlx::{Sqlite, SqlitePool, Transaction};

pub use copy::copy;
pub use open::{OpenError, create, open};
pub use organisation::Organisation;

/// A transaction that may write.
pub type Writing = Transaction<'static, Sqlite>;

/// The two pools of the database file.
#[derive(Debug, Clone)]
pub struct Store {
    writer: SqlitePool,
    reader: SqlitePool,
}

impl Store {
    /// Begins a write; the others wait for their turn.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn write(&self) -> Result<Writing, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// For reading outside of transactions.
    #[must_use]
    pub fn read(&self) -> &SqlitePool {
        &self.reader
    }

    /// A snapshot for several reads that must fit together; dropped, it ends.
    ///
    /// # Errors
    /// The database cannot be reached.
    pub async fn snapshot(&self) -> Result<Writing, sqlx::Error> {
        self.reader.begin().await
    }

    /// Closes all connections and folds the write-ahead log into the file.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }
}
