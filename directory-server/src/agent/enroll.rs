//! A machine becomes a host. The token never travels: its key signs the request, which names the
//! host's own keys, so nothing in between can exchange them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use directory_api::agent::{EnrollAnswer, EnrollRequest};
use rcgen::{CertificateSigningRequestParams, PublicKeyData};
use sha2::{Digest, Sha256};

use super::HostChannel;
use super::caller::Stranger;
use super::hostname::Hostname;
use super::tags::tags_of;
use super::token::{Token, TokenRefused, decoded};
use crate::audit::{self, Draft, Outcome, Severity};
use crate::dirty::Touched;
use crate::http::{Body, Origin, Refused};
use crate::id::Kind;
use crate::limiter::source_key;
use crate::store::Writing;

/// Tries of one address in a minute, successes not counted.
const TRIES_PER_ADDRESS: u32 = 10;
/// Tries with one token id in a minute, wherever they come from.
const TRIES_PER_TOKEN: u32 = 20;
const REQUEST_BYTES_MAX: usize = 64 * 1024;

/// A request of which every part has been looked at.
struct Checked {
    hostname: Hostname,
    sealing_key: String,
    key_fingerprint: String,
}

pub(super) async fn enroll(
    Stranger(origin): Stranger,
    State(channel): State<HostChannel>,
    Body(request): Body<EnrollRequest>,
) -> Result<Json<EnrollAnswer>, Refused> {
    let callers = [
        (
            format!("enroll {}", source_key(origin.source)),
            TRIES_PER_ADDRESS,
        ),
        (format!("token {}", request.token_id), TRIES_PER_TOKEN),
    ];
    for (caller, most) in &callers {
        if let Err(too_many) = channel.attempts.count(caller, *most, origin.now) {
            if too_many.first {
                bad_try(&channel, &request, &origin, "throttled").await?;
            }
            return Err(throttled(too_many.retry_after_s));
        }
    }
    let token = match Token::proven(&channel.app.store, &request).await? {
        Ok(token) => token,
        Err(refused) => return Err(refuse(&channel, &request, &origin, refused).await?),
    };
    let checked = Checked::of(&request)?;
    match admitted(&channel, (&request, &origin), &token, &checked).await? {
        Ok(answer) => {
            for (caller, _) in &callers {
                channel.attempts.forgive(caller);
            }
            Ok(Json(answer))
        }
        Err(refused) => Err(refuse(&channel, &request, &origin, refused).await?),
    }
}

impl Checked {
    fn of(request: &EnrollRequest) -> Result<Self, Refused> {
        if request.certificate_request.len() > REQUEST_BYTES_MAX {
            return Err(Refused::invalid("certificate_request", "Too long."));
        }
        let sealing_key: [u8; 32] = decoded(&request.sealing_key)
            .ok_or_else(|| Refused::invalid("sealing_key", "Not 32 bytes of base64."))?;
        // Reading a request checks its own signature: the host has the private key.
        let csr = CertificateSigningRequestParams::from_pem(&request.certificate_request)
            .map_err(|error| Refused::invalid("certificate_request", error.to_string()))?;
        let fingerprint = Sha256::digest(csr.public_key.subject_public_key_info());
        Ok(Self {
            hostname: Hostname::parse(&request.hostname)?,
            sealing_key: BASE64_STANDARD.encode(sealing_key),
            key_fingerprint: fingerprint
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect(),
        })
    }
}

/// One transaction: the token's use, the host, its tags and the event. All or nothing.
async fn admitted(
    channel: &HostChannel,
    (request, origin): (&EnrollRequest, &Origin),
    token: &Token,
    checked: &Checked,
) -> Result<Result<EnrollAnswer, TokenRefused>, Refused> {
    let (app, now) = (&channel.app, origin.now);
    let id = Kind::Host.new_id(now, &app.random)?;
    let (certificate, serial) = app
        .authority
        .issue_host(
            &request.certificate_request,
            &id,
            app.config.keys.host_certificate_ttl,
            (now, &app.random),
        )
        .map_err(|error| Refused::invalid("certificate_request", error.to_string()))?;
    let mut tx = app.store.write().await?;
    if let Err(refused) = token.take_use(&mut tx, &request.nonce, now).await? {
        return Ok(Err(refused));
    }
    refuse_namesake(&mut tx, checked).await?;
    insert_host(&mut tx, (&id, &serial), (token, request, checked), origin).await?;
    let pending = token.approval_required != 0;
    let kind = if pending {
        "host.enroll_requested"
    } else {
        "host.enrolled"
    };
    let draft = Draft::new(kind)
        .severity(Severity::Notice)
        .host(&id, checked.hostname.as_str())
        .target("token", &token.id, "")
        .detail("key_fingerprint", checked.key_fingerprint.as_str());
    audit::append(&mut tx, &app.organisation.id, draft, origin, &app.random).await?;
    tx.commit().await?;
    app.dirty.mark(Touched {
        hosts: [id.clone()].into(),
        ..Touched::default()
    });
    Ok(Ok(EnrollAnswer {
        organisation: app.organisation.id.clone(),
        host_id: id,
        hostname: checked.hostname.as_str().to_owned(),
        certificate,
        ca_certificate: app.authority.pinned_certificate_pem().to_owned(),
        root_chain: BASE64_STANDARD.encode(channel.keys.root_chain()),
    }))
}

