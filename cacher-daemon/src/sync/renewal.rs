//! Renews the host's certificate when less than a third of its life is left, at a moment that varies
//! from host to host. The key stays as it is and where it is; the old certificate stays in use until
//! the directory has answered a call made with the new one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use directory_api::agent::CertificateRenewal;
use jiff::{SignedDuration, Timestamp};
use x509_parser::pem::parse_x509_pem;
use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::backoff::{randomness, varied};
use super::client::{CallError, DirectoryClient};
use crate::cacher::Cacher;
use crate::disk::read_bounded;
use crate::events::Event;
use crate::paths::Paths;

const FIRST_LOOK: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_secs(3600);
const PEM_BYTES_MAX: u64 = 64 * 1024;

/// Why the certificate was not renewed; the old one stays.
#[derive(Debug, thiserror::Error)]
pub enum RenewalError {
    /// The host's own files cannot be used.
    #[error("{0}")]
    Host(String),
    /// The directory did not renew it, or did not answer a call made with the new one.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What came is not a certificate for this host and its key.
    #[error("the directory's certificate is not taken: {0}")]
    Unfit(&'static str),
}

impl RenewalError {
    fn host(error: impl std::fmt::Display) -> Self {
        Self::Host(error.to_string())
    }
}

/// Looks after the certificate for ever.
pub async fn keep_fresh(cacher: Arc<Cacher>) {
    let lateness = randomness();
    let mut pause = FIRST_LOOK;
    let mut told = false;
    loop {
        tokio::time::sleep(varied(pause, 0.5, randomness())).await;
        pause = LOOK_EVERY;
        match renew_if_due(&cacher, lateness).await {
            Ok(_) => told = false,
            Err(error) => {
                tracing::warn!(%error, "the host's certificate was not renewed");
                cacher.note_error(&format!("certificate: {error}"));
                if !std::mem::replace(&mut told, true) {
                    cacher.record(not_renewed(&error)).await;
                }
            }
        }
    }
}

/// Told once, while there are months left to see to it: a host whose certificate has ended can tell
/// the directory nothing any more.
fn not_renewed(error: &RenewalError) -> Event {
    Event::new("host.certificate_not_renewed", "error").detail("why", error.to_string())
}

/// Renews the certificate if it is time; `lateness` spreads the hosts over the first quarter of the
/// time that is left. Says whether there is a new one.
///
/// # Errors
/// The old certificate is in use as before.
pub async fn renew_if_due(cacher: &Cacher, lateness: u32) -> Result<bool, RenewalError> {
    let Some(client) = cacher.directory() else {
        return Ok(false);
    };
    let old = pem(&cacher.paths.host_certificate()).map_err(RenewalError::host)?;
    let old = Facts::read(&old).ok_or_else(|| RenewalError::host("host.crt cannot be read"))?;
    if cacher.now() < old.due(lateness) {
        return Ok(false);
    }
    let request = certificate_request(&cacher.paths)?;
    let new = client.renew(&request).await?.certificate;
    let facts = Facts::read(new.as_bytes()).ok_or(RenewalError::Unfit("it cannot be read"))?;
    facts.replaces(&old).map_err(RenewalError::Unfit)?;
    let config = cacher.config();
    let (paths, settings) = (&cacher.paths, &config.directory);
    let trial = DirectoryClient::with_certificate(paths, settings, &cacher.run, new.as_bytes())
        .map_err(RenewalError::host)?;
    trial.root_chain().await?;
    let (disk, path) = (Arc::clone(&cacher.disk), cacher.paths.host_certificate());
    tokio::task::spawn_blocking(move || disk.replace(&path, new.as_bytes(), 0o600))
        .await
        .map_err(RenewalError::host)?
        .map_err(RenewalError::host)?;
    cacher.reconfigure((*config).clone());
    tracing::info!(until = %facts.not_after, "the host's certificate is renewed");
    Ok(true)
}

fn certificate_request(paths: &Paths) -> Result<CertificateRenewal, RenewalError> {
    let key = pem(&paths.host_key()).map_err(RenewalError::host)?;
    let key = std::str::from_utf8(&key).map_err(RenewalError::host)?;
    let key = rcgen::KeyPair::from_pem(key).map_err(RenewalError::host)?;
    let request = rcgen::CertificateParams::default()
        .serialize_request(&key)
        .and_then(|request| request.pem())
        .map_err(RenewalError::host)?;
    Ok(CertificateRenewal {
        certificate_request: request,
    })
}

fn pem(path: &std::path::Path) -> io::Result<Zeroizing<Vec<u8>>> {
    read_bounded(path, PEM_BYTES_MAX)?
        .map(Zeroizing::new)
        .ok_or_else(|| io::Error::other(format!("{} is missing", path.display())))
}

/// What matters here of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Facts {
    subject: Vec<u8>,
    key: Vec<u8>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Facts {
    fn read(pem: &[u8]) -> Option<Self> {
        let (_, pem) = parse_x509_pem(pem).ok()?;
        let (_, certificate) = X509Certificate::from_der(&pem.contents).ok()?;
        let moment = |seconds| Timestamp::from_second(seconds).ok();
        Some(Self {
            subject: certificate.subject().as_raw().to_vec(),
            key: certificate.public_key().raw.to_vec(),
            not_before: moment(certificate.validity().not_before.timestamp())?,
            not_after: moment(certificate.validity().not_after.timestamp())?,
        })
    }

    /// A third of its life before its end, and up to a quarter of that third later.
    fn due(&self, lateness: u32) -> Timestamp {
        let third = self.not_after.duration_since(self.not_before) / 3;
        let late = f64::from(lateness) / f64::from(u32::MAX) / 4.0;
        let before = third - third.mul_f64(late);
        let due = self.not_after.checked_sub(before.max(SignedDuration::ZERO));
        due.unwrap_or(self.not_before)
    }

    fn replaces(&self, old: &Self) -> Result<(), &'static str> {
        if self.key != old.key {
            return Err("it is for another key");
        }
        if self.subject != old.subject {
            return Err("it is for another host");
        }
        if self.not_after <= old.not_after {
            return Err("it ends no later than the one in use");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: SignedDuration = SignedDuration::from_hours(24);

    fn of_a_year() -> Facts {
        Facts {
            subject: b"hst_1".to_vec(),
            key: b"key".to_vec(),
            not_before: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH + DAY * 360,
        }
    }

    #[test]
    fn a_certificate_is_due_when_a_third_of_its_life_is_left_and_hosts_are_spread_over_a_month() {
        let facts = of_a_year();
        assert_eq!(facts.due(0), Timestamp::UNIX_EPOCH + DAY * 240);
        assert_eq!(facts.due(u32::MAX), Timestamp::UNIX_EPOCH + DAY * 270);
    }

    #[test]
    fn only_a_later_certificate_for_the_same_host_and_key_replaces_another() {
        let old = of_a_year();
        let later = Facts {
            not_after: old.not_after + DAY,
            ..old.clone()
        };
        assert_eq!(later.replaces(&old), Ok(()));
        assert!(old.replaces(&old).is_err());
        for (subject, key) in [("hst_2", "key"), ("hst_1", "other")] {
            let other = Facts {
                subject: subject.into(),
                key: key.into(),
                ..later.clone()
            };
            assert!(other.replaces(&old).is_err());
        }
    }
}
