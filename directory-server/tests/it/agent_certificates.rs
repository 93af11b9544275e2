//! A host's certificate is renewed for the same host and key, and for no other.

use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use directory_api::agent::{CertificateRenewal, CertificateRenewed, EnrollAnswer};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use signed_bundle::{SealingKey, verify_root_chain};
use zeroize::Zeroizing;

use crate::agent_world::*;

const PATH: &str = "certificates/renew";

/// A host whose TLS key the test has, too.
async fn directory_and_host() -> (Directory, Host, rcgen::KeyPair) {
    let directory = Directory::new().await;
    let token = directory.token(TokenSettings::default()).await;
    let sealing_key = SealingKey::from_bytes(Zeroizing::new([7; 32]));
    let key = rcgen::KeyPair::generate().unwrap();
    let mut request = enroll_request(&token, "web-1", &sealing_key);
    request.certificate_request = csr(&key);
    prove(&mut request, &token);
    let answer: EnrollAnswer = json(directory.try_enroll(&request, "192.0.2.1").await).await;
    let chain = BASE64_STANDARD.decode(answer.root_chain).unwrap();
    let host = Host {
        id: answer.host_id,
        certificate: certificate(&answer.certificate),
        root: verify_root_chain(None, "org_1", &chain, directory.app.clock.now()).unwrap(),
        sealing_key,
    };
    (directory, host, key)
}

fn csr(key: &rcgen::KeyPair) -> String {
    let params = rcgen::CertificateParams::new(vec!["root".to_owned()]).unwrap();
    params.serialize_request(key).unwrap().pem().unwrap()
}

fn certificate(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

fn renewal(key: &rcgen::KeyPair) -> CertificateRenewal {
    CertificateRenewal {
        certificate_request: csr(key),
    }
}

/// The same host with its new certificate.
async fn renewed(directory: &Directory, host: &Host, key: &rcgen::KeyPair) -> Host {
    let response = directory.post(host, PATH, &renewal(key)).await;
    assert_eq!(response.status(), StatusCode::OK);
    let answer: CertificateRenewed = json(response).await;
    Host {
        id: host.id.clone(),
        certificate: certificate(&answer.certificate),
        root: host.root.clone(),
        sealing_key: host.sealing_key.clone(),
    }
}

async fn works(directory: &Directory, host: &Host) -> bool {
    directory.get(host, "root").await.status() == StatusCode::OK
}

#[tokio::test]
async fn a_renewed_certificate_is_of_the_same_host_and_lasts_a_year_and_the_old_one_stays_good() {
    let (directory, host, key) = directory_and_host().await;
    directory.pass_ms(300 * 24 * 3_600_000);
    let new = renewed(&directory, &host, &key).await;
    assert!(works(&directory, &new).await && works(&directory, &host).await);
    let (_, read) = x509_parser::parse_x509_certificate(&new.certificate).unwrap();
    let names: Vec<_> = read.subject().iter_common_name().collect();
    assert_eq!(names.len(), 1);
    assert_eq!(names[0].as_str().unwrap(), host.id);
    let days = (read.validity().not_after.timestamp() - directory.now_ms() / 1000) / 86_400;
    assert!((364..=366).contains(&days), "{days}");
    let events = "SELECT COUNT(*) FROM events WHERE kind = 'host.certificate_renewed'";
    assert_eq!(directory.count(events).await, 1);
}

#[tokio::test]
async fn a_renewal_whose_answer_got_lost_is_repeated_and_cuts_nobody_off() {
    let (directory, host, key) = directory_and_host().await;
    let lost = renewed(&directory, &host, &key).await;
    let new = renewed(&directory, &host, &key).await;
    assert!(works(&directory, &new).await && works(&directory, &host).await);
    assert!(!works(&directory, &lost).await);
}

#[tokio::test]
async fn a_certificate_is_not_renewed_for_another_key() {
    let (directory, host, _) = directory_and_host().await;
    let stranger = rcgen::KeyPair::generate().unwrap();
    let response = directory.post(&host, PATH, &renewal(&stranger)).await;
    assert_eq!(response.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let events = "SELECT COUNT(*) FROM events WHERE kind = 'host.certificate_renewed'";
    assert_eq!(directory.count(events).await, 0);
}

#[tokio::test]
async fn hosts_that_are_retired_or_pending_are_not_renewed() {
    let (directory, host, key) = directory_and_host().await;
    for state in ["retired", "pending"] {
        directory.sql("UPDATE hosts SET state = $1", &[state]).await;
        let response = directory.post(&host, PATH, &renewal(&key)).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{state}");
    }
}

#[tokio::test]
async fn renewals_of_one_host_are_bounded() {
    let (directory, host, key) = directory_and_host().await;
    for _ in 0..5 {
        renewed(&directory, &host, &key).await;
    }
    let response = directory.post(&host, PATH, &renewal(&key)).await;
    assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
}
