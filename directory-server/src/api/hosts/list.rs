//! Looking at hosts.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use directory_api::agent::HostFacts;
use directory_api::rest::{Host, HostUser, Page, PageQuery};
use policy::{HostState, Question, Selector, UserState};
use serde::Deserialize;
use sqlx::{QueryBuilder, Sqlite};

use super::row::{HostRow, SELECT};
use crate::api::reason_code;
use crate::http::{Call, Column, Field, FilterText, Filters, Paging, Refused, answer_object};
use crate::reach::World;
use crate::state::AppState;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    limit: Option<u32>,
    cursor: Option<String>,
    count: Option<bool>,
    state: Option<HostState>,
    project: Option<String>,
    q: Option<String>,
    selector: Option<Selector>,
    filter: Option<FilterText>,
}

/// What `filter` can look at.
const FIELDS: &[Field] = &[
    Field {
        name: "hostname",
        column: Column::Text("hostname"),
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
        name: "project",
        column: Column::Text("projects.name"),
    },
    Field {
        name: "tag",
        column: Column::Any {
            begin: "hosts.id IN (SELECT host_id FROM host_tags WHERE",
            text: "tag",
        },
    },
];

pub(super) async fn list(
    State(state): State<AppState>,
    call: Call,
    Filters(wanted): Filters<Wanted>,
) -> Result<Json<Page<Host>>, Refused> {
    let paging = Paging::of(&PageQuery {
        limit: wanted.limit,
        cursor: wanted.cursor.clone(),
        count: wanted.count,
    })?;
    let mut snapshot = state.store.snapshot().await?;
    let mut query = QueryBuilder::new(SELECT);
    conditions(&mut query, &wanted)?;
    query.push(" ORDER BY hosts.id");
    let mut rows: Vec<HostRow> = query.build_query_as().fetch_all(&mut *snapshot).await?;
    if let Some(selector) = &wanted.selector {
        let world = World::load(&mut snapshot).await?;
        rows.retain(|row| {
            let host = world.hosts.iter().find(|host| host.id == row.id);
            host.is_some_and(|host| selector.matches(host))
        });
    }
    let total = paging.count.then_some(rows.len() as u64);
    rows.retain(|row| row.id > paging.after);
    let rows = paging.page(rows, |row| row.id.clone());
    let mut items = Vec::with_capacity(rows.items.len());
    for row in &rows.items {
        items.push(row.shown(&mut snapshot, call.now()).await?);
    }
    Ok(Json(Page {
        items,
        next_cursor: rows.next_cursor,
        total,
    }))
}

fn conditions(query: &mut QueryBuilder<Sqlite>, wanted: &Wanted) -> Result<(), Refused> {
    query.push(" WHERE ");
    match wanted.state {
        Some(HostState::Pending) => query.push("state = 'pending'"),
        Some(HostState::Active) => query.push("state = 'active'"),
        Some(HostState::Quarantined) => query.push("state = 'quarantined'"),
        Some(HostState::Retired) => query.push("state = 'retired'"),
        // Who filters by state says which; everybody else does not want to see the retired.
        None if wanted.filter.is_some() => query.push("1 = 1"),
        None => query.push("state <> 'retired'"),
    };
    if let Some(project) = &wanted.project {
        query
            .push(" AND (projects.name = ")
            .push_bind(project.clone());
        query
            .push(" OR projects.id = ")
            .push_bind(project.clone())
            .push(")");
    }
    if let Some(text) = &wanted.q {
        query.push(" AND instr(lower(hostname || ' ' || display_name), lower(");
        query.push_bind(text.clone()).push(")) > 0");
    }
    match &wanted.filter {
        Some(filter) => filter.push(query, FIELDS),
        None => Ok(()),
    }
}

pub(super) async fn show(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let row = HostRow::find(&mut snapshot, &id).await?;
    let host = row.shown(&mut snapshot, call.now()).await?;
    Ok(answer_object(&headers, &host, row.version))
}

pub(super) async fn facts(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<HostFacts>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    HostRow::find(&mut snapshot, &id).await?.facts().map(Json)
}

/// Everybody whom some rule lets in here, with what would be said to them now.
pub(super) async fn users(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Json<Page<HostUser>>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let row = HostRow::find(&mut snapshot, &id).await?;
    let world = World::load(&mut snapshot).await?;
    let uids: std::collections::HashMap<String, i64> =
        sqlx::query_as::<_, (String, i64)>("SELECT id, uid FROM users")
            .fetch_all(&mut *snapshot)
            .await?
            .into_iter()
            .collect();
    let host = world.hosts.iter().find(|host| host.id == row.id);
    let users = world.people.iter().filter_map(|person| {
        let host = host.filter(|host| world.could_reach(person, host))?;
        let state = match person.state {
            UserState::Active => "active",
            UserState::Suspended => "suspended",
            UserState::Staged | UserState::Deleted => return None,
        };
        let decision = world.decide(&Question {
            person,
            host,
            service: "sshd",
            source: None,
            now: call.now(),
        });
        Some(HostUser {
            id: person.id.clone(),
            username: person.username.clone(),
            uid: uids
                .get(&person.id)
                .and_then(|uid| u32::try_from(*uid).ok())?,
            state: state.to_owned(),
            allowed: decision.allowed,
            reason_code: reason_code(decision.reason),
            rule_ids: decision.rule_ids,
        })
    });
    Ok(Json(Page {
        items: users.collect(),
        next_cursor: None,
        total: None,
    }))
}
