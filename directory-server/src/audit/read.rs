//! Looking into the chain.

use directory_api::rest::{Event, Page};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection, SqlitePool};

use crate::http::{Asked, Column, Listing, Refused, field};

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
    /// Address it came from.
    pub address: Option<String>,
    /// A piece of text anywhere in it.
    pub text: Option<String>,
}

const EVENTS: Listing = Listing {
    columns: "body, prev_hash, hash",
    tables: "events",
    id: "events.id",
    fields: &[
        field("seq", Column::Number("seq")),
        field("time", Column::Moment("time")),
        field("type", Column::Text("kind")),
        field("outcome", Column::Text("outcome")),
        field(
            "severity",
            Column::Text("COALESCE(json_extract(body, '$.severity'), '')"),
        ),
        field(
            "reason_code",
            Column::Text("COALESCE(json_extract(body, '$.reason_code'), '')"),
        ),
        field(
            "actor",
            Column::Text("COALESCE(json_extract(body, '$.actor.name'), '')"),
        ),
        field(
            "user",
            Column::Text("COALESCE(json_extract(body, '$.target.name'), '')"),
        ),
        field(
            "host",
            Column::Text("COALESCE(json_extract(body, '$.host.name'), '')"),
        ),
        field("ip", Column::Text(ADDRESS)),
    ],
    sorted: "-seq",
};
const ADDRESS: &str = "COALESCE(json_extract(body, '$.source.ip'), '')";

/// One page of the events that fit.
///
/// # Errors
/// The question cannot be read, or the database fails.
pub async fn page<T>(
    database: &mut SqliteConnection,
    asked: &Asked<T>,
    wanted: &Search,
) -> Result<Page<Event>, Refused> {
    let narrow = |query: &mut QueryBuilder<Sqlite>| conditions(query, wanted);
    let rows: Page<Row> = EVENTS.page(asked, narrow, database).await?;
    rows.map(event)
}

/// The oldest events that fit, at most `limit`.
///
/// # Errors
/// The database fails.
pub async fn search(pool: &SqlitePool, wanted: &Search, limit: u32) -> Result<Vec<Event>, Refused> {
    let mut query = EVENTS.select();
    query.push(" WHERE 1 = 1");
    conditions(&mut query, wanted);
    query
        .push(" ORDER BY seq LIMIT ")
        .push_bind(i64::from(limit));
    let rows: Vec<Row> = query.build_query_as().fetch_all(pool).await?;
    rows.into_iter().map(event).collect()
}

fn conditions(query: &mut QueryBuilder<Sqlite>, wanted: &Search) {
    let numbers = [
        (" AND seq > ", wanted.after),
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
    if let Some(address) = &wanted.address {
        query.push(" AND ").push(ADDRESS).push(" = ");
        query.push_bind(address.clone());
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
