//! `/users/{id}/ssh-keys`, and the same for oneself.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::{delete, get};
use directory_api::rest::{NewSshKey, Page, SshKey, Time};
use sqlx::{QueryBuilder, Sqlite, SqliteConnection};

use super::time;
use super::users::UserRow;
use crate::act::Act;
use crate::audit::{Draft, Severity};
use crate::factors::step_up;
use crate::http::{Asked, Body, Call, Column, Listing, NoShortForms, Origin, Refused, field};
use crate::id::Kind;
use crate::notices;
use crate::reach::moment;
use crate::ssh_key::{self, ReadKey};
use crate::state::AppState;

const KEYS_PER_USER_MAX: i64 = 50;

const KEYS: Listing = Listing {
    columns: "*",
    tables: "ssh_keys",
    id: "ssh_keys.id",
    fields: &[
        field("type", Column::Text("kind")),
        field("fingerprint", Column::Text("fingerprint")),
        field("comment", Column::Text("comment")),
        field("hardware", Column::Truth("hardware")),
        field("expires_at", Column::Moment("expires_at")),
        field("created_at", Column::Moment("created_at")),
    ],
    sorted: "",
};

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/users/{id}/ssh-keys", get(list).post(create))
        .route("/users/{id}/ssh-keys/{key}", delete(remove))
}

#[derive(Debug, sqlx::FromRow)]
struct KeyRow {
    id: String,
    kind: String,
    fingerprint: String,
    public_key: String,
    comment: String,
    hardware: i64,
    expires_at: Option<i64>,
    created_at: i64,
    created_by: String,
}

impl KeyRow {
    fn shown(self) -> SshKey {
        SshKey {
            id: self.id,
            kind: self.kind,
            fingerprint: self.fingerprint,
            public_key: self.public_key,
            comment: self.comment,
            hardware: self.hardware != 0,
            expires_at: moment(self.expires_at).map(Time),
            created_at: time(self.created_at),
            created_by: self.created_by,
        }
    }
}

async fn list(
    State(state): State<AppState>,
    Path(id): Path<String>,
    asked: Asked<NoShortForms>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let user = UserRow::find(&mut snapshot, &id).await?;
    of_user(&mut snapshot, &user.id, &asked).await
}

/// The keys of a user.
pub(super) async fn of_user(
    database: &mut SqliteConnection,
    user: &str,
    asked: &Asked<NoShortForms>,
) -> Result<Response, Refused> {
    let narrow = |query: &mut QueryBuilder<Sqlite>| {
        query.push(" AND user_id = ").push_bind(user.to_owned());
    };
    let page: Page<KeyRow> = KEYS.page(asked, narrow, database).await?;
    Ok(asked.answer(page.map(|row| Ok::<_, Refused>(row.shown()))?))
}

async fn create(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    Body(new): Body<NewSshKey>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let user = UserRow::find_to_change(&mut snapshot, &id, &call.caller).await?;
    prove_of_oneself(&mut snapshot, &call, &user).await?;
    drop(snapshot);
    add(&state, &call.origin, &user, new).await
}

/// The own keys are not easier to change by the way that is meant for those of others.
async fn prove_of_oneself(
    database: &mut SqliteConnection,
    call: &Call,
    user: &UserRow,
) -> Result<(), Refused> {
    if user.id == call.caller.user_id {
        step_up::require_where_enrolled(database, &call.caller, call.now_ms()).await?;
    }
    Ok(())
}

/// Adds a key.
pub(super) async fn add(
    state: &AppState,
    origin: &Origin,
    user: &UserRow,
    new: NewSshKey,
) -> Result<Response, Refused> {
    let key = read_or_note(state, origin, user, &new).await?;
    let mut act = Act::begin(state, origin).await?;
    let shown = insert(&mut act, user, key, new).await?;
    act.finish(StatusCode::CREATED, &shown, None).await
}

