//! Which host is calling. The certificate says who it is; the database says what it is now.

use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use directory_api::rest::EventObject;
use policy::HostState;
use sqlx::FromRow;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::{HostChannel, runs};
use crate::http::{Origin, Refused, Visit};
use crate::id::Kind;
use crate::tls::PeerCertificate;

/// An enrolled host that may use the host channel now.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    /// `hst_…`
    pub(super) id: String,
    pub(super) hostname: String,
    /// Of the certificate that this call came with.
    pub(super) serial: String,
    pub(super) acked_sequence: i64,
    pub(super) origin: Origin,
}

/// Whoever calls without a certificate.
#[derive(Debug, Clone)]
pub(super) struct Stranger(pub(super) Origin);

/// A host of which only the certificate has been looked at and which may still wait for approval.
#[derive(Debug, Clone)]
pub(super) struct AnyHost;

#[derive(FromRow)]
struct Row {
    id: String,
    hostname: String,
    state: String,
    certificate_serial: String,
    previous_serial: String,
    acked_sequence: i64,
    current_run: String,
}

impl FromRequestParts<HostChannel> for Caller {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, channel: &HostChannel) -> Result<Self, Refused> {
        let (row, serial) = known_host(parts, channel).await?;
        match state(&row.state) {
            Some(HostState::Active | HostState::Quarantined) => {}
            Some(HostState::Pending) => {
                return Err(Refused::new(
                    StatusCode::FORBIDDEN,
                    "host_pending",
                    "This host waits for an administrator's approval.",
                )
                .hint("Ask for `cloudid host approve`.")
                .retry_after(30));
            }
            Some(HostState::Retired) | None => return Err(retired()),
        }
        let Stranger(mut origin) = Stranger::from_request_parts(parts, channel).await?;
        origin.actor = EventObject {
            kind: "host".to_owned(),
            id: row.id.clone(),
            name: row.hostname.clone(),
        };
        if let Some(run) = runs::of(&parts.headers)?.filter(|run| *run != row.current_run) {
            let host = (row.id.as_str(), row.hostname.as_str());
            runs::takes_turn(&channel.app, host, run, &origin).await?;
        }
        let seen = channel.seen.note(&channel.app.store, &row.id, origin.now);
        seen.await?;
        Ok(Self {
            origin,
            id: row.id,
            hostname: row.hostname,
            serial,
            acked_sequence: row.acked_sequence,
        })
    }
}

impl FromRequestParts<HostChannel> for Stranger {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, channel: &HostChannel) -> Result<Self, Refused> {
        let Visit(origin) = Visit::from_request_parts(parts, &channel.app).await?;
        Ok(Self(origin))
    }
}

impl FromRequestParts<HostChannel> for AnyHost {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, channel: &HostChannel) -> Result<Self, Refused> {
        let (row, _) = known_host(parts, channel).await?;
        match state(&row.state) {
            Some(HostState::Active | HostState::Quarantined | HostState::Pending) => Ok(Self),
            Some(HostState::Retired) | None => Err(retired()),
        }
    }
}

/// The host whose certificate this is, and the serial number of that.
async fn known_host(parts: &Parts, channel: &HostChannel) -> Result<(Row, String), Refused> {
    let Some(PeerCertificate(certificate)) = parts.extensions.get() else {
        return Err(Refused::new(
            StatusCode::UNAUTHORIZED,
            "unauthenticated",
            "This call needs the certificate of an enrolled host.",
        )
        .hint("Enrol the host with `cloudid enroll`."));
    };
    let (id, serial) = subject(certificate).ok_or_else(retired)?;
    let row: Option<Row> = sqlx::query_as(
        "SELECT id, hostname, state, certificate_serial, previous_serial, acked_sequence, current_run
         FROM hosts WHERE id = $1",
    )
    .bind(&id)
    .fetch_optional(channel.app.store.read())
    .await?;
    // The newest certificate of a host is good, and the one it was renewed with; no other,
    // whatever its dates say.
    let good = |row: &Row| [&row.certificate_serial, &row.previous_serial].contains(&&serial);
    let row = row.filter(good).ok_or_else(retired)?;
    Ok((row, serial))
}

/// Host id and serial number of a certificate whose chain TLS has verified.
fn subject(certificate: &[u8]) -> Option<(String, String)> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let mut names = certificate.subject().iter_common_name();
    let id = names.next()?.as_str().ok()?.to_owned();
    let serial = certificate.raw_serial().iter();
    let serial = serial.map(|byte| format!("{byte:02x}")).collect();
    (names.next().is_none() && Kind::Host.is_id(&id)).then_some((id, serial))
}

fn state(text: &str) -> Option<HostState> {
    match text {
        "pending" => Some(HostState::Pending),
        "active" => Some(HostState::Active),
        "quarantined" => Some(HostState::Quarantined),
        "retired" => Some(HostState::Retired),
        _ => None,
    }
}

fn retired() -> Refused {
    Refused::new(
        StatusCode::FORBIDDEN,
        "host_retired",
        "This host is retired, or its certificate was replaced.",
    )
    .hint("Enrol it again with a new token if it should come back.")
}
