//! `/policies`, and `/hosts/{id}/effective-policy`, which is what becomes of them.

use std::net::IpAddr;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};
use directory_api::rest::{EffectivePolicy, Page, Policy, PolicySettings};
use serde::Deserialize;
use serde_json::Value;
use sqlx::SqliteConnection;

use super::hosts::HostRow;
use super::projects::ProjectRow;
use super::{patched, time};
use crate::act::{Act, changes_between};
use crate::assign::{Space, claim_name, release_names};
use crate::audit::{Draft, Severity};
use crate::factors::{self, Unreadable, effective, step_up};
use crate::http::{
    Asked, Body, Call, Column, Filters, Listing, NoShortForms, Refused, answer_object, field,
};
use crate::id::Kind;
use crate::reach::World;
use crate::state::AppState;

const POLICIES: Listing = Listing {
    columns: "policies.*, COALESCE(projects.name, '') AS project_name",
    tables: "policies LEFT JOIN projects ON projects.id = policies.project",
    id: "policies.id",
    fields: &[
        field("name", Column::Text("policies.name")),
        field("description", Column::Text("policies.description")),
        field("project", Column::Text("COALESCE(projects.name, '')")),
        field("hosts", Column::Text("policies.hosts")),
        field("created_at", Column::Moment("policies.created_at")),
        field("updated_at", Column::Moment("policies.updated_at")),
    ],
    sorted: "",
};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/policies", get(list).post(create))
        .route("/policies/{id}", get(show).patch(edit).delete(delete))
        .route("/hosts/{id}/effective-policy", get(show_effective))
}

#[derive(Debug, Clone, sqlx::FromRow)]
struct PolicyRow {
    id: String,
    name: String,
    description: String,
    project_name: String,
    hosts: String,
    policy: String,
    created_at: i64,
    created_by: String,
    updated_at: i64,
    version: i64,
}

impl PolicyRow {
    /// By id or name.
    async fn find(database: &mut SqliteConnection, name: &str) -> Result<Self, Refused> {
        let mut query = POLICIES.select();
        query.push(if Kind::Policy.is_id(name) {
            " WHERE policies.id = "
        } else {
            " WHERE policies.name = "
        });
        query
            .push_bind(name)
            .build_query_as()
            .fetch_optional(database)
            .await?
            .ok_or_else(|| Refused::not_found("policy"))
    }

    fn settings(&self) -> Result<PolicySettings, Refused> {
        let hosts = Some(self.hosts.as_str()).filter(|hosts| !hosts.is_empty());
        Ok(PolicySettings {
            name: self.name.clone(),
            description: self.description.clone(),
            project: Some(self.project_name.clone()).filter(|project| !project.is_empty()),
            hosts: hosts
                .map(|hosts| serde_json::from_value(hosts.into()))
                .transpose()?,
            ..factors::settings_of(serde_json::from_str(&self.policy)?)
        })
    }

    fn shown(&self) -> Result<Policy, Refused> {
        Ok(Policy {
            id: self.id.clone(),
            settings: self.settings()?,
            created_at: time(self.created_at),
            created_by: self.created_by.clone(),
            updated_at: time(self.updated_at),
            version: self.version.unsigned_abs(),
        })
    }
}

/// Settings as they are stored, everything about them checked.
struct Columns {
    project: String,
    hosts: String,
    policy: String,
}

impl Columns {
    async fn of(
        database: &mut SqliteConnection,
        id: &str,
        settings: &PolicySettings,
    ) -> Result<Self, Refused> {
        let policy = factors::policy_of(id, settings)?;
        let project = match &settings.project {
            Some(name) => {
                let missing = |refused: Refused| refused.field("project", "not_found");
                ProjectRow::find(database, name).await.map_err(missing)?.id
            }
            None => String::new(),
        };
        let hosts = settings.hosts.as_ref().map(ToString::to_string);
        Ok(Self {
            project,
            hosts: hosts.unwrap_or_default(),
            policy: serde_json::to_string(&policy)?,
        })
    }
}

async fn list(
    State(state): State<AppState>,
    asked: Asked<NoShortForms>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let page: Page<PolicyRow> = POLICIES.page(&asked, |_| (), &mut snapshot).await?;
    Ok(asked.answer(page.map(|row| row.shown())?))
}

async fn show(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let row = PolicyRow::find(&mut snapshot, &id).await?;
    Ok(answer_object(&headers, &row.shown()?, row.version))
}

