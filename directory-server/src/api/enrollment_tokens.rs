//! `/enrollment-tokens`. The secret is an Ed25519 seed that leaves in the answer and is kept
//! nowhere; the directory stores the public key.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use directory_api::agent::TOKEN_PREFIX;
use directory_api::rest::{
    EnrollmentToken, EnrollmentTokenCreated, Lifetime, NewEnrollmentToken, Page, Secret, Time,
};
use ed25519_dalek::SigningKey;
use sqlx::SqliteConnection;
use zeroize::Zeroizing;

use super::projects::ProjectRow;
use super::{hosts, time};
use crate::act::Act;
use crate::assign::check_text;
use crate::audit::{Draft, Severity};
use crate::http::{Asked, Body, Call, Column, Listing, NoShortForms, Refused, field};
use crate::id::Kind;
use crate::kick_start::{Directory, install_line};
use crate::reach::moment;
use crate::state::AppState;

const LIFETIME_DEFAULT: &str = "1h";
const LIFETIME_MAX: &str = "30d";
const GONE_AFTER_DEFAULT: &str = "30m";
const USES_MAX: u32 = 10_000;
const TOKENS: Listing = Listing {
    columns: "enrollment_tokens.*, projects.name AS project",
    tables: "enrollment_tokens JOIN projects ON projects.id = project_id",
    id: "enrollment_tokens.id",
    fields: &[
        field("project", Column::Text("projects.name")),
        field("description", Column::Text("enrollment_tokens.description")),
        field("ephemeral", Column::Truth("ephemeral")),
        field("approval_required", Column::Truth("approval_required")),
        field("uses", Column::Number("uses")),
        field("max_uses", Column::Number("max_uses")),
        field("expires_at", Column::Moment("expires_at")),
        field("revoked_at", Column::Moment("revoked_at")),
        field("created_at", Column::Moment("enrollment_tokens.created_at")),
        field(
            "tag",
            Column::Any {
                begin: "enrollment_tokens.id IN (SELECT those.id
                    FROM enrollment_tokens AS those, json_each(those.tags) WHERE",
                text: "json_each.value",
            },
        ),
    ],
    sorted: "",
};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/enrollment-tokens", get(list).post(create))
        .route("/enrollment-tokens/{id}", delete(revoke))
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: String,
    description: String,
    project: String,
    tags: String,
    ephemeral: i64,
    gone_after_s: i64,
    approval_required: i64,
    max_uses: i64,
    uses: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
    created_at: i64,
    created_by: String,
}

impl Row {
    async fn find(database: &mut SqliteConnection, id: &str) -> Result<Self, Refused> {
        let mut query = TOKENS.select();
        query
            .push(" WHERE enrollment_tokens.id = ")
            .push_bind(id)
            .build_query_as()
            .fetch_optional(database)
            .await?
            .ok_or_else(|| Refused::not_found("enrolment token"))
    }

    fn shown(self) -> Result<EnrollmentToken, Refused> {
        Ok(EnrollmentToken {
            gone_after: lifetime("gone_after", &format!("{}s", self.gone_after_s))?,
            id: self.id,
            description: self.description,
            project: self.project,
            tags: serde_json::from_str(&self.tags)?,
            ephemeral: self.ephemeral != 0,
            approval_required: self.approval_required != 0,
            max_uses: u32::try_from(self.max_uses).unwrap_or(u32::MAX),
            uses: u32::try_from(self.uses).unwrap_or(u32::MAX),
            expires_at: time(self.expires_at),
            revoked_at: moment(self.revoked_at).map(Time),
            created_at: time(self.created_at),
            created_by: self.created_by,
        })
    }
}

fn lifetime(field: &str, text: &str) -> Result<Lifetime, Refused> {
    Lifetime::parse(text).map_err(|error| Refused::invalid(field, error.to_string()))
}

async fn list(
    State(state): State<AppState>,
    asked: Asked<NoShortForms>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let page: Page<Row> = TOKENS.page(&asked, |_| (), &mut snapshot).await?;
    Ok(asked.answer(page.map(Row::shown)?))
}

