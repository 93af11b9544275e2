//! Every request has an id: the caller's, where it is a sound one, or ours. It is echoed, written
//! into problems and stored in audit events.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Refused;
use crate::state::AppState;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const LENGTH_MAX: usize = 64;

/// The id of a request.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

/// The outermost layer: gives the id, and writes the body of problems.
pub(super) async fn layer(
    State(state): State<AppState>,
    mut request: Request,
    next: Next,
) -> Response {
    let id = match given(&request) {
        Some(id) => id,
        None => match state.random.bytes::<16>() {
            Ok(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
            Err(error) => return Refused::from(error).into_response(),
        },
    };
    request.extensions_mut().insert(RequestId(id.clone()));
    let (method, path) = (request.method().clone(), path_of(request.uri()));
    let response = with_problem_body(next.run(request).await, &id);
    let status = response.status().as_u16();
    tracing::info!(%method, path, status, request_id = id, "request");
    with_id(response, &id)
}

/// The path only: a query can hold what must not stand in a log, and so can the link of an
/// invitation.
fn path_of(uri: &Uri) -> String {
    let mut after_enroll = false;
    let parts = uri.path().split('/').map(|part| {
        let shown = if after_enroll { "(code)" } else { part };
        after_enroll = part == "enroll";
        shown
    });
    posix_names::clean_line(&parts.collect::<Vec<_>>().join("/"), 256)
}

fn given(request: &Request) -> Option<String> {
    let id = request.headers().get(HEADER)?.to_str().ok()?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let sound = !id.is_empty() && id.len() <= LENGTH_MAX && id.bytes().all(plain);
    sound.then(|| id.to_owned())
}

fn with_problem_body(response: Response, id: &str) -> Response {
    let Some(refused) = response.extensions().get::<Arc<Refused>>().cloned() else {
        return response;
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/problem+json"),
    );
    parts.headers.remove(header::CONTENT_LENGTH);
    let body = serde_json::to_vec(&refused.body(id)).unwrap_or_default();
    Response::from_parts(parts, body.into())
}

fn with_id(mut response: Response, id: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn web_08_the_log_shows_no_code_of_an_invitation() {
        for (path, logged) in [
            ("/enroll/cle_secret", "/enroll/(code)"),
            (
                "/api/v1/enroll/cle_secret/test",
                "/api/v1/enroll/(code)/test",
            ),
            ("/api/v1/users/alice?code=cle_secret", "/api/v1/users/alice"),
        ] {
            assert_eq!(path_of(&path.parse().unwrap()), logged);
        }
    }
}
