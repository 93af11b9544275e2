//! Who is calling: the bearer token of a session or of a program, looked up by its hash.

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use directory_api::rest::{Identity, Role, Scope, Time};
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::Refused;
use super::json::BodyLimit;
use crate::access::{self, Access};
use crate::clock::{NoRandomness, Random};
use crate::state::AppState;

/// Begins the tokens of people's sessions.
pub const SESSION_PREFIX: &str = "cls_";
/// Begins the tokens of programs.
pub const TOKEN_PREFIX: &str = "clt_";

/// What strangers may make the server keep in memory.
const STRANGERS_BODY_BYTES_MAX: usize = 64 * 1024;
const TOKEN_LENGTH_MAX: usize = 128;
/// Writing the time of use at every request would make every read a write.
const USE_NOTED_EVERY_MS: i64 = 60_000;

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Caller {
    /// `usr_…`
    pub user_id: String,
    /// Login name.
    pub username: String,
    /// Roles held.
    pub roles: Vec<Role>,
    /// Scopes, when a token is calling.
    pub scopes: Option<Vec<Scope>>,
    /// `ses_…` or `key_…`
    pub credential_id: String,
    /// When session or token end.
    pub expires_at: Timestamp,
    /// A new password has to be chosen first.
    pub must_change_password: bool,
    /// A second factor has to be enrolled first.
    pub must_enrol: bool,
}

impl Caller {
    /// As the API tells it.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            user_id: self.user_id.clone(),
            username: self.username.clone(),
            roles: self.roles.clone(),
            scopes: self.scopes.clone(),
            expires_at: Time(self.expires_at),
            must_enroll_factor: self.must_enrol,
        }
    }
}

/// A new bearer token and the hash under which it is stored.
///
/// # Errors
/// The system gives no random numbers.
pub fn new_token(prefix: &str, random: &Random) -> Result<(String, String), NoRandomness> {
    let token = format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random.bytes::<32>()?));
    let hash = token_hash(&token);
    Ok((token, hash))
}

/// Under which a token is stored and looked up. Tokens have 256 random bits: a plain hash cannot be
/// turned back.
#[must_use]
pub fn token_hash(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(token))
}