/// A second machine of the same name could step into rules made for the first.
async fn refuse_namesake(tx: &mut Writing, checked: &Checked) -> Result<(), Refused> {
    let namesakes: i64 = sqlx::query_scalar(
        "SELECT COUNT(*) FROM hosts
         WHERE (hostname = $1 AND state <> 'retired') OR public_key_fingerprint = $2",
    )
    .bind(checked.hostname.as_str())
    .bind(&checked.key_fingerprint)
    .fetch_one(&mut **tx)
    .await?;
    if namesakes == 0 {
        return Ok(());
    }
    Err(Refused::conflict(format!(
        "There is a host {} already, or one with this key.",
        checked.hostname
    ))
    .hint("Retire the old one first; a machine that comes back makes a new key."))
}

async fn insert_host(
    tx: &mut Writing,
    (id, serial): (&str, &str),
    (token, request, checked): (&Token, &EnrollRequest, &Checked),
    origin: &Origin,
) -> Result<(), Refused> {
    let state = if token.approval_required != 0 {
        "pending"
    } else {
        "active"
    };
    sqlx::query(
        "INSERT INTO hosts
         (id, hostname, state, project_id, display_name, description, certificate_serial,
          public_key_fingerprint, sealing_key, facts, enrolled_by, ephemeral, gone_after_s,
          last_seen, bundle_version, acked_version, acked_sequence, created_at, updated_at, version)
         VALUES ($1, $2, $3, $4, '', '', $5, $6, $7, $8, $9, $10, $11, $12, 0, 0, 0, $12, $12, 1)",
    )
    .bind(id)
    .bind(checked.hostname.as_str())
    .bind(state)
    .bind(&token.project_id)
    .bind(serial)
    .bind(&checked.key_fingerprint)
    .bind(&checked.sealing_key)
    .bind(serde_json::to_string(&super::tags::clean_facts(
        &request.facts,
    ))?)
    .bind(&token.id)
    .bind(token.ephemeral)
    .bind(token.gone_after_s)
    .bind(origin.now.as_millisecond())
    .execute(&mut **tx)
    .await?;
    for (tag, source) in tags_of(&token.tags, request)? {
        sqlx::query(
            "INSERT INTO host_tags (host_id, tag, source) VALUES ($1, $2, $3)
             ON CONFLICT (host_id, tag) DO NOTHING",
        )
        .bind(id)
        .bind(tag)
        .bind(source)
        .execute(&mut **tx)
        .await?;
    }
    Ok(())
}

async fn refuse(
    channel: &HostChannel,
    request: &EnrollRequest,
    origin: &Origin,
    refused: TokenRefused,
) -> Result<Refused, Refused> {
    bad_try(channel, request, origin, refused.why()).await?;
    Ok(
        Refused::new(StatusCode::FORBIDDEN, "token_refused", refused.to_string())
            .hint("Ask an administrator for a new token: `cloudid token add`."),
    )
}

async fn bad_try(
    channel: &HostChannel,
    request: &EnrollRequest,
    origin: &Origin,
    why: &str,
) -> Result<(), Refused> {
    let mut tx = channel.app.store.write().await?;
    let app = &channel.app;
    let draft = Draft::new("token.refused")
        .outcome(Outcome::Denied)
        .severity(Severity::Warning)
        .target("token", &request.token_id, "")
        .reason(why)
        .detail("hostname", super::hostname::shown(&request.hostname));
    audit::append(&mut tx, &app.organisation.id, draft, origin, &app.random).await?;
    Ok(tx.commit().await?)
}

fn throttled(retry_after_s: u64) -> Refused {
    Refused::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limited",
        "Too many tries to enrol.",
    )
    .retry_after(retry_after_s)
}
