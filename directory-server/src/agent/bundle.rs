//! Root chain, manifest and chunks. All are signed or named by their hash; a host gets only its own.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::HostChannel;
use super::caller::{AnyHost, Caller};
use crate::http::Refused;

/// Longest wait for a newer manifest.
const WAIT_S_MAX: u64 = 60;
const BYTES: (header::HeaderName, HeaderValue) = (
    header::CONTENT_TYPE,
    HeaderValue::from_static("application/octet-stream"),
);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wait {
    /// Answer only when there is a newer one.
    after: Option<u64>,
    /// How long to wait for it, in seconds.
    #[serde(default)]
    wait: u64,
}

pub(super) async fn root(_: AnyHost, State(channel): State<HostChannel>) -> Response {
    ([BYTES], channel.keys.root_chain().to_vec()).into_response()
}

pub(super) async fn manifest(
    caller: Caller,
    Query(wait): Query<Wait>,
    headers: HeaderMap,
    State(channel): State<HostChannel>,
) -> Result<Response, Refused> {
    let known = wait.after.or_else(|| known_version(&headers));
    // Followed before the look into the database, so that nothing falls between the two.
    let mut versions = channel.wakes.follow(&caller.id);
    let newest = newest(&channel, &caller.id).await?;
    let is_news = |found: &Option<(u64, Vec<u8>)>| {
        let version = found.as_ref().map(|(version, _)| *version);
        version.is_some() && version != known
    };
    if is_news(&newest) || wait.wait == 0 {
        return answer(newest, known);
    }
    let patience = Duration::from_secs(wait.wait.min(WAIT_S_MAX));
    let _ = tokio::time::timeout(patience, versions.changed()).await;
    answer(self::newest(&channel, &caller.id).await?, known)
}

pub(super) async fn chunk(
    caller: Caller,
    Path(name): Path<String>,
    State(channel): State<HostChannel>,
) -> Result<Response, Refused> {
    let content: Option<String> =
        sqlx::query_scalar("SELECT content FROM chunks WHERE host_id = $1 AND hash = $2")
            .bind(&caller.id)
            .bind(&name)
            .fetch_optional(channel.app.store.read())
            .await?;
    let content = content.ok_or_else(|| Refused::not_found("chunk"))?;
    Ok(([BYTES], bytes(&content)?).into_response())
}

/// The newest manifest of a host and its version.
async fn newest(channel: &HostChannel, host: &str) -> Result<Option<(u64, Vec<u8>)>, Refused> {
    let row: Option<(i64, String)> = sqlx::query_as(
        "SELECT version, manifest FROM manifests WHERE host_id = $1 ORDER BY version DESC LIMIT 1",
    )
    .bind(host)
    .fetch_optional(channel.app.store.read())
    .await?;
    row.map(|(version, text)| Ok((version.unsigned_abs(), bytes(&text)?)))
        .transpose()
}

fn answer(newest: Option<(u64, Vec<u8>)>, known: Option<u64>) -> Result<Response, Refused> {
    let Some((version, manifest)) = newest else {
        return Err(Refused::not_found("bundle yet for this host").retry_after(1));
    };
    let etag = HeaderValue::from_str(&format!("\"{version}\""))
        .map_err(|_| Refused::not_found("bundle"))?;
    if known == Some(version) {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, etag)]).into_response());
    }
    Ok(([BYTES, (header::ETAG, etag)], Bytes::from(manifest)).into_response())
}

fn known_version(headers: &HeaderMap) -> Option<u64> {
    let tag = headers.get(header::IF_NONE_MATCH)?.to_str().ok()?;
    tag.trim_matches('"').parse().ok()
}

fn bytes(text: &str) -> Result<Vec<u8>, Refused> {
    BASE64_STANDARD.decode(text).map_err(|error| {
        tracing::error!(%error, "a stored manifest or chunk is damaged");
        Refused::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "What is stored for this host is damaged.",
        )
    })
}
