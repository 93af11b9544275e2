//! The one organisation of a directory. Its id is in every bundle, token and certificate.

use super::{Store, Writing};

/// Whose directory this is.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Organisation {
    /// `org_…`
    pub id: String,
    /// For people.
    pub name: String,
    /// `https://…`, as hosts and people reach the directory.
    pub public_url: String,
}

impl Organisation {
    /// The organisation of this database, if it has one.
    ///
    /// # Errors
    /// The database cannot be read.
    pub async fn load(store: &Store) -> Result<Option<Self>, sqlx::Error> {
        sqlx::query_as("SELECT id, name, public_url FROM organisation")
            .fetch_optional(store.read())
            .await
    }

    /// Writes it into a new database, with the hash of the first administrator's one-time secret.
    ///
    /// # Errors
    /// The database cannot be written.
    pub async fn insert(
        &self,
        tx: &mut Writing,
        bootstrap_hash: &str,
        now_ms: i64,
    ) -> Result<(), sqlx::Error> {
        sqlx::query(
            "INSERT INTO organisation (id, name, public_url, bootstrap_hash, created_at)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&self.id)
        .bind(&self.name)
        .bind(&self.public_url)
        .bind(bootstrap_hash)
        .bind(now_ms)
        .execute(&mut **tx)
        .await
        .map(drop)
    }
}
