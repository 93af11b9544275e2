//! `/access-rules`.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use directory_api::rest::{AccessRule, AccessRuleSettings, Page, RuleSubject, Time};
use policy::Subject;
use serde_json::Value;
use sqlx::SqliteConnection;

use super::groups::GroupRow;
use super::users::UserRow;
use super::{patched, time};
use crate::act::{Act, changes_between};
use crate::assign::{Space, check_name, check_text, claim_name, release_names};
use crate::audit::{Draft, Severity};
use crate::http::{
    Asked, Body, Call, Column, Listing, NoShortForms, Refused, answer_object, field,
};
use crate::id::Kind;
use crate::state::AppState;

const SUBJECTS_MAX: usize = 1000;
const SOURCES_MAX: usize = 256;

const RULES: Listing = Listing {
    columns: "*",
    tables: "access_rules",
    id: "access_rules.id",
    fields: &[
        field("name", Column::Text("access_rules.name")),
        field("description", Column::Text("access_rules.description")),
        field(
            "effect",
            Column::Text("COALESCE(json_extract(rule, '$.effect'), '')"),
        ),
        field(
            "hosts",
            Column::Text("COALESCE(json_extract(rule, '$.hosts'), '')"),
        ),
        field("created_at", Column::Moment("access_rules.created_at")),
        field("updated_at", Column::Moment("access_rules.updated_at")),
        field(
            "user",
            Column::Any {
                begin: "access_rules.id IN (SELECT those.id FROM access_rules AS those,
                    json_each(those.rule, '$.subjects') AS subject
                    JOIN users ON users.id = json_extract(subject.value, '$.user') WHERE",
                text: "username",
            },
        ),
        field(
            "group",
            Column::Any {
                begin: "access_rules.id IN (SELECT those.id FROM access_rules AS those,
                    json_each(those.rule, '$.subjects') AS subject
                    JOIN groups ON groups.id = json_extract(subject.value, '$.group') WHERE",
                text: "groups.name",
            },
        ),
    ],
    sorted: "",
};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/access-rules", get(list).post(create))
        .route("/access-rules/{id}", get(show).patch(edit).delete(delete))
}

#[derive(Debug, Clone, sqlx::FromRow)]
struct RuleRow {
    id: String,
    name: String,
    description: String,
    rule: String,
    created_at: i64,
    created_by: String,
    updated_at: i64,
    version: i64,
}

impl RuleRow {
    async fn find(database: &mut SqliteConnection, name: &str) -> Result<Self, Refused> {
        let query = if Kind::AccessRule.is_id(name) {
            "SELECT * FROM access_rules WHERE id = $1"
        } else {
            "SELECT * FROM access_rules WHERE name = $1"
        };
        sqlx::query_as(query)
            .bind(name)
            .fetch_optional(database)
            .await?
            .ok_or_else(|| Refused::not_found("access rule"))
    }

    fn settings(&self) -> Result<AccessRuleSettings, Refused> {
        let rule: policy::AccessRule = serde_json::from_str(&self.rule)?;
        Ok(AccessRuleSettings {
            name: self.name.clone(),
            description: self.description.clone(),
            effect: rule.effect,
            subjects: rule.subjects.iter().map(written).collect(),
            hosts: rule.hosts,
            valid_from: rule.valid_from.map(Time),
            valid_until: rule.valid_until.map(Time),
            schedule: rule.schedule,
            sources: rule.sources,
        })
    }

    async fn shown(&self, database: &mut SqliteConnection) -> Result<AccessRule, Refused> {
        let settings = self.settings()?;
        let mut subject_names = Vec::with_capacity(settings.subjects.len());
        for subject in &settings.subjects {
            subject_names.extend(named(database, subject).await?);
        }
        Ok(AccessRule {
            id: self.id.clone(),
            settings,
            subject_names,
            created_at: time(self.created_at),
            created_by: self.created_by.clone(),
            updated_at: time(self.updated_at),
            version: self.version.unsigned_abs(),
        })
    }
}

fn written(subject: &Subject) -> String {
    match subject {
        Subject::User(id) => format!("user:{id}"),
        Subject::Group(id) => format!("group:{id}"),
    }
}

async fn named(
    database: &mut SqliteConnection,
    subject: &str,
) -> Result<Option<RuleSubject>, Refused> {
    let Some((kind, id)) = subject.split_once(':') else {
        return Ok(None);
    };
    let query = if kind == "user" {
        "SELECT username FROM users WHERE id = $1"
    } else {
        "SELECT name FROM groups WHERE id = $1"
    };
    let name: Option<String> = sqlx::query_scalar(query)
        .bind(id)
        .fetch_optional(database)
        .await?;
    Ok(name.map(|name| RuleSubject {
        kind: kind.to_owned(),
        id: id.to_owned(),
        name,
    }))
}

/// Names become ids here: nothing is ever decided by a name.
async fn subject_of(database: &mut SqliteConnection, text: &str) -> Result<Subject, Refused> {
    let missing = |refused: Refused| refused.field("subjects", "not_found");
    if let Some(name) = text.strip_prefix("user:") {
        let user = UserRow::find(database, name).await.map_err(missing)?;
        return Ok(Subject::User(user.id));
    }
    if let Some(name) = text.strip_prefix("group:") {
        let group = GroupRow::find(database, name).await.map_err(missing)?;
        return Ok(Subject::Group(group.id));
    }
    Err(Refused::invalid(
        "subjects",
        "A subject is user:NAME or group:NAME.",
    ))
}

