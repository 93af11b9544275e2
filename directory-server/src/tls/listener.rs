//! The TLS listener. Hosts show their certificate, people do not; which calls need one is decided
//! behind it. The certificate and the address of the peer travel as request extensions.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::RootCertStore;
use rustls::ServerConfig;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::places::{Place, Places};

const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
const STREAMS_PER_CONNECTION: u32 = 64;
/// A peer that is silent for so long is asked for a sign of life, and has as long to give one.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// After this a connection without a host's certificate takes no new requests: an idle one ends.
const STRANGER_AGE_MAX: Duration = Duration::from_secs(3600);
const HEADER_BYTES_MAX: u32 = 64 * 1024;

/// The verified client certificate (DER), where one was shown.
#[derive(Debug, Clone)]
pub struct PeerCertificate(pub CertificateDer<'static>);

/// Where the connection comes from.
#[derive(Debug, Clone, Copy)]
pub struct RemoteAddress(pub SocketAddr);

/// Why the listener cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The certificate chain or key is not PEM.
    #[error("the TLS certificate or key cannot be read: {0}")]
    Pem(#[from] rustls_pki_types::pem::Error),
    /// Certificate and key do not fit.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// The hosts' CA cannot be used.
    #[error("the CA for hosts cannot be used: {0}")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
}

/// TLS 1.3 with this certificate; client certificates of `hosts_ca` are verified when shown.
///
/// # Errors
/// A file is not what it should be.
pub fn acceptor(
    chain_pem: &str,
    key_pem: &str,
    hosts_ca: &CertificateDer<'static>,
) -> Result<TlsAcceptor, ListenError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(hosts_ca.clone())?;
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
            .allow_unauthenticated()
            .build()?;
    let chain =
        CertificateDer::pem_slice_iter(chain_pem.as_bytes()).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key_pem.as_bytes())?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Serves until `stop` turns true, then lets running requests end.
///
/// # Errors
/// The listener breaks.
pub async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    router: Router,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let places = Places::default();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => return Ok(()),
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, or a peer that left already: neither ends the service.
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let Some(place) = places.take(address.ip()) else {
            continue;
        };
        tokio::spawn(connection(
            (stream, address, place),
            acceptor.clone(),
            router.clone(),
            stop.clone(),
        ));
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A sender that is gone means the same as a word to stop.
    drop(stop.wait_for(|stop| *stop).await);
}

async fn connection(
    (stream, address, mut place): (TcpStream, SocketAddr, Place),
    acceptor: TlsAcceptor,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let handshake = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream));
    let Ok(Ok(stream)) = handshake.await else {
        return tracing::debug!(%address, "no TLS handshake");
    };
    let peer = stream
        .get_ref()
        .1
        .peer_certificates()
        .and_then(|chain| chain.first())
        .map(|certificate| PeerCertificate(certificate.clone().into_owned()));
    let old = match peer {
        Some(_) => {
            place.is_of_a_host();
            Duration::MAX
        }
        None => STRANGER_AGE_MAX,
    };
    let service =
        hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
            let mut request: Request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(RemoteAddress(address));
            if let Some(peer) = peer.clone() {
                request.extensions_mut().insert(peer);
            }
            router.clone().oneshot(request)
        });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(SILENCE_MAX)
        .keep_alive_timeout(SILENCE_MAX)
        .max_header_list_size(HEADER_BYTES_MAX)
        .max_concurrent_streams(STREAMS_PER_CONNECTION);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
        () = tokio::time::sleep(old) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%address, %error, "connection ended");
    }
}