/// Reads a key. Somebody who sends a private one is told, and it is written down that they did.
pub(crate) async fn read_or_note(
    state: &AppState,
    origin: &Origin,
    user: &UserRow,
    new: &NewSshKey,
) -> Result<ReadKey, Refused> {
    let read = ssh_key::read(&new.public_key);
    if matches!(&read, Err(refused) if refused.code() == "private_key_sent") {
        note_private_key(state, origin, user).await?;
    }
    read
}

/// Stores a key that was read.
pub(crate) async fn insert(
    act: &mut Act<'_>,
    user: &UserRow,
    key: ReadKey,
    new: NewSshKey,
) -> Result<SshKey, Refused> {
    let comment = new
        .comment
        .map_or(key.comment, |text| ssh_key::comment(&text));
    let id = act.new_id(Kind::SshKey)?;
    let (now, actor) = (act.now_ms(), act.actor_id());
    let held: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM ssh_keys WHERE user_id = $1")
        .bind(&user.id)
        .fetch_one(act.database())
        .await?;
    if held >= KEYS_PER_USER_MAX {
        return Err(Refused::conflict(format!(
            "A user has at most {KEYS_PER_USER_MAX} keys."
        )));
    }
    let added = sqlx::query(
        "INSERT INTO ssh_keys (id, user_id, kind, fingerprint, public_key, comment, hardware,
           expires_at, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(&id)
    .bind(&user.id)
    .bind(&key.kind)
    .bind(&key.fingerprint)
    .bind(&key.line)
    .bind(&comment)
    .bind(i64::from(key.hardware))
    .bind(new.expires_at.map(Time::as_millisecond))
    .bind(now)
    .bind(actor)
    .execute(act.database())
    .await?;
    if added.rows_affected() == 0 {
        return Err(Refused::conflict("This user has this key already."));
    }
    act.record(
        Draft::new("user.ssh_key_added")
            .target("user", &user.id, &user.username)
            .detail("fingerprint", key.fingerprint)
            .detail("type", key.kind),
    )
    .await?;
    act.touch_user(&user.id);
    notices::tell(act, &user.id, "an SSH key was added").await?;
    let row: KeyRow = sqlx::query_as("SELECT * FROM ssh_keys WHERE id = $1")
        .bind(&id)
        .fetch_one(act.database())
        .await?;
    Ok(row.shown())
}

async fn note_private_key(
    state: &AppState,
    origin: &Origin,
    user: &UserRow,
) -> Result<(), Refused> {
    let origin = origin.apart();
    let mut act = Act::begin(state, &origin).await?;
    act.record(
        Draft::new("user.private_key_refused")
            .target("user", &user.id, &user.username)
            .severity(Severity::Warning),
    )
    .await?;
    act.finish_empty().await.map(drop)
}

async fn remove(
    State(state): State<AppState>,
    call: Call,
    Path((id, key)): Path<(String, String)>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let user = UserRow::find_to_change(&mut snapshot, &id, &call.caller).await?;
    prove_of_oneself(&mut snapshot, &call, &user).await?;
    drop(snapshot);
    take(&state, &call.origin, &user, &key).await
}

/// Removes a key of this user by its id or fingerprint; a key of somebody else is not found.
pub(crate) async fn take(
    state: &AppState,
    origin: &Origin,
    user: &UserRow,
    key: &str,
) -> Result<Response, Refused> {
    let mut act = Act::begin(state, origin).await?;
    let row: KeyRow = sqlx::query_as(
        "SELECT * FROM ssh_keys WHERE user_id = $1 AND (id = $2 OR fingerprint = $2)",
    )
    .bind(&user.id)
    .bind(key)
    .fetch_optional(act.database())
    .await?
    .ok_or_else(|| Refused::not_found("SSH key"))?;
    sqlx::query("DELETE FROM ssh_keys WHERE id = $1")
        .bind(&row.id)
        .execute(act.database())
        .await?;
    act.record(
        Draft::new("user.ssh_key_removed")
            .target("user", &user.id, &user.username)
            .detail("fingerprint", row.fingerprint),
    )
    .await?;
    act.touch_user(&user.id);
    notices::tell(&mut act, &user.id, "an SSH key was removed").await?;
    act.finish_empty().await
}
