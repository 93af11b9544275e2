//! Query strings of lists, and answers to GET. A parameter that a call does not know is refused,
//! so that a mistyped filter never shows everything.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Refused, etag};

/// The typed parameters of a query string.
#[derive(Debug)]
pub struct Filters<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Filters<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// Reads a query string; a parameter that is unknown, twice there or wrong is refused.
///
/// # Errors
/// It is.
pub(super) fn read<T: DeserializeOwned>(query: &str) -> Result<T, Refused> {
    serde_urlencoded::from_str(query).map_err(|error| {
        let text = error.to_string();
        let code = if text.starts_with("unknown field") {
            "unknown_field"
        } else {
            "malformed"
        };
        Refused::new(StatusCode::BAD_REQUEST, code, format!("{text}."))
    })
}

/// An object with its `ETag`; 304 for who has that version already.
pub fn answer_object<T: Serialize>(headers: &HeaderMap, object: &T, version: i64) -> Response {
    let tag = etag(version);
    let known = headers
        .get(header::IF_NONE_MATCH)
        .is_some_and(|given| given.as_bytes() == tag.as_bytes());
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(object).into_response()
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}
