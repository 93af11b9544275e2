//! The OpenAPI document, made from the table of calls and the types of the contract.

use std::sync::LazyLock;

use axum::Router;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::get;
use directory_api::rest::PageQuery;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::ParameterIn;
use utoipa::{IntoParams, OpenApi};

use crate::access::{Access, TABLE};
use crate::state::AppState;

use super::operations::{Operation, operation};

pub(super) fn router() -> Router<AppState> {
    Router::new().route("/openapi.json", get(show))
}

static TEXT: LazyLock<String> =
    LazyLock::new(|| serde_json::to_string_pretty(&document()).unwrap_or_default());

async fn show() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str())
}

/// The whole document.
#[must_use]
pub fn document() -> Value {
    let mut paths = Map::new();
    for (method, path, access) in TABLE {
        let entry = paths.entry((*path).to_owned()).or_insert_with(|| json!({}));
        if let Value::Object(methods) = entry {
            methods.insert(
                method.to_ascii_lowercase(),
                described(method, path, *access),
            );
        }
    }
    let schemas = serde_json::to_value(super::schemas::Schemas::openapi())
        .ok()
        .and_then(|document| document.pointer("/components/schemas").cloned())
        .unwrap_or_default();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "cloudid directory",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Errors are application/problem+json (schema Problem). Lists take limit, \
                cursor, count, sort and filter, and tell the address of the next page in Link. Writes take dry_run=true and then answer a Preview. POST takes Idempotency-Key. \
                PATCH takes a JSON merge patch. If-Match is required for PATCH and DELETE of users, \
                groups, access rules and policies."
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}
        },
        "security": [{"bearer": []}]
    })
}

/// Lists that the engine makes anew at each call, whole.
const WHOLE: &[&str] = &[
    "/api/v1/me/access",
    "/api/v1/me/mfa",
    "/api/v1/users/{id}/access",
    "/api/v1/hosts/{id}/users",
    "/api/v1/roles",
    "/api/v1/who-can",
    "/api/v1/what-can",
];

/// What every list takes.
fn paging() -> impl Iterator<Item = Value> {
    PageQuery::into_params(|| Some(ParameterIn::Query))
        .into_iter()
        .filter_map(|parameter| serde_json::to_value(parameter).ok())
}

fn described(method: &str, path: &str, access: Access) -> Value {
    let Operation {
        summary,
        request,
        answer,
    } = operation(method, path);
    let mut described = Map::new();
    described.insert("summary".to_owned(), summary.into());
    let needs = match access {
        Access::Anonymous => "nothing".to_owned(),
        Access::Own => "being signed in".to_owned(),
        Access::OwnCredentials => "being signed in as a person".to_owned(),
        Access::Needs(action) => format!("{action:?}"),
    };
    described.insert("x-needs".to_owned(), needs.into());
    if access == Access::Anonymous {
        described.insert("security".to_owned(), json!([]));
    }
    let in_path = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}}));
    let mut parameters: Vec<Value> = in_path.collect();
    if answer.is_some_and(|answer| answer.starts_with("[]")) && !WHOLE.contains(&path) {
        parameters.extend(paging());
    }
    if !parameters.is_empty() {
        described.insert("parameters".to_owned(), parameters.into());
    }
    if let Some(request) = request {
        let kind = if method == "PATCH" {
            "application/merge-patch+json"
        } else {
            "application/json"
        };
        described.insert(
            "requestBody".to_owned(),
            json!({"content": {kind: {"schema": reference(request)}}}),
        );
    }
    let good = match answer {
        Some(answer) => {
            json!({"description": "done", "content": {"application/json": {"schema": reference(answer)}}})
        }
        None => json!({"description": "done"}),
    };
    let problem = json!({"description": "refused", "content": {"application/problem+json": {"schema": reference("Problem")}}});
    described.insert(
        "responses".to_owned(),
        json!({"2XX": good, "4XX": problem, "5XX": problem}),
    );
    Value::Object(described)
}

/// `[]Name` is a page of those.
fn reference(name: &str) -> Value {
    match name.strip_prefix("[]") {
        Some(item) => json!({
            "type": "object",
            "required": ["items"],
            "properties": {
                "items": {"type": "array", "items": reference(item)},
                "next_cursor": {"type": "string"},
                "total": {"type": "integer"}
            }
        }),
        None => json!({"$ref": format!("#/components/schemas/{name}")}),
    }
}