/// Refuses whoever may not make the call, before its body is read.
pub(super) async fn layer(
    State(state): State<AppState>,
    path: MatchedPath,
    mut request: Request,
    next: Next,
) -> Response {
    let admitted = admitted(&state, path.as_str(), request.method(), request.headers());
    match admitted.await {
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Ok(None) => {
            request
                .extensions_mut()
                .insert(BodyLimit(STRANGERS_BODY_BYTES_MAX));
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn admitted(
    state: &AppState,
    path: &str,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Option<Caller>, Refused> {
    let access = access::of_call(method, path);
    if access == Some(Access::Anonymous) {
        return Ok(None);
    }
    let caller = authenticated(state, headers).await?;
    let Some(access) = access else {
        return Err(Refused::forbidden("Nothing says who may make this call."));
    };
    access::check(access, &caller, method, path)?;
    Ok(Some(caller))
}

async fn authenticated(state: &AppState, headers: &HeaderMap) -> Result<Caller, Refused> {
    let token = bearer(headers).ok_or_else(unauthenticated)?;
    let hash = token_hash(token);
    let now = state.clock.now();
    let found = if token.starts_with(SESSION_PREFIX) {
        session(state, &hash, now).await?
    } else {
        api_token(state, &hash, now).await?
    };
    let Some(mut caller) = found else {
        return Err(unauthenticated());
    };
    caller.roles = roles_of(state, &caller.user_id).await?;
    Ok(caller)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    (scheme.eq_ignore_ascii_case("bearer") && token.len() <= TOKEN_LENGTH_MAX).then(|| token.trim())
}

pub(crate) fn unauthenticated() -> Refused {
    Refused::new(
        StatusCode::UNAUTHORIZED,
        "unauthenticated",
        "This call needs a valid session or token.",
    )
    .hint("Sign in: POST /api/v1/auth/login, or `cloudid login`.")
}

#[derive(sqlx::FromRow)]
struct Found {
    id: String,
    user_id: String,
    username: String,
    expires_at: i64,
    last_used_at: Option<i64>,
    scopes: Option<String>,
    must_change: i64,
    must_enrol: i64,
}

impl Found {
    fn caller(self) -> Result<Caller, Refused> {
        Ok(Caller {
            user_id: self.user_id,
            username: self.username,
            roles: Vec::new(),
            scopes: self
                .scopes
                .map(|text| serde_json::from_str(&text))
                .transpose()?,
            credential_id: self.id,
            expires_at: Timestamp::from_millisecond(self.expires_at).unwrap_or_default(),
            must_change_password: self.must_change != 0,
            must_enrol: self.must_enrol != 0,
        })
    }

    fn use_is_worth_noting(&self, now_ms: i64) -> bool {
        self.last_used_at
            .is_none_or(|last| now_ms.saturating_sub(last) >= USE_NOTED_EVERY_MS)
    }
}

async fn session(state: &AppState, hash: &str, now: Timestamp) -> Result<Option<Caller>, Refused> {
    let now_ms = now.as_millisecond();
    let idle_ms = i64::try_from(state.config.auth.idle.as_millis()).unwrap_or(i64::MAX);
    let found: Option<Found> = sqlx::query_as(
        "SELECT sessions.id, user_id, username, sessions.expires_at, last_used_at,
                NULL AS scopes, password_must_change AS must_change,
                must_enrol <> 0 AND NOT EXISTS (
                  SELECT 1 FROM mfa_devices
                  WHERE mfa_devices.user_id = users.id AND confirmed_at IS NOT NULL) AS must_enrol
         FROM sessions JOIN users ON users.id = user_id
         WHERE token_hash = $1 AND sessions.expires_at > $2 AND last_used_at > $3
           AND state = 'active' AND (users.expires_at IS NULL OR users.expires_at > $2)",
    )
    .bind(hash)
    .bind(now_ms)
    .bind(now_ms.saturating_sub(idle_ms))
    .fetch_optional(state.store.read())
    .await?;
    let Some(found) = found else { return Ok(None) };
    if found.use_is_worth_noting(now_ms) {
        let mut tx = state.store.write().await?;
        sqlx::query("UPDATE sessions SET last_used_at = $1 WHERE id = $2")
            .bind(now_ms)
            .bind(&found.id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }
    found.caller().map(Some)
}

async fn api_token(
    state: &AppState,
    hash: &str,
    now: Timestamp,
) -> Result<Option<Caller>, Refused> {
    let now_ms = now.as_millisecond();
    let found: Option<Found> = sqlx::query_as(
        "SELECT api_tokens.id, user_id, username, api_tokens.expires_at, last_used_at,
                scopes, 0 AS must_change, 0 AS must_enrol
         FROM api_tokens JOIN users ON users.id = user_id
         WHERE token_hash = $1 AND api_tokens.expires_at > $2
           AND state = 'active' AND (users.expires_at IS NULL OR users.expires_at > $2)",
    )
    .bind(hash)
    .bind(now_ms)
    .fetch_optional(state.store.read())
    .await?;
    let Some(found) = found else { return Ok(None) };
    if found.use_is_worth_noting(now_ms) {
        let mut tx = state.store.write().await?;
        sqlx::query("UPDATE api_tokens SET last_used_at = $1 WHERE id = $2")
            .bind(now_ms)
            .bind(&found.id)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }
    found.caller().map(Some)
}

async fn roles_of(state: &AppState, user_id: &str) -> Result<Vec<Role>, Refused> {
    let names: Vec<String> =
        sqlx::query_scalar("SELECT role FROM role_assignments WHERE user_id = $1 ORDER BY role")
            .bind(user_id)
            .fetch_all(state.store.read())
            .await?;
    names
        .into_iter()
        .map(|name| serde_json::from_value(name.into()).map_err(Refused::from))
        .collect()
}
