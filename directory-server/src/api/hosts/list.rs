//! Looking at hosts.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use directory_api::agent::HostFacts;
use directory_api::rest::{HostUser, Page};
use policy::{HostState, Selector};
use serde::Deserialize;
use sqlx::{QueryBuilder, Sqlite};

use super::row::{HOSTS, HostRow};
use crate::api::reachable;
use crate::http::{Asked, Call, Refused, answer_object};
use crate::reach::{Login, World};
use crate::state::AppState;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    state: Option<HostState>,
    project: Option<String>,
    q: Option<String>,
    selector: Option<Selector>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    call: Call,
    asked: Asked<Wanted>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let selected = match &asked.wanted.selector {
        Some(selector) => Some(selected(selector, &World::load(&mut snapshot).await?)?),
        None => None,
    };
    let narrow = |query: &mut QueryBuilder<Sqlite>| narrow(query, &asked, selected.as_deref());
    let page: Page<HostRow> = HOSTS.page(&asked, narrow, &mut snapshot).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for row in &page.items {
        items.push(row.shown(&mut snapshot, call.now()).await?);
    }
    Ok(asked.answer(page.with(items)))
}

/// The hosts that the engine selects, as JSON.
fn selected(selector: &Selector, world: &World) -> Result<String, Refused> {
    let hosts = world.hosts.iter().filter(|host| selector.matches(host));
    let ids: Vec<&str> = hosts.map(|host| host.id.as_str()).collect();
    Ok(serde_json::to_string(&ids)?)
}

fn narrow(query: &mut QueryBuilder<Sqlite>, asked: &Asked<Wanted>, selected: Option<&str>) {
    let wanted = &asked.wanted;
    match wanted.state {
        Some(HostState::Pending) => query.push(" AND state = 'pending'"),
        Some(HostState::Active) => query.push(" AND state = 'active'"),
        Some(HostState::Quarantined) => query.push(" AND state = 'quarantined'"),
        Some(HostState::Retired) => query.push(" AND state = 'retired'"),
        // Who filters by state says which; everybody else does not want to see the retired.
        None if asked.has_filter() => query,
        None => query.push(" AND state <> 'retired'"),
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
    if let Some(ids) = selected {
        query.push(" AND hosts.id IN (SELECT value FROM json_each(");
        query.push_bind(ids.to_owned()).push("))");
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
    let login = Login::by_ssh(call.now());
    reachable::users_of(&mut snapshot, &world, &row.id, &login)
        .await
        .map(Json)
}
