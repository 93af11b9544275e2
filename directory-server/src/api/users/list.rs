//! Looking at users.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use directory_api::rest::{AccessibleHost, Page, PageQuery, User};
use jiff::Timestamp;
use policy::{Question, UserState};
use serde::Deserialize;
use sqlx::{QueryBuilder, Sqlite};

use super::UserRow;
use crate::api::{reason_code, total};
use crate::http::{Call, Column, Field, FilterText, Filters, Paging, Refused, answer_object};
use crate::reach::World;
use crate::state::AppState;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    limit: Option<u32>,
    cursor: Option<String>,
    count: Option<bool>,
    state: Option<UserState>,
    q: Option<String>,
    group: Option<String>,
    filter: Option<FilterText>,
}

/// What `filter` can look at.
const FIELDS: &[Field] = &[
    Field {
        name: "username",
        column: Column::Text("username"),
    },
    Field {
        name: "state",
        column: Column::Text("state"),
    },
    Field {
        name: "display_name",
        column: Column::Text("display_name"),
    },
    Field {
        name: "email",
        column: Column::Text("email"),
    },
    Field {
        name: "uid",
        column: Column::Number("uid"),
    },
    Field {
        name: "group",
        column: Column::Any {
            begin: "id IN (SELECT user_id FROM group_users JOIN groups ON groups.id = group_id WHERE",
            text: "groups.name",
        },
    },
];

pub(super) async fn list(
    State(state): State<AppState>,
    Filters(wanted): Filters<Wanted>,
) -> Result<Json<Page<User>>, Refused> {
    let paging = Paging::of(&PageQuery {
        limit: wanted.limit,
        cursor: wanted.cursor.clone(),
        count: wanted.count,
    })?;
    let mut snapshot = state.store.snapshot().await?;
    let mut query = QueryBuilder::new("SELECT * FROM users");
    conditions(&mut query, &wanted)?;
    query.push(" AND id > ").push_bind(paging.after.clone());
    query.push(" ORDER BY id LIMIT ").push_bind(paging.fetch());
    let rows: Vec<UserRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    let rows = paging.page(rows, |row| row.id.clone());
    let mut items = Vec::with_capacity(rows.items.len());
    for row in &rows.items {
        items.push(row.shown(&mut snapshot).await?);
    }
    let mut count = QueryBuilder::new("SELECT COUNT(*) FROM users");
    conditions(&mut count, &wanted)?;
    Ok(Json(Page {
        items,
        next_cursor: rows.next_cursor,
        total: total(&paging, &mut count, &mut snapshot).await?,
    }))
}

fn conditions(query: &mut QueryBuilder<Sqlite>, wanted: &Wanted) -> Result<(), Refused> {
    query.push(" WHERE ");
    match wanted.state {
        Some(UserState::Staged) => query.push("state = 'staged'"),
        Some(UserState::Active) => query.push("state = 'active'"),
        Some(UserState::Suspended) => query.push("state = 'suspended'"),
        Some(UserState::Deleted) => query.push("state = 'deleted'"),
        // Who filters by state says which; everybody else does not want to see the deleted.
        None if wanted.filter.is_some() => query.push("1 = 1"),
        None => query.push("state <> 'deleted'"),
    };
    if let Some(text) = &wanted.q {
        query.push(" AND instr(lower(username || ' ' || display_name || ' ' || email), lower(");
        query.push_bind(text.clone()).push(")) > 0");
    }
    if let Some(group) = &wanted.group {
        query.push(" AND id IN (SELECT user_id FROM group_users JOIN groups ON groups.id = group_id WHERE ");
        query.push("groups.id = ").push_bind(group.clone());
        query
            .push(" OR groups.name = ")
            .push_bind(group.clone())
            .push(")");
    }
    match &wanted.filter {
        Some(filter) => filter.push(query, FIELDS),
        None => Ok(()),
    }
}

pub(super) async fn show(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let row = UserRow::find(&mut snapshot, &id).await?;
    let user = row.shown(&mut snapshot).await?;
    Ok(answer_object(&headers, &user, row.version))
}

pub(super) async fn access(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Json<Page<AccessibleHost>>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let user = UserRow::find(&mut snapshot, &id).await?;
    let world = World::load(&mut snapshot).await?;
    Ok(Json(hosts_of(&world, &user.id, call.now())))
}

/// The hosts that some rule gives to a user, with what would be said there now.
pub(crate) fn hosts_of(world: &World, user: &str, now: Timestamp) -> Page<AccessibleHost> {
    let person = world.people.iter().find(|person| person.id == user);
    let hosts = world.hosts.iter().filter_map(|host| {
        let person = person.filter(|person| world.could_reach(person, host))?;
        let decision = world.decide(&Question {
            person,
            host,
            service: "sshd",
            source: None,
            now,
        });
        Some(AccessibleHost {
            id: host.id.clone(),
            hostname: host.name.clone(),
            project: host.project.clone(),
            allowed: decision.allowed,
            reason_code: reason_code(decision.reason),
            sentence: decision.sentence,
            rule_ids: decision.rule_ids,
        })
    });
    Page {
        items: hosts.collect(),
        next_cursor: None,
        total: None,
    }
}
