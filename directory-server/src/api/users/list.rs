//! Looking at users.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use directory_api::rest::{AccessibleHost, Page};
use policy::UserState;
use serde::Deserialize;
use sqlx::{QueryBuilder, Sqlite};

use super::UserRow;
use crate::api::reachable;
use crate::http::{Asked, Call, Column, Listing, Refused, answer_object, field};
use crate::reach::{Login, World};
use crate::state::AppState;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    state: Option<UserState>,
    q: Option<String>,
    group: Option<String>,
}

const USERS: Listing = Listing {
    columns: "*",
    tables: "users",
    id: "users.id",
    fields: &[
        field("username", Column::Text("username")),
        field("state", Column::Text("state")),
        field("display_name", Column::Text("display_name")),
        field("email", Column::Text("email")),
        field("description", Column::Text("description")),
        field("uid", Column::Number("uid")),
        field("expires_at", Column::Moment("expires_at")),
        field("last_login_at", Column::Moment("last_login_at")),
        field("created_at", Column::Moment("created_at")),
        field("updated_at", Column::Moment("updated_at")),
        field(
            "group",
            Column::Any {
                begin: "users.id IN (SELECT user_id FROM group_users
                    JOIN groups ON groups.id = group_id WHERE",
                text: "groups.name",
            },
        ),
        field(
            "role",
            Column::Any {
                begin: "users.id IN (SELECT user_id FROM role_assignments WHERE",
                text: "role",
            },
        ),
    ],
    sorted: "",
};

pub(super) async fn list(
    State(state): State<AppState>,
    asked: Asked<Wanted>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let narrow = |query: &mut QueryBuilder<Sqlite>| narrow(query, &asked);
    let page: Page<UserRow> = USERS.page(&asked, narrow, &mut snapshot).await?;
    let mut items = Vec::with_capacity(page.items.len());
    for row in &page.items {
        items.push(row.shown(&mut snapshot).await?);
    }
    Ok(asked.answer(page.with(items)))
}

fn narrow(query: &mut QueryBuilder<Sqlite>, asked: &Asked<Wanted>) {
    let wanted = &asked.wanted;
    match wanted.state {
        Some(UserState::Staged) => query.push(" AND state = 'staged'"),
        Some(UserState::Active) => query.push(" AND state = 'active'"),
        Some(UserState::Suspended) => query.push(" AND state = 'suspended'"),
        Some(UserState::Deleted) => query.push(" AND state = 'deleted'"),
        // Who filters by state says which; everybody else does not want to see the deleted.
        None if asked.has_filter() => query,
        None => query.push(" AND state <> 'deleted'"),
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
    let login = Login::by_ssh(call.now());
    Ok(Json(reachable::hosts_of(&world, &user.id, &login)))
}
