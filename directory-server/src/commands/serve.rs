//! `serve`: opens the database, or says why not, and answers until it is told to stop.

use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::{CommandError, Outside, read_text, state_of};
use crate::agent::{self, HostChannel};
use crate::config::Config;
use crate::keys::SigningKeys;
use crate::publish::{Publisher, Wakes};
use crate::{http, tls, upkeep};

pub(super) async fn run(outside: Outside, config: Config) -> Result<(), CommandError> {
    start_log();
    let state = state_of(outside, config).await?;
    let server = &state.config.server;
    let (chain_pem, key_pem) = (read_text(&server.tls_cert)?, read_text(&server.tls_key)?);
    let acceptor = tls::acceptor(&chain_pem, &key_pem, state.authority.certificate())?;
    let address = server.listen;
    let listener = TcpListener::bind(address)
        .await
        .map_err(|error| CommandError::Bind(address, error))?;
    let (keys, organisation) = (&state.config.keys, &state.organisation.id);
    let signing = SigningKeys::load(keys, organisation, state.clock.now())?;
    let store = state.store.clone();
    let (signing, wakes) = (Arc::new(signing), Wakes::default());
    let publisher = Publisher::new(state.clone(), Arc::clone(&signing), wakes.clone()).await?;
    publisher.start();
    upkeep::start(state.clone());
    let hosts = agent::router(HostChannel::new(state.clone(), signing, wakes));
    let (stop, stopping) = watch::channel(false);
    tokio::spawn(async move {
        told_to_stop().await;
        let _ = stop.send(true);
    });
    tracing::info!(%address, "serving");
    let served = tls::serve(listener, acceptor, http::router(state, hosts), stopping).await;
    store.close().await;
    served.map_err(|error| CommandError::Bind(address, error))
}

async fn told_to_stop() {
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        Err(_) => {
            let _ = tokio::signal::ctrl_c().await;
        }
    }
    tracing::info!("stopping");
}

fn start_log() {
    let _ = tracing_subscriber::fmt()
        // A log line that cannot be written, on a full disk say, must not end what it was about.
        .log_internal_errors(false)
        .with_max_level(tracing::Level::INFO)
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .try_init();
}
