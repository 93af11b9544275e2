//! How a request is refused: status, stable code, what, why and what to do next. The request id is
//! put in last, by the layer that knows it.

use std::sync::Arc;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use directory_api::rest::{FieldProblem, PROBLEM_TYPE_PREFIX, Problem, SecondStep};

use crate::clock::NoRandomness;

/// A refusal on its way out.
#[derive(Debug, Clone)]
pub struct Refused(Box<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: String,
    hint: String,
    errors: Vec<FieldProblem>,
    unmet: Vec<String>,
    retry_after_s: Option<u64>,
    second_step: Option<SecondStep>,
}

impl Refused {
    /// A refusal with a code of the catalogue.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            detail: detail.into(),
            hint: String::new(),
            errors: Vec::new(),
            unmet: Vec::new(),
            retry_after_s: None,
            second_step: None,
        }))
    }

    /// There is no such object, or none that the caller may see.
    #[must_use]
    pub fn not_found(kind: &str) -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            format!("There is no such {kind}."),
        )
        .hint("Check the name or id.")
    }

    /// The caller may not do this.
    #[must_use]
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
            .hint("Ask an owner of the directory for the role it takes.")
    }

    /// A field says something impossible.
    #[must_use]
    pub fn invalid(field: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail).field(field, "invalid")
    }

    /// The request cannot be read at all.
    #[must_use]
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", detail)
    }

    /// Something else stands in the way.
    #[must_use]
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = hint.into();
        self
    }

    /// The same under another status.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.0.status = status;
        self
    }

    /// Names a field.
    #[must_use]
    pub fn field(mut self, field: &str, code: &str) -> Self {
        self.0.errors.push(FieldProblem {
            field: field.to_owned(),
            code: code.to_owned(),
        });
        self
    }

    /// Names the rules that a password does not meet.
    #[must_use]
    pub fn unmet(mut self, unmet: Vec<String>) -> Self {
        self.0.unmet = unmet;
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds);
        self
    }

    /// Says how a sign-in goes on.
    #[must_use]
    pub fn second_step(mut self, step: SecondStep) -> Self {
        self.0.second_step = Some(step);
        self
    }

    /// The status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.0.status
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// What happened.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The body, once the request id is known.
    #[must_use]
    pub fn body(&self, request_id: &str) -> Problem {
        let title = self.0.code.replace('_', " ");
        Problem {
            kind: format!("{PROBLEM_TYPE_PREFIX}{}", self.0.code),
            title,
            status: self.0.status.as_u16(),
            code: self.0.code.to_owned(),
            detail: self.0.detail.clone(),
            hint: self.0.hint.clone(),
            request_id: request_id.to_owned(),
            errors: self.0.errors.clone(),
            unmet: self.0.unmet.clone(),
            second_step: self.0.second_step.clone(),
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.0.status.into_response();
        if let Some(seconds) = self.0.retry_after_s {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            let headers = response.headers_mut();
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        tracing::error!(%error, "the database failed");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_ready",
            "The directory's database does not answer; nothing was changed.",
        )
        .hint("Try again; if it stays so, look into the server's log.")
        .retry_after(5)
    }
}

impl From<NoRandomness> for Refused {
    fn from(error: NoRandomness) -> Self {
        tracing::error!(%error, "no randomness");
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_ready",
            error.to_string(),
        )
    }
}

impl From<serde_json::Error> for Refused {
    fn from(error: serde_json::Error) -> Self {
        tracing::error!(%error, "a stored value cannot be read");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "A stored value cannot be read; nothing was changed.",
        )
        .hint("Look into the server's log under this request id.")
    }
}
