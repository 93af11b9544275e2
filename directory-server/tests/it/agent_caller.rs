//! A host speaks only for itself, and only while it may.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use directory_api::agent::{OwnersAnswer, OwnersQuestion};

use crate::agent_world::*;

const CALLS: [(&str, Method); 10] = [
    ("certificates/renew", Method::POST),
    ("passwords", Method::POST),
    ("verify", Method::POST),
    ("root", Method::GET),
    ("manifest", Method::GET),
    ("chunks/00", Method::GET),
    ("stream", Method::GET),
    ("acks", Method::POST),
    ("events", Method::POST),
    ("owners", Method::POST),
];

#[tokio::test]
async fn without_a_certificate_nothing_but_enrolment_is_answered() {
    let directory = Directory::new().await;
    for (path, method) in CALLS {
        let response = directory.call(None, method, path, Body::from("{}")).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn a_retired_host_is_refused_everywhere() {
    let directory = Directory::new().await;
    let host = directory.host("web-1", "[]").await;
    directory
        .sql("UPDATE hosts SET state = 'retired'", &[])
        .await;
    for (path, method) in CALLS {
        let response = directory
            .call(Some(&host), method, path, Body::from("{}"))
            .await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{path}");
        assert_eq!(code(response).await, "host_retired");
    }
}

#[tokio::test]
async fn a_certificate_that_was_replaced_is_refused() {
    let directory = Directory::new().await;
    let host = directory.host("web-1", "[]").await;
    directory
        .sql("UPDATE hosts SET certificate_serial = '40'", &[])
        .await;
    assert_eq!(
        directory.get(&host, "root").await.status(),
        StatusCode::FORBIDDEN
    );
}

#[tokio::test]
async fn a_certificate_of_another_name_is_refused() {
    let directory = Directory::new().await;
    let host = directory.host("web-1", "[]").await;
    for name in ["web-1", "usr_1", "", &format!("{}x", host.id)] {
        let key = rcgen::KeyPair::generate().unwrap();
        let csr = rcgen::CertificateParams::new(Vec::new()).unwrap();
        let csr = csr.serialize_request(&key).unwrap().pem().unwrap();
        let clock = (directory.app.clock.now(), &directory.app.random);
        let year = jiff::SignedDuration::from_hours(24);
        let (pem, _) = directory
            .app
            .authority
            .issue_host(&csr, name, year, clock)
            .unwrap();
        let certificate = rustls_pki_types::pem::PemObject::from_pem_slice(pem.as_bytes());
        let stranger = Host {
            id: name.to_owned(),
            certificate: certificate.unwrap(),
            sealing_key: host.sealing_key.clone(),
            root: host.root.clone(),
        };
        let response = directory.get(&stranger, "manifest").await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{name:?}");
    }
}

#[tokio::test]
async fn owners_of_ids_are_named_and_nothing_else_of_them() {
    let directory = Directory::new().await;
    let host = directory.host("web-1", "[]").await;
    directory.user(1, None).await;
    directory.user(2, None).await;
    directory
        .sql("UPDATE users SET state = 'deleted' WHERE id = 'usr_2'", &[])
        .await;
    let question = OwnersQuestion {
        uids: vec![71_001, 71_002, 71_003],
        gids: vec![71_001, 70_900],
        ..OwnersQuestion::default()
    };
    let answer: OwnersAnswer = json(directory.post(&host, "owners", &question).await).await;
    let users = [(71_001, "user1".to_owned()), (71_002, "user2".to_owned())];
    assert_eq!(answer.users, users);
    assert_eq!(answer.groups, [(71_001, "user1".to_owned())]);
    let question = OwnersQuestion {
        user_names: vec!["user2".to_owned(), "nobody".to_owned()],
        group_names: vec!["user1".to_owned()],
        ..OwnersQuestion::default()
    };
    let answer: OwnersAnswer = json(directory.post(&host, "owners", &question).await).await;
    assert_eq!(answer.users, [(71_002, "user2".to_owned())]);
    assert_eq!(answer.groups, [(71_001, "user1".to_owned())]);
    let many = OwnersQuestion {
        uids: (0..1000).collect(),
        ..OwnersQuestion::default()
    };
    let refused = directory.post(&host, "owners", &many).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn signs_of_life_are_written_down_now_and_then() {
    let directory = Directory::new().await;
    let host = directory.host("web-1", "[]").await;
    let seen = "SELECT last_seen FROM hosts";
    for (passed_ms, written_ms) in [(60_000, 60_000), (10_000, 60_000), (20_000, 90_000)] {
        directory.pass_ms(passed_ms);
        directory.get(&host, "root").await;
        directory.get(&host, "manifest").await;
        assert_eq!(directory.count(seen).await, START_MS + written_ms);
    }
}