/// The rule as hosts get it.
async fn rule_of(
    database: &mut SqliteConnection,
    id: &str,
    settings: &AccessRuleSettings,
) -> Result<policy::AccessRule, Refused> {
    check(settings)?;
    let mut subjects = BTreeSet::new();
    for subject in &settings.subjects {
        subjects.insert(subject_of(database, subject).await?);
    }
    Ok(policy::AccessRule {
        id: id.to_owned(),
        effect: settings.effect,
        subjects,
        hosts: settings.hosts.clone(),
        valid_from: settings.valid_from.map(|time| time.0),
        valid_until: settings.valid_until.map(|time| time.0),
        schedule: settings.schedule.clone(),
        sources: settings.sources.clone(),
    })
}

fn check(settings: &AccessRuleSettings) -> Result<(), Refused> {
    check_name(&settings.name)?;
    check_text("description", &settings.description)?;
    if settings.subjects.len() > SUBJECTS_MAX || settings.sources.len() > SOURCES_MAX {
        return Err(Refused::invalid(
            "subjects",
            format!("At most {SUBJECTS_MAX} subjects and {SOURCES_MAX} sources; use groups."),
        ));
    }
    if let (Some(from), Some(until)) = (settings.valid_from, settings.valid_until)
        && until <= from
    {
        return Err(Refused::invalid(
            "valid_until",
            "The rule would end before it begins.",
        ));
    }
    Ok(())
}

async fn list(
    State(state): State<AppState>,
    asked: Asked<NoShortForms>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let page: Page<RuleRow> = RULES.page(&asked, |_| (), &mut snapshot).await?;
    let mut shown = Vec::with_capacity(page.items.len());
    for row in &page.items {
        shown.push(row.shown(&mut snapshot).await?);
    }
    Ok(asked.answer(page.with(shown)))
}

async fn show(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let row = RuleRow::find(&mut snapshot, &id).await?;
    let rule = row.shown(&mut snapshot).await?;
    Ok(answer_object(&headers, &rule, row.version))
}

async fn create(
    State(state): State<AppState>,
    call: Call,
    Body(settings): Body<AccessRuleSettings>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let id = act.new_id(Kind::AccessRule)?;
    let rule = rule_of(act.database(), &id, &settings).await?;
    claim_name(act.database(), Space::Rule, &settings.name, &id).await?;
    let (now, actor) = (act.now_ms(), act.actor_id());
    sqlx::query(
        "INSERT INTO access_rules (id, name, description, rule, created_at, created_by, updated_at,
           version) VALUES ($1, $2, $3, $4, $5, $6, $5, 1)",
    )
    .bind(&id)
    .bind(&settings.name)
    .bind(&settings.description)
    .bind(serde_json::to_string(&rule)?)
    .bind(now)
    .bind(actor)
    .execute(act.database())
    .await?;
    let row = RuleRow::find(act.database(), &id).await?;
    let changes = changes_between(
        &Value::Object(serde_json::Map::new()),
        &serde_json::to_value(row.settings()?)?,
    )?;
    act.record(draft("access_rule.created", &row).changes(changes))
        .await?;
    act.touch_everything();
    let shown = row.shown(act.database()).await?;
    act.finish(StatusCode::CREATED, &shown, Some(row.version))
        .await
}

async fn edit(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    Body(patch): Body<Value>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = RuleRow::find(act.database(), &id).await?;
    call.require_version(row.version)?;
    let before = row.settings()?;
    let after: AccessRuleSettings = patched(&before, patch)?;
    let rule = rule_of(act.database(), &row.id, &after).await?;
    if after.name != before.name {
        release_names(act.database(), &row.id).await?;
        claim_name(act.database(), Space::Rule, &after.name, &row.id).await?;
    }
    let now = act.now_ms();
    sqlx::query(
        "UPDATE access_rules SET name = $2, description = $3, rule = $4, updated_at = $5,
           version = version + 1 WHERE id = $1",
    )
    .bind(&row.id)
    .bind(&after.name)
    .bind(&after.description)
    .bind(serde_json::to_string(&rule)?)
    .bind(now)
    .execute(act.database())
    .await?;
    let row = RuleRow::find(act.database(), &row.id).await?;
    let changes = changes_between(&before, &row.settings()?)?;
    act.record(draft("access_rule.updated", &row).changes(changes))
        .await?;
    act.touch_everything();
    let shown = row.shown(act.database()).await?;
    act.finish(StatusCode::OK, &shown, Some(row.version)).await
}

async fn delete(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = RuleRow::find(act.database(), &id).await?;
    call.require_version(row.version)?;
    sqlx::query("DELETE FROM access_rules WHERE id = $1")
        .bind(&row.id)
        .execute(act.database())
        .await?;
    release_names(act.database(), &row.id).await?;
    act.record(draft("access_rule.deleted", &row)).await?;
    act.touch_everything();
    act.finish_empty().await
}

fn draft(kind: &str, row: &RuleRow) -> Draft {
    Draft::new(kind)
        .target("access_rule", &row.id, &row.name)
        .severity(Severity::Notice)
}
