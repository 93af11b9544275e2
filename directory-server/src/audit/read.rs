//! Looking into the chain.

use directory_api::rest::Event;
use sqlx::{QueryBuilder, Sqlite, SqlitePool};

use crate::http::Refused;

#[derive(sqlx::FromRow)]
struct Row {
    body: String,
    prev_hash: String,
    hash: String,
}

/// What to look for; everything that is given must fit.
#[derive(Debug, Clone, Default)]
pub struct Search {
    /// Newer than this number.
    pub after: Option<i64>,
    /// Older than this number.
    pub before: Option<i64>,
    /// Not before this moment (ms).
    pub from: Option<i64>,
    /// Before this moment (ms).
    pub to: Option<i64>,
    /// Catalogue name, or `user.*`.
    pub kind: Option<String>,
    /// Id or name of who did it.
    pub actor: Option<String>,
    /// Id or name of whom it concerned.
    pub target: Option<String>,
    /// Id or name of the host.
    pub host: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// A piece of text anywhere in it.
    pub text: Option<String>,
    /// Oldest first.
    pub ascending: bool,
}

/// The events that fit, at most `limit`.
///
/// # Errors
/// The database fails.
pub async fn search(pool: &SqlitePool, wanted: &Search, limit: u32) -> Result<Vec<Event>, Refused> {
    let mut query = QueryBuilder::<Sqlite>::new("SELECT body, prev_hash, hash FROM events");
    conditions(&mut query, wanted);
    query.push(if wanted.ascending {
        " ORDER BY seq"
    } else {
        " ORDER BY seq DESC"
    });
    query.push(" LIMIT ").push_bind(i64::from(limit));
    let rows: Vec<Row> = query.build_query_as().fetch_all(pool).await?;
    rows.into_iter().map(event).collect()
}

fn conditions(query: &mut QueryBuilder<Sqlite>, wanted: &Search) {
    query.push(" WHERE 1 = 1");
    let numbers = [
        (" AND seq > ", wanted.after),
        (" AND seq < ", wanted.before),
        (" AND time >= ", wanted.from),
        (" AND time < ", wanted.to),
    ];
    for (condition, value) in numbers {
        if let Some(value) = value {
            query.push(condition).push_bind(value);
        }
    }
    if let Some(kind) = &wanted.kind {
        match kind.strip_suffix('*') {
            Some(prefix) => query
                .push(" AND substr(kind, 1, ")
                .push_bind(i64::try_from(prefix.len()).unwrap_or(i64::MAX))
                .push(") = ")
                .push_bind(prefix.to_owned()),
            None => query.push(" AND kind = ").push_bind(kind.clone()),
        };
    }
    if let Some(outcome) = &wanted.outcome {
        query.push(" AND outcome = ").push_bind(outcome.clone());
    }
    let objects = [
        (" AND (actor_id = ", "$.actor.name", &wanted.actor),
        (" AND (target_id = ", "$.target.name", &wanted.target),
        (" AND (host_id = ", "$.host.name", &wanted.host),
    ];
    for (condition, path, value) in objects {
        if let Some(value) = value {
            query.push(condition).push_bind(value.clone());
            query.push(" OR json_extract(body, ").push_bind(path);
            query.push(") = ").push_bind(value.clone()).push(")");
        }
    }
    if let Some(text) = &wanted.text {
        query
            .push(" AND instr(lower(body), lower(")
            .push_bind(text.clone())
            .push(")) > 0");
    }
}

/// One event.
///
/// # Errors
/// The database fails.
pub async fn by_id(pool: &SqlitePool, id: &str) -> Result<Option<Event>, Refused> {
    let row: Option<Row> = sqlx::query_as("SELECT body, prev_hash, hash FROM events WHERE id = $1")
        .bind(id)
        .fetch_optional(pool)
        .await?;
    row.map(event).transpose()
}

/// Number of the newest event; 0 when there is none.
///
/// # Errors
/// The database fails.
pub async fn newest_seq(pool: &SqlitePool) -> Result<i64, Refused> {
    Ok(
        sqlx::query_scalar("SELECT seq FROM events_head WHERE one = 1")
            .fetch_one(pool)
            .await?,
    )
}

fn event(row: Row) -> Result<Event, Refused> {
    let mut value: serde_json::Value = serde_json::from_str(&row.body)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("prev_hash".to_owned(), row.prev_hash.into());
        fields.insert("hash".to_owned(), row.hash.into());
    }
    Ok(serde_json::from_value(value)?)
}