async fn create(
    State(state): State<AppState>,
    call: Call,
    Body(new): Body<NewEnrollmentToken>,
) -> Result<Response, Refused> {
    let wanted = Wanted::of(&new, &call)?;
    let seed: Zeroizing<[u8; 32]> = Zeroizing::new(state.random.bytes()?);
    let public_key = SigningKey::from_bytes(&seed).verifying_key();
    let mut act = Act::begin(&state, &call.origin).await?;
    let project = ProjectRow::find(act.database(), &new.project)
        .await
        .map_err(|refused| refused.field("project", "not_found"))?;
    let id = act.new_id(Kind::EnrollmentToken)?;
    let (now, actor) = (act.now_ms(), act.actor_id());
    sqlx::query(
        "INSERT INTO enrollment_tokens (id, public_key, description, project_id, tags, ephemeral,
           gone_after_s, approval_required, max_uses, uses, expires_at, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12)",
    )
    .bind(&id)
    .bind(STANDARD.encode(public_key.as_bytes()))
    .bind(&new.description)
    .bind(&project.id)
    .bind(serde_json::to_string(&wanted.tags)?)
    .bind(i64::from(new.ephemeral))
    .bind(wanted.gone_after.seconds())
    .bind(i64::from(new.approval_required))
    .bind(i64::from(wanted.max_uses))
    .bind(wanted.expires_at.as_millisecond())
    .bind(now)
    .bind(actor)
    .execute(act.database())
    .await?;
    act.record(
        Draft::new("token.created")
            .target("enrollment_token", &id, &new.description)
            .detail("project", project.name)
            .detail("tags", serde_json::to_value(&wanted.tags)?)
            .detail("max_uses", wanted.max_uses)
            .detail("expires_at", wanted.expires_at.to_string())
            .severity(Severity::Notice),
    )
    .await?;
    let record = Row::find(act.database(), &id).await?.shown()?;
    let fingerprint = URL_SAFE_NO_PAD.encode(state.authority.pinned_fingerprint());
    let seed = Zeroizing::new(URL_SAFE_NO_PAD.encode(seed.as_slice()));
    let token = format!("{TOKEN_PREFIX}.{id}.{}.{fingerprint}", seed.as_str());
    let created = EnrollmentTokenCreated {
        record,
        token: Secret::new(token),
        install_line: install_line(&Directory::of(&state)),
    };
    act.finish_with_secret(StatusCode::CREATED, &created).await
}

/// What was asked for, with the defaults filled in.
struct Wanted {
    tags: Vec<String>,
    gone_after: Lifetime,
    max_uses: u32,
    expires_at: Time,
}

impl Wanted {
    fn of(new: &NewEnrollmentToken, call: &Call) -> Result<Self, Refused> {
        check_text("description", &new.description)?;
        let expires_in = match new.expires_in {
            Some(wanted) if wanted > lifetime("expires_in", LIFETIME_MAX)? => {
                return Err(Refused::invalid(
                    "expires_in",
                    format!("At most {LIFETIME_MAX}."),
                ));
            }
            Some(wanted) => wanted,
            None => lifetime("expires_in", LIFETIME_DEFAULT)?,
        };
        let max_uses = new.max_uses.unwrap_or(1);
        if !(1..=USES_MAX).contains(&max_uses) {
            return Err(Refused::invalid(
                "max_uses",
                format!("Between 1 and {USES_MAX}."),
            ));
        }
        let gone_after = match new.gone_after {
            Some(wanted) => wanted,
            None => lifetime("gone_after", GONE_AFTER_DEFAULT)?,
        };
        let ends = call.now().saturating_add(expires_in.duration());
        Ok(Self {
            tags: hosts::checked_tags(&new.tags)?.into_iter().collect(),
            gone_after,
            max_uses,
            expires_at: Time(
                ends.map_err(|_| Refused::invalid("expires_in", "Outside the calendar."))?,
            ),
        })
    }
}

async fn revoke(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let row = Row::find(act.database(), &id).await?;
    let now = act.now_ms();
    sqlx::query(
        "UPDATE enrollment_tokens SET revoked_at = $2 WHERE id = $1 AND revoked_at IS NULL",
    )
    .bind(&row.id)
    .bind(now)
    .execute(act.database())
    .await?;
    act.record(Draft::new("token.revoked").target("enrollment_token", &row.id, &row.description))
        .await?;
    act.finish_empty().await
}
