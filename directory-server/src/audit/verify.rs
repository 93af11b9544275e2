//! Checks the whole chain and names the first position that is wrong.

use directory_api::rest::EventsVerified;
use serde_json::Value;
use sqlx::SqlitePool;

use super::hash_of;
use crate::http::Refused;

const PAGE: i64 = 1000;

#[derive(sqlx::FromRow)]
struct Row {
    seq: i64,
    id: String,
    kind: String,
    outcome: String,
    actor_id: String,
    target_id: String,
    host_id: String,
    body: String,
    prev_hash: String,
    hash: String,
}

/// Checks every event, their order, and that none is missing at the end.
///
/// # Errors
/// The database fails.
pub async fn verify(pool: &SqlitePool) -> Result<EventsVerified, Refused> {
    // The head first: events that come while we read are then no mistake.
    let (head_seq, head): (i64, String) =
        sqlx::query_as("SELECT seq, hash FROM events_head WHERE one = 1")
            .fetch_one(pool)
            .await?;
    let mut last = (0, String::new());
    while last.0 < head_seq {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT seq, id, kind, outcome, actor_id, target_id, host_id, body, prev_hash, hash
             FROM events WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3",
        )
        .bind(last.0)
        .bind(head_seq)
        .bind(PAGE)
        .fetch_all(pool)
        .await?;
        if rows.is_empty() {
            return Ok(broken(last.0, head, "events are missing at the end"));
        }
        for row in rows {
            if let Some(problem) = problem_of(&row, &last) {
                return Ok(broken(last.0, head, problem));
            }
            last = (row.seq, row.hash);
        }
    }
    if last.1 != head {
        return Ok(broken(
            last.0.saturating_sub(1),
            head,
            "the newest event is not the one noted",
        ));
    }
    Ok(EventsVerified {
        intact: true,
        checked: last.0.unsigned_abs(),
        first_bad_position: None,
        problem: None,
        head,
    })
}

fn problem_of(row: &Row, last: &(i64, String)) -> Option<&'static str> {
    if row.seq != last.0 + 1 {
        return Some("the event is missing");
    }
    if row.prev_hash != last.1 {
        return Some("the event does not follow the one before");
    }
    if row.hash != hash_of(&row.prev_hash, &row.body) {
        return Some("the event was changed");
    }
    (!columns_fit(row)).then_some("the event is filed under something else than it says")
}

/// The columns for searching must say what the body says.
fn columns_fit(row: &Row) -> bool {
    let Ok(body) = serde_json::from_str::<Value>(&row.body) else {
        return false;
    };
    let text = |path: &str| {
        body.pointer(path)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    body.pointer("/seq").and_then(Value::as_i64) == Some(row.seq)
        && text("/id") == row.id
        && text("/type") == row.kind
        && text("/outcome") == row.outcome
        && text("/actor/id") == row.actor_id
        && text("/target/id") == row.target_id
        && text("/host/id") == row.host_id
}

fn broken(last_good: i64, head: String, problem: &str) -> EventsVerified {
    EventsVerified {
        intact: false,
        checked: last_good.unsigned_abs(),
        first_bad_position: Some(last_good.saturating_add(1).unsigned_abs()),
        problem: Some(problem.to_owned()),
        head,
    }
}
