//! Query strings of lists, and answers to GET. A parameter that a call does not know is refused,
//! so that a mistyped filter never shows everything.

use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use directory_api::rest::{Page, PageQuery};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Refused, etag};

const LIMIT_DEFAULT: u32 = 50;
const LIMIT_MAX: u32 = 200;

/// The typed parameters of a query string.
#[derive(Debug)]
pub struct Filters<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Filters<T> {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refused> {
        axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map(|query| Self(query.0))
            .map_err(|error| {
                let text = std::error::Error::source(&error)
                    .map_or_else(|| error.to_string(), ToString::to_string);
                let code = if text.contains("unknown field") {
                    "unknown_field"
                } else {
                    "malformed"
                };
                Refused::new(StatusCode::BAD_REQUEST, code, format!("{text}."))
            })
    }
}

/// Where a page begins and how long it is.
#[derive(Debug, Clone)]
pub struct Paging {
    /// Objects on the page.
    pub limit: u32,
    /// Only what comes behind this id.
    pub after: String,
    /// Whether the total is wanted.
    pub count: bool,
}

impl Paging {
    /// Checks the parameters.
    ///
    /// # Errors
    /// The limit is not between 1 and 200.
    pub fn of(query: &PageQuery) -> Result<Self, Refused> {
        let limit = query.limit.unwrap_or(LIMIT_DEFAULT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(Refused::new(
                StatusCode::BAD_REQUEST,
                "malformed",
                format!("limit must be between 1 and {LIMIT_MAX}."),
            ));
        }
        Ok(Self {
            limit,
            after: query.cursor.clone().unwrap_or_default(),
            count: query.count.unwrap_or(false),
        })
    }

    /// One object more than fits tells whether there is another page.
    #[must_use]
    pub fn fetch(&self) -> i64 {
        i64::from(self.limit) + 1
    }

    /// Makes the page of what was fetched; `cursor` tells the place of an object.
    pub fn page<T>(&self, mut items: Vec<T>, cursor: impl Fn(&T) -> String) -> Page<T> {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(cursor);
        Page {
            items,
            next_cursor,
            total: None,
        }
    }
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
