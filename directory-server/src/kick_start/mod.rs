//! What a machine needs to become a host by one line: `/install.sh`, a script that holds no secret,
//! and the packages it fetches. Both are for strangers, so nothing here depends on who asks.

mod packages;
mod script;

use std::io;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream;
use tokio::fs::File;
use tokio::io::AsyncReadExt;
use tokio::sync::OwnedSemaphorePermit;

use crate::http::Refused;
use crate::state::AppState;
pub use packages::{Offer, OpenPackage, Package, Packages};
pub use script::{Directory, install_line, install_script};

const CHUNK_BYTES: usize = 64 * 1024;

/// The script and the packages.
pub(crate) fn router() -> Router<AppState> {
    Router::new()
        .route("/install.sh", get(script))
        .route("/packages/{name}", get(package))
}

/// Always a script: what is wrong is told where the line was typed.
async fn script(State(state): State<AppState>) -> Response {
    let offer = match state.packages.offered().await {
        Ok(offer) => offer,
        Err(error) => {
            tracing::warn!(%error, "the packages for new hosts cannot be read");
            Offer::default()
        }
    };
    let script = install_script(&Directory::of(&state), &offer);
    (
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        script,
    )
        .into_response()
}

async fn package(
    State(state): State<AppState>,
    Path(name): Path<String>,
) -> Result<Response, Refused> {
    let opened = state.packages.open(&name).await.map_err(|error| {
        tracing::warn!(%error, name, "a package cannot be read");
        unready("The package cannot be read.")
    })?;
    let package = opened.ok_or_else(|| Refused::not_found("package"))?;
    let place = state
        .packages
        .place()
        .ok_or_else(|| unready("Too many packages are being fetched.").retry_after(5))?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, package.bytes.to_string()),
    ];
    Ok((headers, streamed(package.file, place)).into_response())
}

fn unready(detail: &str) -> Refused {
    Refused::new(StatusCode::SERVICE_UNAVAILABLE, "not_ready", detail)
}

/// A piece at a time, as fast as the host takes it. The place is free when the body is gone.
fn streamed(file: File, place: OwnedSemaphorePermit) -> Body {
    Body::from_stream(stream::try_unfold(
        (file, place),
        |(mut file, place)| async {
            let mut chunk = vec![0; CHUNK_BYTES];
            let read = file.read(&mut chunk).await?;
            chunk.truncate(read);
            Ok::<_, io::Error>((read > 0).then(|| (Bytes::from(chunk), (file, place))))
        },
    ))
}
