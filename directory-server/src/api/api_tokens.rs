//! `/tokens`: the caller's own tokens; owners of the directory see and end everybody's.

use std::collections::BTreeSet;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get};
use directory_api::rest::{
    ApiToken, ApiTokenCreated, Lifetime, NewApiToken, Page, Role, Secret, Time,
};
use sqlx::QueryBuilder;

use super::time;
use crate::act::Act;
use crate::assign::check_text;
use crate::audit::Draft;
use crate::http::{
    Asked, Body, Call, Column, Listing, NoShortForms, Refused, TOKEN_PREFIX, field, new_token,
};
use crate::id::Kind;
use crate::reach::moment;
use crate::state::AppState;

const LIFETIME_DEFAULT: &str = "90d";
const LIFETIME_MAX: &str = "365d";
const TOKENS: Listing = Listing {
    columns: "api_tokens.id, name, user_id, username, scopes, api_tokens.expires_at, last_used_at,
        api_tokens.created_at",
    tables: "api_tokens JOIN users ON users.id = user_id",
    id: "api_tokens.id",
    fields: &[
        field("name", Column::Text("name")),
        field("owner_name", Column::Text("username")),
        field("expires_at", Column::Moment("api_tokens.expires_at")),
        field("last_used_at", Column::Moment("last_used_at")),
        field("created_at", Column::Moment("api_tokens.created_at")),
        field(
            "scope",
            Column::Any {
                begin: "api_tokens.id IN (SELECT those.id
                    FROM api_tokens AS those, json_each(those.scopes) WHERE",
                text: "json_each.value",
            },
        ),
    ],
    sorted: "",
};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/tokens", get(list).post(create))
        .route("/tokens/{id}", delete(remove))
}

#[derive(Debug, sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    user_id: String,
    username: String,
    scopes: String,
    expires_at: i64,
    last_used_at: Option<i64>,
    created_at: i64,
}

impl Row {
    fn shown(self) -> Result<ApiToken, Refused> {
        Ok(ApiToken {
            id: self.id,
            name: self.name,
            owner: self.user_id,
            owner_name: self.username,
            scopes: serde_json::from_str(&self.scopes)?,
            expires_at: time(self.expires_at),
            last_used_at: moment(self.last_used_at).map(Time),
            created_at: time(self.created_at),
        })
    }
}

/// Whose tokens this caller may see and end.
fn own_only(query: &mut QueryBuilder<sqlx::Sqlite>, call: &Call) {
    if !call.caller.roles.contains(&Role::Owner) {
        query
            .push(" AND user_id = ")
            .push_bind(call.caller.user_id.clone());
    }
}

async fn list(
    State(state): State<AppState>,
    call: Call,
    asked: Asked<NoShortForms>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let narrow = |query: &mut _| own_only(query, &call);
    let page: Page<Row> = TOKENS.page(&asked, narrow, &mut snapshot).await?;
    Ok(asked.answer(page.map(Row::shown)?))
}

async fn create(
    State(state): State<AppState>,
    call: Call,
    Body(new): Body<NewApiToken>,
) -> Result<Response, Refused> {
    check_text("name", &new.name)?;
    if new.scopes.is_empty() {
        return Err(Refused::invalid(
            "scopes",
            "A token needs at least one scope.",
        ));
    }
    let scopes: BTreeSet<_> = new.scopes.iter().collect();
    let ends = call
        .now()
        .saturating_add(lifetime(new.expires_in)?.duration());
    let ends = ends.map_err(|_| Refused::invalid("expires_in", "Outside the calendar."))?;
    let (token, hash) = new_token(TOKEN_PREFIX, &state.random)?;
    let mut act = Act::begin(&state, &call.origin).await?;
    let id = act.new_id(Kind::ApiToken)?;
    let now = act.now_ms();
    sqlx::query(
        "INSERT INTO api_tokens (id, token_hash, user_id, name, scopes, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(&id)
    .bind(hash)
    .bind(&call.caller.user_id)
    .bind(&new.name)
    .bind(serde_json::to_string(&scopes)?)
    .bind(now)
    .bind(ends.as_millisecond())
    .execute(act.database())
    .await?;
    act.record(
        Draft::new("api_key.created")
            .target("api_token", &id, &new.name)
            .detail("scopes", serde_json::to_value(&scopes)?)
            .detail("expires_at", Time(ends).to_string()),
    )
    .await?;
    let mut query = TOKENS.select();
    query.push(" WHERE api_tokens.id = ").push_bind(&id);
    let row: Row = query.build_query_as().fetch_one(act.database()).await?;
    let created = ApiTokenCreated {
        record: row.shown()?,
        token: Secret::new(token),
    };
    act.finish_with_secret(StatusCode::CREATED, &created).await
}

fn lifetime(wanted: Option<Lifetime>) -> Result<Lifetime, Refused> {
    let known = |text| {
        Lifetime::parse(text).map_err(|error| Refused::invalid("expires_in", error.to_string()))
    };
    let lifetime = match wanted {
        Some(lifetime) => lifetime,
        None => known(LIFETIME_DEFAULT)?,
    };
    if lifetime > known(LIFETIME_MAX)? {
        return Err(Refused::invalid(
            "expires_in",
            format!("At most {LIFETIME_MAX}."),
        ));
    }
    Ok(lifetime)
}

async fn remove(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
) -> Result<Response, Refused> {
    let mut act = Act::begin(&state, &call.origin).await?;
    let mut query = TOKENS.select();
    query.push(" WHERE api_tokens.id = ").push_bind(&id);
    own_only(&mut query, &call);
    let row: Option<Row> = query
        .build_query_as()
        .fetch_optional(act.database())
        .await?;
    let row = row.ok_or_else(|| Refused::not_found("token"))?;
    sqlx::query("DELETE FROM api_tokens WHERE id = $1")
        .bind(&row.id)
        .execute(act.database())
        .await?;
    act.record(Draft::new("api_key.expired").target("api_token", &row.id, &row.name))
        .await?;
    act.finish_empty().await
}
