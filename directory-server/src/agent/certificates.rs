//! A host's certificate, renewed before it ends: for the same host and the same key, by a host that
//! may still use the channel. The one it was renewed with stays good until its own end.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use directory_api::agent::{CertificateRenewal, CertificateRenewed};
use rcgen::{CertificateSigningRequestParams, PublicKeyData};
use sha2::{Digest, Sha256};

use super::HostChannel;
use super::caller::Caller;
use crate::audit::{self, Draft};
use crate::http::{Body, Refused};

const REQUEST_BYTES_MAX: usize = 64 * 1024;
/// Renewals of one host in a minute.
const TRIES_PER_HOST: u32 = 5;

pub(super) async fn renew(
    caller: Caller,
    State(channel): State<HostChannel>,
    Body(renewal): Body<CertificateRenewal>,
) -> Result<Json<CertificateRenewed>, Refused> {
    let (app, now) = (&channel.app, caller.origin.now);
    channel
        .attempts
        .count(&format!("renew {}", caller.id), TRIES_PER_HOST, now)
        .map_err(|many| {
            let detail = "Too many renewals of this host's certificate.";
            Refused::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", detail)
                .retry_after(many.retry_after_s)
        })?;
    let fingerprint = fingerprint(&renewal.certificate_request)?;
    let (certificate, serial) = app
        .authority
        .issue_host(
            &renewal.certificate_request,
            &caller.id,
            app.config.keys.host_certificate_ttl,
            (now, &app.random),
        )
        .map_err(|error| Refused::invalid("certificate_request", error.to_string()))?;
    let mut tx = app.store.write().await?;
    // Whoever was retired since the call began stays retired.
    let renewed = sqlx::query(
        "UPDATE hosts SET certificate_serial = $2, previous_serial = $3
         WHERE id = $1 AND state IN ('active', 'quarantined') AND public_key_fingerprint = $4
           AND $3 IN (certificate_serial, previous_serial)",
    )
    .bind(&caller.id)
    .bind(&serial)
    .bind(&caller.serial)
    .bind(&fingerprint)
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if renewed != 1 {
        let detail = "A certificate is renewed for the key that was enrolled.";
        return Err(Refused::invalid("certificate_request", detail)
            .hint("Enrol the host again to give it another key."));
    }
    let draft = Draft::new("host.certificate_renewed")
        .host(&caller.id, &caller.hostname)
        .target("host", &caller.id, &caller.hostname)
        .detail("serial", serial)
        .detail("previous_serial", caller.serial.as_str());
    audit::append(
        &mut tx,
        &app.organisation.id,
        draft,
        &caller.origin,
        &app.random,
    )
    .await?;
    tx.commit().await?;
    Ok(Json(CertificateRenewed { certificate }))
}

/// SHA-256 of the request's key. Reading a request checks its own signature: the host has the key.
fn fingerprint(request: &str) -> Result<String, Refused> {
    if request.len() > REQUEST_BYTES_MAX {
        return Err(Refused::invalid("certificate_request", "Too long."));
    }
    let request = CertificateSigningRequestParams::from_pem(request)
        .map_err(|error| Refused::invalid("certificate_request", error.to_string()))?;
    let digest = Sha256::digest(request.public_key.subject_public_key_info());
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
