//! `/agent/v1`: what hosts are told and what they say. A host speaks only for itself, by the
//! certificate of its own key; whether it still may is asked of the database at every call.

mod acks;
mod attempts;
mod bundle;
mod caller;
mod certificates;
mod codes;
mod enroll;
mod events;
mod hostname;
mod open_streams;
mod owners;
mod passwords;
mod runs;
mod seen;
mod stream;
mod tags;
mod token;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::keys::SigningKeys;
use crate::publish::Wakes;
use crate::state::AppState;

use acks::AckWriter;
use attempts::Attempts;
use open_streams::OpenStreams;
use seen::Seen;

/// What the host channel needs besides the rest of the server.
#[derive(Clone)]
pub struct HostChannel {
    app: AppState,
    keys: Arc<SigningKeys>,
    wakes: Wakes,
    attempts: Arc<Attempts>,
    seen: Arc<Seen>,
    acks: AckWriter,
    streams: OpenStreams,
}

impl HostChannel {
    /// Puts the parts together and starts the writer of acknowledgements: within a runtime.
    #[must_use]
    pub fn new(app: AppState, keys: Arc<SigningKeys>, wakes: Wakes) -> Self {
        Self {
            acks: AckWriter::start(app.store.clone()),
            app,
            keys,
            wakes,
            attempts: Arc::default(),
            seen: Arc::default(),
            streams: OpenStreams::default(),
        }
    }
}

/// The calls of hosts.
pub fn router(channel: HostChannel) -> Router<AppState> {
    Router::new()
        .route("/agent/v1/enroll", post(enroll::enroll))
        .route("/agent/v1/root", get(bundle::root))
        .route("/agent/v1/manifest", get(bundle::manifest))
        .route("/agent/v1/chunks/{name}", get(bundle::chunk))
        .route("/agent/v1/stream", get(stream::stream))
        .route("/agent/v1/acks", post(acks::acknowledge))
        .route("/agent/v1/events", post(events::take))
        .route("/agent/v1/passwords", post(passwords::change))
        .route("/agent/v1/verify", post(passwords::verify))
        .route("/agent/v1/codes", post(codes::check))
        .route("/agent/v1/owners", post(owners::owners))
        .route("/agent/v1/certificates/renew", post(certificates::renew))
        .with_state(channel)
}
