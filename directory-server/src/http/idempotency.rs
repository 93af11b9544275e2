//! `Idempotency-Key`: a repeated POST gets the first answer instead of a second act. The answer is
//! stored in the transaction of the act itself, so a crash cannot part them.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

use super::{Caller, Refused, json};
use crate::state::AppState;
use crate::store::Writing;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY_LENGTH_MAX: usize = 128;
const REMEMBERED_MS: i64 = 24 * 3600 * 1000;

/// A key that was not seen before.
#[derive(Debug, Clone)]
pub struct IdempotencyKey {
    caller: String,
    key: String,
    digest: String,
}

/// What is kept of an answer.
pub enum Kept<'a> {
    /// The whole body.
    Body(&'a str),
    /// Only that there was one: it held a secret that is shown once.
    Secret,
}

impl IdempotencyKey {
    /// Keeps the answer; part of the act's transaction.
    ///
    /// # Errors
    /// Somebody used the same key at the same time.
    pub async fn keep(
        &self,
        tx: &mut Writing,
        status: StatusCode,
        kept: Kept<'_>,
        now_ms: i64,
    ) -> Result<(), Refused> {
        let answer = match kept {
            Kept::Body(body) => Some(body),
            Kept::Secret => None,
        };
        sqlx::query("DELETE FROM idempotency_keys WHERE created_at <= $1")
            .bind(now_ms.saturating_sub(REMEMBERED_MS))
            .execute(&mut **tx)
            .await?;
        let inserted = sqlx::query(
            "INSERT INTO idempotency_keys (caller, key, digest, status, answer, created_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        )
        .bind(&self.caller)
        .bind(&self.key)
        .bind(&self.digest)
        .bind(i64::from(status.as_u16()))
        .bind(answer)
        .bind(now_ms)
        .execute(&mut **tx)
        .await?;
        if inserted.rows_affected() == 1 {
            Ok(())
        } else {
            Err(
                Refused::conflict("The same Idempotency-Key is in use at this moment.")
                    .hint("Repeat the request to get the first answer."),
            )
        }
    }
}

/// Answers repeats; lets first requests through with their key.
pub(super) async fn layer(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let key = request.headers().get(HEADER).cloned();
    let caller = request
        .extensions()
        .get::<Caller>()
        .map(|caller| caller.user_id.clone());
    match (key, caller) {
        (Some(key), Some(caller)) if request.method() == Method::POST => {
            match known(&state, request, &key, caller).await {
                Ok(Known::First(request)) => next.run(request).await,
                Ok(Known::Repeat(response)) => response,
                Err(refused) => refused.into_response(),
            }
        }
        _ => next.run(request).await,
    }
}

enum Known {
    First(Request),
    Repeat(Response),
}

async fn known(
    state: &AppState,
    request: Request,
    key: &HeaderValue,
    caller: String,
) -> Result<Known, Refused> {
    let key = key
        .to_str()
        .ok()
        .filter(|key| !key.is_empty() && key.len() <= KEY_LENGTH_MAX)
        .ok_or_else(|| Refused::malformed("Idempotency-Key must have 1 to 128 printable bytes."))?
        .to_owned();
    let (parts, body) = request.into_parts();
    let target = parts
        .uri
        .path_and_query()
        .map(ToString::to_string)
        .unwrap_or_default();
    let body = json::bytes(Request::from_parts(parts.clone(), body)).await?;
    let digest = Sha256::new()
        .chain_update((target.len() as u64).to_be_bytes())
        .chain_update(target)
        .chain_update(&body)
        .finalize();
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let since = state
        .clock
        .now()
        .as_millisecond()
        .saturating_sub(REMEMBERED_MS);
    let found: Option<(String, i64, Option<String>)> = sqlx::query_as(
        "SELECT digest, status, answer FROM idempotency_keys
         WHERE caller = $1 AND key = $2 AND created_at > $3",
    )
    .bind(&caller)
    .bind(&key)
    .bind(since)
    .fetch_optional(state.store.read())
    .await?;
    match found {
        Some((first, status, answer)) => replay(&first, &digest, status, answer).map(Known::Repeat),
        None => {
            let mut request = Request::from_parts(parts, body.into());
            request.extensions_mut().insert(IdempotencyKey {
                caller,
                key,
                digest,
            });
            Ok(Known::First(request))
        }
    }
}

fn replay(
    first: &str,
    digest: &str,
    status: i64,
    answer: Option<String>,
) -> Result<Response, Refused> {
    if first != digest {
        return Err(Refused::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_mismatch",
            "This Idempotency-Key was used for another request.",
        ));
    }
    let Some(answer) = answer else {
        return Err(Refused::conflict(
            "This was done already; the answer held a secret that is shown only once.",
        )
        .hint("Revoke what was made and make another one."));
    };
    let status = u16::try_from(status)
        .ok()
        .and_then(|code| StatusCode::from_u16(code).ok());
    let mut response = (status.unwrap_or(StatusCode::OK), answer).into_response();
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
