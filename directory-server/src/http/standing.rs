//! Whether a caller still may what they might when their call began. A body can be slow and a stream
//! long: in between somebody may have suspended them, ended the token, or taken a role.

use directory_api::rest::Role;
use jiff::Timestamp;
use sqlx::SqliteConnection;

use super::{Caller, Refused};

impl Caller {
    /// Asks the database once more.
    ///
    /// # Errors
    /// The database fails.
    pub async fn still_stands(
        &self,
        database: &mut SqliteConnection,
        now: Timestamp,
    ) -> Result<bool, Refused> {
        let held: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM users JOIN (
               SELECT id, user_id, expires_at FROM sessions
               UNION ALL SELECT id, user_id, expires_at FROM api_tokens
             ) AS credentials ON credentials.user_id = users.id
             WHERE credentials.id = $1 AND users.id = $2 AND credentials.expires_at > $3
               AND state = 'active' AND (users.expires_at IS NULL OR users.expires_at > $3)",
        )
        .bind(&self.credential_id)
        .bind(&self.user_id)
        .bind(now.as_millisecond())
        .fetch_one(&mut *database)
        .await?;
        let roles: Vec<String> =
            sqlx::query_scalar("SELECT role FROM role_assignments WHERE user_id = $1")
                .bind(&self.user_id)
                .fetch_all(database)
                .await?;
        let roles: Vec<Role> = roles
            .into_iter()
            .map(|role| serde_json::from_value(role.into()))
            .collect::<Result<_, _>>()?;
        Ok(held > 0 && self.roles.iter().all(|role| roles.contains(role)))
    }
}