/// What logins must prove is changed by who has just proven to be themselves.
async fn begin<'a>(state: &'a AppState, call: &'a Call) -> Result<Act<'a>, Refused> {
    let mut act = Act::begin(state, &call.origin).await?;
    step_up::require_where_enrolled(act.database(), &call.caller, call.now_ms()).await?;
    Ok(act)
}

async fn create(
    State(state): State<AppState>,
    call: Call,
    Body(settings): Body<PolicySettings>,
) -> Result<Response, Refused> {
    let mut act = begin(&state, &call).await?;
    let id = act.new_id(Kind::Policy)?;
    let columns = Columns::of(act.database(), &id, &settings).await?;
    claim_name(act.database(), Space::Policy, &settings.name, &id).await?;
    let (now, actor) = (act.now_ms(), act.actor_id());
    sqlx::query(
        "INSERT INTO policies (id, name, description, project, hosts, policy, created_at,
           created_by, updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $7, 1)",
    )
    .bind(&id)
    .bind(&settings.name)
    .bind(&settings.description)
    .bind(&columns.project)
    .bind(&columns.hosts)
    .bind(&columns.policy)
    .bind(now)
    .bind(actor)
    .execute(act.database())
    .await?;
    let row = PolicyRow::find(act.database(), &id).await?;
    let nothing = Value::Object(serde_json::Map::new());
    let changes = changes_between(&nothing, &serde_json::to_value(row.settings()?)?)?;
    act.record(draft("policy.created", &row).changes(changes))
        .await?;
    act.touch_everything();
    let shown = row.shown()?;
    act.finish(StatusCode::CREATED, &shown, Some(row.version))
        .await
}

async fn edit(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    Body(patch): Body<Value>,
) -> Result<Response, Refused> {
    let mut act = begin(&state, &call).await?;
    let row = PolicyRow::find(act.database(), &id).await?;
    call.require_version(row.version)?;
    let before = row.settings()?;
    let after: PolicySettings = patched(&before, patch)?;
    let columns = Columns::of(act.database(), &row.id, &after).await?;
    if after.name != before.name {
        release_names(act.database(), &row.id).await?;
        claim_name(act.database(), Space::Policy, &after.name, &row.id).await?;
    }
    let now = act.now_ms();
    sqlx::query(
        "UPDATE policies SET name = $2, description = $3, project = $4, hosts = $5, policy = $6,
           updated_at = $7, version = version + 1 WHERE id = $1",
    )
    .bind(&row.id)
    .bind(&after.name)
    .bind(&after.description)
    .bind(&columns.project)
    .bind(&columns.hosts)
    .bind(&columns.policy)
    .bind(now)
    .execute(act.database())
    .await?;
    let row = PolicyRow::find(act.database(), &row.id).await?;
    let changes = changes_between(&before, &row.settings()?)?;
    act.record(draft("policy.updated", &row).changes(changes))
        .await?;
    act.touch_everything();
    let shown = row.shown()?;
    act.finish(StatusCode::OK, &shown, Some(row.version)).await
}

async fn delete(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let mut act = begin(&state, &call).await?;
    let row = PolicyRow::find(act.database(), &id).await?;
    call.require_version(row.version)?;
    sqlx::query("DELETE FROM policies WHERE id = $1")
        .bind(&row.id)
        .execute(act.database())
        .await?;
    release_names(act.database(), &row.id).await?;
    act.record(draft("policy.deleted", &row)).await?;
    act.touch_everything();
    act.finish_empty().await
}

fn draft(kind: &str, row: &PolicyRow) -> Draft {
    Draft::new(kind)
        .target("policy", &row.id, &row.name)
        .severity(Severity::Notice)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    service: Option<String>,
    source: Option<IpAddr>,
}

async fn show_effective(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Filters(login): Filters<Login>,
) -> Result<Json<EffectivePolicy>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let host = HostRow::find(&mut snapshot, &id).await?;
    let world = World::load(&mut snapshot).await?;
    let known = world.hosts.iter().find(|known| known.id == host.id);
    let known = known.ok_or_else(|| Refused::not_found("host"))?;
    let policies = factors::load_policies(&mut snapshot).await?;
    let policies = policies.map_err(|Unreadable(id, why)| {
        Refused::conflict(format!("The policy {id} cannot be read: {why}."))
            .hint("Remove it, or write it anew; until then no host gets a new bundle.")
    })?;
    let service = login.service.as_deref().unwrap_or("sshd");
    effective(known, &policies, (service, login.source)).map(Json)
}
