//! Everything the server answers, in one place.

use std::time::Duration;

use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::middleware;
use axum::routing::get;
use axum::{Json, Router};
use directory_api::rest::{Health, Version};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use super::{Refused, caller, idempotency, request_id};
use crate::state::AppState;
use crate::{api, kick_start, pages};

/// Largest body of a request.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;

/// The whole server; `hosts` is the host channel.
pub fn router(state: AppState, hosts: Router<AppState>) -> Router {
    let api = Router::new()
        .nest("/api/v1", people(&state))
        .with_state(state.clone());
    Router::new()
        .route("/healthz", get(healthy))
        .route("/readyz", get(ready))
        .route("/version", get(version))
        .merge(hosts)
        .merge(kick_start::router())
        .merge(pages::router(state.clone(), api))
        .nest("/api/v1", people(&state))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(CatchPanicLayer::custom(|_| {
            tracing::error!("a request ended in a panic");
            axum::response::IntoResponse::into_response(Refused::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "internal",
                "The request failed inside the directory.",
            ))
        }))
        .layer(header_layer(header::CACHE_CONTROL, "no-store"))
        .layer(header_layer(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header_layer(
            header::STRICT_TRANSPORT_SECURITY,
            "max-age=31536000",
        ))
        .layer(middleware::from_fn_with_state(
            state.clone(),
            request_id::layer,
        ))
        .with_state(state)
}

/// The calls of people and programs: first who calls and whether they may, then repeats.
fn people(state: &AppState) -> Router<AppState> {
    let repeats = middleware::from_fn_with_state(state.clone(), idempotency::layer);
    let callers = middleware::from_fn_with_state(state.clone(), caller::layer);
    api::router().route_layer(repeats).route_layer(callers)
}

fn header_layer(name: HeaderName, value: &'static str) -> SetResponseHeaderLayer<HeaderValue> {
    SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
}

async fn healthy() -> Json<Health> {
    Json(Health {
        status: "ok".to_owned(),
    })
}

/// Ready means: the database answers within a second.
async fn ready(
    axum::extract::State(state): axum::extract::State<AppState>,
) -> Result<Json<Health>, Refused> {
    let answer = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM organisation")
        .fetch_one(state.store.read());
    match tokio::time::timeout(Duration::from_secs(1), answer).await {
        Ok(Ok(1)) => Ok(healthy().await),
        _ => Err(Refused::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "not_ready",
            "The directory's database does not answer.",
        )),
    }
}

async fn version() -> Json<Version> {
    Json(Version {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api: "v1".to_owned(),
    })
}

async fn unknown_path() -> Refused {
    Refused::not_found("path")
}

async fn unknown_method() -> Refused {
    Refused::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "malformed",
        "This path does not know this method.",
    )
}
