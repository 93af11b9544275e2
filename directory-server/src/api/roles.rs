//! `/roles` and `/role-assignments`.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get};
use axum::{Json, Router};
use directory_api::rest::{NewRoleAssignment, Page, Role, RoleAssignment, RoleDescription};

use super::time;
use super::users::{UserRow, keep_an_owner};
use crate::access::{ACTIONS, role_allows};
use crate::act::Act;
use crate::audit::{Draft, Severity};
use crate::factors::step_up;
use crate::http::{Asked, Body, Call, Column, Listing, NoShortForms, Refused, field};
use crate::id::Kind;
use crate::state::AppState;

const ASSIGNMENTS: Listing = Listing {
    columns: "role_assignments.id, role, user_id, username, role_assignments.created_at,
        role_assignments.created_by",
    tables: "role_assignments JOIN users ON users.id = user_id",
    id: "role_assignments.id",
    fields: &[
        field("username", Column::Text("username")),
        field("role", Column::Text("role")),
        field("created_at", Column::Moment("role_assignments.created_at")),
    ],
    sorted: "",
};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/roles", get(roles))
        .route("/role-assignments", get(list).post(create))
        .route("/role-assignments/{id}", delete(remove))
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: String,
    role: String,
    user_id: String,
    username: String,
    created_at: i64,
    created_by: String,
}

impl Row {
    fn shown(self) -> Result<RoleAssignment, Refused> {
        Ok(RoleAssignment {
            id: self.id,
            role: serde_json::from_value(self.role.into())?,
            user: self.user_id,
            username: self.username,
            created_at: time(self.created_at),
            created_by: self.created_by,
        })
    }
}

async fn roles() -> Json<Page<RoleDescription>> {
    let described = [
        (
            Role::Owner,
            "Everything, roles and people who hold them included.",
        ),
        (
            Role::DirectoryAdmin,
            "People, groups, hosts, rules and enrolment; neither roles nor people who hold one.",
        ),
        (Role::ReadOnly, "Looks at everything, changes nothing."),
    ];
    let items = described.map(|(role, description)| RoleDescription {
        role,
        description: description.to_owned(),
        actions: ACTIONS
            .iter()
            .filter(|action| role_allows(role, **action))
            .map(|action| format!("{action:?}"))
            .collect(),
    });
    Json(Page {
        items: items.into(),
        next_cursor: None,
        total: None,
    })
}

async fn list(
    State(state): State<AppState>,
    asked: Asked<NoShortForms>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let page: Page<Row> = ASSIGNMENTS.page(&asked, |_| (), &mut snapshot).await?;
    Ok(asked.answer(page.map(Row::shown)?))
}

async fn create(
    State(state): State<AppState>,
    call: Call,
    Body(new): Body<NewRoleAssignment>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    step_up::require_where_enrolled(act.database(), &call.caller, call.now_ms()).await?;
    let user = UserRow::find(act.database(), &new.user).await?;
    if user.state != "active" {
        return Err(Refused::conflict("Only active users can hold a role."));
    }
    let id = assign(&mut act, new.role, &user).await?;
    let shown = find(&mut act, &id).await?.shown()?;
    act.finish(StatusCode::CREATED, &shown, None).await
}

/// Gives a role; returns the id of the assignment.
pub(super) async fn assign(
    act: &mut Act<'_>,
    role: Role,
    user: &UserRow,
) -> Result<String, Refused> {
    let id = act.new_id(Kind::RoleAssignment)?;
    let name = role_name(role)?;
    let (now, actor) = (act.now_ms(), act.actor_id());
    let given = sqlx::query(
        "INSERT INTO role_assignments (id, role, user_id, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
    )
    .bind(&id)
    .bind(&name)
    .bind(&user.id)
    .bind(now)
    .bind(actor)
    .execute(act.database())
    .await?;
    if given.rows_affected() == 0 {
        return Err(Refused::conflict("This user holds this role already."));
    }
    end_sessions(act, &user.id).await?;
    act.record(
        Draft::new("role.assigned")
            .target("user", &user.id, &user.username)
            .detail("role", name)
            .severity(Severity::Warning),
    )
    .await?;
    Ok(id)
}

/// Who may do more or less than before signs in anew; whoever changes their own roles goes on.
async fn end_sessions(act: &mut Act<'_>, user: &str) -> Result<(), Refused> {
    let own = act.own_credential().to_owned();
    sqlx::query("DELETE FROM sessions WHERE user_id = $1 AND id <> $2")
        .bind(user)
        .bind(own)
        .execute(act.database())
        .await?;
    Ok(())
}

/// The role as it is stored.
pub(crate) fn role_name(role: Role) -> Result<String, Refused> {
    Ok(serde_json::from_value(serde_json::to_value(role)?)?)
}

async fn remove(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    step_up::require_where_enrolled(act.database(), &call.caller, call.now_ms()).await?;
    let row = find(&mut act, &id).await?;
    if row.role == "owner" {
        keep_an_owner(act.database(), &row.user_id).await?;
    }
    sqlx::query("DELETE FROM role_assignments WHERE id = $1")
        .bind(&row.id)
        .execute(act.database())
        .await?;
    end_sessions(&mut act, &row.user_id).await?;
    act.record(
        Draft::new("role.removed")
            .target("user", &row.user_id, &row.username)
            .detail("role", row.role)
            .severity(Severity::Warning),
    )
    .await?;
    act.finish_empty().await
}

async fn find(act: &mut Act<'_>, id: &str) -> Result<Row, Refused> {
    let mut query = ASSIGNMENTS.select();
    query
        .push(" WHERE role_assignments.id = ")
        .push_bind(id)
        .build_query_as()
        .fetch_optional(act.database())
        .await?
        .ok_or_else(|| Refused::not_found("role assignment"))
}
