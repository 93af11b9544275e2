//! `/projects`.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use directory_api::rest::{Page, Project, ProjectSettings};
use serde_json::Value;
use sqlx::SqliteConnection;

use super::{patched, time};
use crate::act::{Act, changes_between};
use crate::assign::{Space, check_name, check_text, claim_name, release_names};
use crate::audit::Draft;
use crate::http::{
    Asked, Body, Call, Column, Listing, NoShortForms, Refused, answer_object, field,
};
use crate::id::Kind;
use crate::state::AppState;

const PROJECTS: Listing = Listing {
    columns: "projects.*, (SELECT COUNT(*) FROM hosts
        WHERE project_id = projects.id AND state <> 'retired') AS hosts",
    tables: "projects",
    id: "projects.id",
    fields: &[
        field("name", Column::Text("name")),
        field("description", Column::Text("description")),
        field("trust_host_tags", Column::Truth("trust_host_tags")),
        field("created_at", Column::Moment("created_at")),
        field("updated_at", Column::Moment("updated_at")),
    ],
    sorted: "",
};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/projects", get(list).post(create))
        .route("/projects/{id}", get(show).patch(edit).delete(delete))
}

#[derive(Debug, Clone, sqlx::FromRow)]
pub(super) struct ProjectRow {
    pub(super) id: String,
    pub(super) name: String,
    description: String,
    trust_host_tags: i64,
    created_at: i64,
    created_by: String,
    updated_at: i64,
    version: i64,
    hosts: i64,
}

impl ProjectRow {
    /// By id or name.
    pub(super) async fn find(database: &mut SqliteConnection, name: &str) -> Result<Self, Refused> {
        let mut query = PROJECTS.select();
        query.push(if Kind::Project.is_id(name) {
            " WHERE id = "
        } else {
            " WHERE name = "
        });
        query
            .push_bind(name)
            .build_query_as()
            .fetch_optional(database)
            .await?
            .ok_or_else(|| Refused::not_found("project"))
    }

    fn settings(&self) -> ProjectSettings {
        ProjectSettings {
            name: self.name.clone(),
            description: self.description.clone(),
            trust_host_tags: self.trust_host_tags != 0,
        }
    }

    fn shown(&self) -> Project {
        Project {
            id: self.id.clone(),
            settings: self.settings(),
            host_count: self.hosts.unsigned_abs(),
            created_at: time(self.created_at),
            created_by: self.created_by.clone(),
            updated_at: time(self.updated_at),
            version: self.version.unsigned_abs(),
        }
    }
}

async fn list(
    State(state): State<AppState>,
    asked: Asked<NoShortForms>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let page: Page<ProjectRow> = PROJECTS.page(&asked, |_| (), &mut snapshot).await?;
    Ok(asked.answer(page.map(|row| Ok::<_, Refused>(row.shown()))?))
}

async fn show(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let row = ProjectRow::find(&mut snapshot, &id).await?;
    Ok(answer_object(&headers, &row.shown(), row.version))
}

async fn create(
    State(state): State<AppState>,
    call: Call,
    Body(settings): Body<ProjectSettings>,
) -> Result<Response, Refused> {
    check(&settings)?;
    let mut act = Act::begin(&state, &call.origin).await?;
    let id = act.new_id(Kind::Project)?;
    claim_name(act.database(), Space::Project, &settings.name, &id).await?;
    let (now, actor) = (act.now_ms(), act.actor_id());
    sqlx::query(
        "INSERT INTO projects (id, name, description, trust_host_tags, created_at, created_by,
           updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $5, 1)",
    )
    .bind(&id)
    .bind(&settings.name)
    .bind(&settings.description)
    .bind(i64::from(settings.trust_host_tags))
    .bind(now)
    .bind(actor)
    .execute(act.database())
    .await?;
    let changes = changes_between(&ProjectSettings::default(), &settings)?;
    let draft = Draft::new("project.created").target("project", &id, &settings.name);
    act.record(draft.changes(changes)).await?;
    let row = ProjectRow::find(act.database(), &id).await?;
    act.finish(StatusCode::CREATED, &row.shown(), Some(row.version))
        .await
}

async fn edit(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    Body(patch): Body<Value>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = ProjectRow::find(act.database(), &id).await?;
    call.require_version(row.version)?;
    let before = row.settings();
    let after: ProjectSettings = patched(&before, patch)?;
    check(&after)?;
    if after.name != before.name {
        if row.hosts > 0 {
            return Err(Refused::conflict(
                "Rules select hosts by the name of their project; it stays while hosts are in it.",
            ));
        }
        release_names(act.database(), &row.id).await?;
        claim_name(act.database(), Space::Project, &after.name, &row.id).await?;
    }
    let changes = changes_between(&before, &after)?;
    if !changes.is_empty() {
        let now = act.now_ms();
        sqlx::query(
            "UPDATE projects SET name = $2, description = $3, trust_host_tags = $4, updated_at = $5,
               version = version + 1 WHERE id = $1",
        )
        .bind(&row.id)
        .bind(&after.name)
        .bind(&after.description)
        .bind(i64::from(after.trust_host_tags))
        .bind(now)
        .execute(act.database())
        .await?;
        let draft = Draft::new("project.updated").target("project", &row.id, &after.name);
        act.record(draft.changes(changes)).await?;
        act.touch_everything();
    }
    let row = ProjectRow::find(act.database(), &row.id).await?;
    act.finish(StatusCode::OK, &row.shown(), Some(row.version))
        .await
}

async fn delete(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = ProjectRow::find(act.database(), &id).await?;
    call.check_version(row.version)?;
    let used: i64 = sqlx::query_scalar(
        "SELECT (SELECT COUNT(*) FROM hosts WHERE project_id = $1)
              + (SELECT COUNT(*) FROM enrollment_tokens WHERE project_id = $1)
              + (SELECT COUNT(*) FROM policies WHERE project = $1)",
    )
    .bind(&row.id)
    .fetch_one(act.database())
    .await?;
    if used > 0 {
        return Err(Refused::conflict(
            "The project has, or once had, hosts or enrolment tokens, or a policy is for it.",
        ));
    }
    sqlx::query("DELETE FROM projects WHERE id = $1")
        .bind(&row.id)
        .execute(act.database())
        .await?;
    release_names(act.database(), &row.id).await?;
    act.record(Draft::new("project.deleted").target("project", &row.id, &row.name))
        .await?;
    act.finish_empty().await
}

fn check(settings: &ProjectSettings) -> Result<(), Refused> {
    check_name(&settings.name)?;
    check_text("description", &settings.description)
}
