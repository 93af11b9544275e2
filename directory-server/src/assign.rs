//! Names and ids that are given out once: uids and gids from one sequence, login names and group
//! names from one space. Rows are never removed for users, so nothing of theirs comes back.

use axum::http::StatusCode;
use posix_names::{FIRST_RANGE, SECOND_RANGE, folded};
use sqlx::SqliteConnection;

use crate::http::Refused;

/// Where a name must be unlike all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Space {
    /// Users and groups: a user's private group has the user's name.
    People,
    /// Projects.
    Project,
    /// Access rules.
    Rule,
    /// Policies.
    Policy,
}

impl Space {
    fn text(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::Project => "project",
            Self::Rule => "rule",
            Self::Policy => "policy",
        }
    }
}

/// Takes a name.
///
/// # Errors
/// Somebody has it, or one that reads the same.
pub async fn claim_name(
    database: &mut SqliteConnection,
    space: Space,
    name: &str,
    owner: &str,
) -> Result<(), Refused> {
    let taken = sqlx::query(
        "INSERT INTO names (space, folded, owner) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(space.text())
    .bind(folded(name))
    .bind(owner)
    .execute(database)
    .await?;
    if taken.rows_affected() == 1 {
        return Ok(());
    }
    let detail = format!("The name {name} is taken, or was taken once.");
    Err(Refused::new(StatusCode::CONFLICT, "name_taken", detail)
        .field("name", "name_taken")
        .hint("Choose another name; names of deleted users are never given out again."))
}

/// Gives a name back (not for users).
///
/// # Errors
/// The database fails.
pub async fn release_names(database: &mut SqliteConnection, owner: &str) -> Result<(), Refused> {
    sqlx::query("DELETE FROM names WHERE owner = $1")
        .bind(owner)
        .execute(database)
        .await?;
    Ok(())
}

/// The next uid or gid of the sequence.
///
/// # Errors
/// Both ranges are used up.
pub async fn next_id(database: &mut SqliteConnection, owner: &str) -> Result<i64, Refused> {
    for range in [FIRST_RANGE, SECOND_RANGE] {
        let (first, last) = (i64::from(*range.start()), i64::from(*range.end()));
        let newest: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(id) FROM unix_ids WHERE pinned = 0 AND id BETWEEN $1 AND $2",
        )
        .bind(first)
        .bind(last)
        .fetch_one(&mut *database)
        .await?;
        let mut next = newest.map_or(first, |newest| newest + 1);
        while next <= last {
            if take_id(database, next, owner, false).await? {
                return Ok(next);
            }
            next += 1;
        }
    }
    Err(Refused::conflict("All uids and gids are given out."))
}

/// A uid that an import brings along.
///
/// # Errors
/// It was given out before.
pub async fn pin_id(database: &mut SqliteConnection, id: i64, owner: &str) -> Result<(), Refused> {
    if take_id(database, id, owner, true).await? {
        return Ok(());
    }
    Err(Refused::conflict(format!(
        "The id {id} was given out before; ids are never reused."
    ))
    .field("uid", "conflict"))
}

async fn take_id(
    database: &mut SqliteConnection,
    id: i64,
    owner: &str,
    pinned: bool,
) -> Result<bool, Refused> {
    let taken = sqlx::query(
        "INSERT INTO unix_ids (id, owner, pinned) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(id)
    .bind(owner)
    .bind(i64::from(pinned))
    .execute(database)
    .await?;
    Ok(taken.rows_affected() == 1)
}

/// Checks the name of a project, rule or policy: `[a-z0-9][a-z0-9._-]{0,62}`.
///
/// # Errors
/// The name has another form.
pub fn check_name(name: &str) -> Result<(), Refused> {
    const LENGTH_MAX: usize = 63;
    let plain = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9');
    let sound = name.len() <= LENGTH_MAX
        && name.bytes().next().is_some_and(plain)
        && name
            .bytes()
            .all(|byte| plain(byte) || matches!(byte, b'.' | b'_' | b'-'));
    if sound {
        return Ok(());
    }
    Err(Refused::invalid(
        "name",
        "A name has 1 to 63 of a-z, 0-9, dot, underscore and hyphen, and begins with a letter or digit.",
    ))
}

/// Checks free text: one printable line of at most this many bytes.
///
/// # Errors
/// The text is longer or holds control characters.
pub fn check_text(field: &str, text: &str) -> Result<(), Refused> {
    const BYTES_MAX: usize = 1024;
    if posix_names::clean_line(text, BYTES_MAX) == text {
        return Ok(());
    }
    Err(Refused::invalid(
        field,
        format!(
            "{field} must be one printable line of at most {BYTES_MAX} bytes, without spaces around it."
        ),
    ))
}
