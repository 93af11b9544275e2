//! Calls of the API on behalf of whoever looks at a page: with their token, from their address,
//! through everything that guards the API.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, StatusCode, header};
use directory_api::rest::Secret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tower::ServiceExt;

use super::Pages;
use super::cookies::{Cookie, Held, is_token};
use crate::http::{Refused, RequestId};
use crate::tls::RemoteAddress;

const ANSWER_BYTES_MAX: usize = 1 << 22;

/// Somebody with a browser.
#[derive(Clone)]
pub(super) struct Visitor {
    headers: HeaderMap,
    address: Option<RemoteAddress>,
    request_id: Option<RequestId>,
}

impl FromRequestParts<Pages> for Visitor {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Pages) -> Result<Self, Self::Rejection> {
        Ok(Self {
            headers: parts.headers.clone(),
            address: parts.extensions.get().cloned(),
            request_id: parts.extensions.get().cloned(),
        })
    }
}

impl Visitor {
    pub(super) fn of(request: &Request) -> Self {
        Self {
            headers: request.headers().clone(),
            address: request.extensions().get().cloned(),
            request_id: request.extensions().get().cloned(),
        }
    }

    /// Their session.
    pub(super) fn session(&self) -> Result<Held, Trouble> {
        let held = Cookie::Session.read(&self.headers);
        held.ok_or_else(Trouble::signed_out)
    }

    /// Their sign-in that waits for a code.
    pub(super) fn second_step(&self) -> Result<Held, Trouble> {
        let held = Cookie::SecondStep.read(&self.headers);
        held.ok_or_else(Trouble::signed_out)
    }

    /// Their enrolment.
    pub(super) fn enrolment(&self) -> Result<Held, Trouble> {
        let held = Cookie::Enrolment.read(&self.headers);
        held.ok_or_else(Trouble::signed_out)
    }
}

/// Why a page cannot be shown or a form was not accepted.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) status: StatusCode,
    /// As in the problem; empty where the page itself found the trouble.
    pub(super) code: &'static str,
    pub(super) detail: String,
    pub(super) hint: String,
    pub(super) unmet: Vec<String>,
    /// The password is what a proof is asked of.
    pub(super) wants_password: bool,
    /// The ticket of a sign-in that waits for a code.
    pub(super) ticket: Option<Box<Secret>>,
}

impl Trouble {
    pub(super) fn new(status: StatusCode, detail: &str) -> Self {
        Self {
            status,
            code: "",
            detail: detail.to_owned(),
            hint: String::new(),
            unmet: Vec::new(),
            wants_password: false,
            ticket: None,
        }
    }

    pub(super) fn signed_out() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "You are not signed in, or not any more.",
        )
    }

    fn of(refused: &Refused, status: StatusCode) -> Self {
        let problem = refused.body("");
        Self {
            status,
            code: refused.code(),
            detail: problem.detail,
            hint: problem.hint,
            unmet: problem.unmet,
            wants_password: problem.errors.iter().any(|error| error.field == "password"),
            ticket: problem.second_step.map(|step| Box::new(step.ticket)),
        }
    }
}

/// A call: method, path below `/api/v1`, and the token of whoever is signed in.
pub(super) struct Asking<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) session: Option<&'a Held>,
}

/// `GET`.
pub(super) fn get<'a>(path: &'a str, session: Option<&'a Held>) -> Asking<'a> {
    Asking {
        method: Method::GET,
        path,
        session,
    }
}

/// `POST`.
pub(super) fn post<'a>(path: &'a str, session: Option<&'a Held>) -> Asking<'a> {
    Asking {
        method: Method::POST,
        path,
        session,
    }
}

/// `DELETE`.
pub(super) fn delete<'a>(path: &'a str, session: &'a Held) -> Asking<'a> {
    Asking {
        method: Method::DELETE,
        path,
        session: Some(session),
    }
}

impl Pages {
    /// Calls and reads the answer; `null` where there is none.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        visitor: &Visitor,
        asking: &Asking<'_>,
        body: &impl Serialize,
    ) -> Result<T, Trouble> {
        let broken = || {
            Trouble::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The directory cannot show this at the moment.",
            )
        };
        let request = request(visitor, asking, body).ok_or_else(broken)?;
        let Ok(response) = self.api.clone().oneshot(request).await;
        let (parts, body) = response.into_parts();
        if let Some(refused) = parts.extensions.get::<Arc<Refused>>() {
            return Err(Trouble::of(refused, parts.status));
        }
        if !parts.status.is_success() {
            return Err(broken());
        }
        let bytes = axum::body::to_bytes(body, ANSWER_BYTES_MAX).await;
        let bytes = bytes.map_err(|_| broken())?;
        let text: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(text).map_err(|error| {
            tracing::error!(%error, "a page does not understand an answer of the API");
            broken()
        })
    }
}

fn request(visitor: &Visitor, asking: &Asking<'_>, body: &impl Serialize) -> Option<Request> {
    let body = serde_json::to_vec(body).ok().filter(|text| text != b"null");
    let body = body.map_or_else(Body::empty, Body::from);
    let mut request = Request::builder()
        .method(&asking.method)
        .uri(format!("/api/v1{}", asking.path));
    if asking.method != Method::GET {
        request = request.header(header::CONTENT_TYPE, "application/json");
    }
    if let Some(held) = asking.session {
        let bearer = format!("Bearer {}", held.secret());
        request = request.header(header::AUTHORIZATION, bearer);
    }
    if let Some(address) = visitor.address {
        request = request.extension(address);
    }
    if let Some(id) = visitor.request_id.clone() {
        request = request.extension(id);
    }
    request.body(body).ok()
}

/// A path with something that a browser sent in it, if that can stand there.
pub(super) fn path(before: &str, part: &str, after: &str) -> Result<String, Trouble> {
    if is_token(part) {
        Ok(format!("{before}{part}{after}"))
    } else {
        Err(Trouble::new(
            StatusCode::NOT_FOUND,
            "There is nothing under this address.",
        ))
    }
}
