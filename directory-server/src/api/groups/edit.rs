//! Making, changing and removing groups.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use directory_api::rest::{GroupSettings, Page};
use posix_names::GroupName;
use serde::Deserialize;
use serde_json::Value;
use sqlx::{QueryBuilder, Sqlite};

use super::row::{GROUPS, GroupRow};
use crate::act::{Act, changes_between};
use crate::api::patched;
use crate::assign::{Space, check_text, claim_name, next_id, release_names};
use crate::audit::Draft;
use crate::http::{Asked, Body, Call, Refused, answer_object};
use crate::id::Kind;
use crate::state::AppState;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    q: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    asked: Asked<Wanted>,
) -> Result<Response, Refused> {
    let narrow = |query: &mut QueryBuilder<Sqlite>| {
        if let Some(text) = &asked.wanted.q {
            query.push(" AND instr(lower(name || ' ' || description), lower(");
            query.push_bind(text.clone()).push(")) > 0");
        }
    };
    let mut snapshot = state.store.snapshot().await?;
    let page: Page<GroupRow> = GROUPS.page(&asked, narrow, &mut snapshot).await?;
    Ok(asked.answer(page.map(|row| row.shown())?))
}

pub(super) async fn show(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let row = GroupRow::find(&mut snapshot, &id).await?;
    Ok(answer_object(&headers, &row.shown()?, row.version))
}

pub(super) async fn create(
    State(state): State<AppState>,
    call: Call,
    Body(settings): Body<GroupSettings>,
) -> Result<Response, Refused> {
    check(&settings)?;
    let mut act = Act::begin(&state, &call.origin).await?;
    let id = act.new_id(Kind::Group)?;
    claim_name(act.database(), Space::People, &settings.name, &id).await?;
    let gid = if settings.unix {
        Some(next_id(act.database(), &id).await?)
    } else {
        None
    };
    let (now, actor) = (act.now_ms(), act.actor_id());
    sqlx::query(
        "INSERT INTO groups (id, name, description, unix, gid, created_at, created_by, updated_at,
           version) VALUES ($1, $2, $3, $4, $5, $6, $7, $6, 1)",
    )
    .bind(&id)
    .bind(&settings.name)
    .bind(&settings.description)
    .bind(i64::from(settings.unix))
    .bind(gid)
    .bind(now)
    .bind(actor)
    .execute(act.database())
    .await?;
    let changes = changes_between(&GroupSettings::default(), &settings)?;
    let draft = Draft::new("group.created").target("group", &id, &settings.name);
    act.record(draft.changes(changes).detail("gid", gid))
        .await?;
    act.touch_everything();
    let row = GroupRow::find(act.database(), &id).await?;
    act.finish(StatusCode::CREATED, &row.shown()?, Some(row.version))
        .await
}

pub(super) async fn edit(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    Body(patch): Body<Value>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = GroupRow::find(act.database(), &id).await?;
    call.require_version(row.version)?;
    let before = row.settings();
    let after: GroupSettings = patched(&before, patch)?;
    check(&after)?;
    let changes = changes_between(&before, &after)?;
    if !changes.is_empty() {
        if after.name != before.name {
            release_names(act.database(), &row.id).await?;
            claim_name(act.database(), Space::People, &after.name, &row.id).await?;
        }
        write(&mut act, &row, &after).await?;
        let draft = Draft::new("group.updated").target("group", &row.id, &after.name);
        act.record(draft.changes(changes)).await?;
        act.touch_everything();
    }
    let row = GroupRow::find(act.database(), &row.id).await?;
    act.finish(StatusCode::OK, &row.shown()?, Some(row.version))
        .await
}

/// A gid once given stays with the group, even while the group is not on hosts.
async fn write(act: &mut Act<'_>, row: &GroupRow, settings: &GroupSettings) -> Result<(), Refused> {
    if settings.unix && !row.has_gid() {
        let gid = next_id(act.database(), &row.id).await?;
        sqlx::query("UPDATE groups SET gid = $2 WHERE id = $1")
            .bind(&row.id)
            .bind(gid)
            .execute(act.database())
            .await?;
    }
    let now = act.now_ms();
    sqlx::query(
        "UPDATE groups SET name = $2, description = $3, unix = $4, updated_at = $5,
           version = version + 1 WHERE id = $1",
    )
    .bind(&row.id)
    .bind(&settings.name)
    .bind(&settings.description)
    .bind(i64::from(settings.unix))
    .bind(now)
    .execute(act.database())
    .await?;
    Ok(())
}

pub(super) async fn delete(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = GroupRow::find(act.database(), &id).await?;
    call.require_version(row.version)?;
    refuse_while_in_rules(&mut act, &row).await?;
    sqlx::query("DELETE FROM groups WHERE id = $1")
        .bind(&row.id)
        .execute(act.database())
        .await?;
    release_names(act.database(), &row.id).await?;
    act.record(Draft::new("group.deleted").target("group", &row.id, &row.name))
        .await?;
    act.touch_everything();
    act.finish_empty().await
}

async fn refuse_while_in_rules(act: &mut Act<'_>, row: &GroupRow) -> Result<(), Refused> {
    let rule: Option<String> =
        sqlx::query_scalar("SELECT name FROM access_rules WHERE instr(rule, $1) > 0 LIMIT 1")
            .bind(&row.id)
            .fetch_optional(act.database())
            .await?;
    match rule {
        None => Ok(()),
        Some(rule) => Err(
            Refused::conflict(format!("Access rule {rule} names this group."))
                .hint("Take the group out of the rule first."),
        ),
    }
}

/// Names are POSIX names for every group, so that any group can be put on hosts later.
fn check(settings: &GroupSettings) -> Result<(), Refused> {
    GroupName::parse(&settings.name)
        .map_err(|error| Refused::invalid("name", error.to_string()))?;
    check_text("description", &settings.description)
}
