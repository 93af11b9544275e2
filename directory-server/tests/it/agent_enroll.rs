//! Enrolment: PF-11 and what a token fixes.

use std::sync::Arc;

use axum::http::StatusCode;
use signed_bundle::SealingKey;
use zeroize::Zeroizing;

use crate::agent_world::*;

fn sealing_key() -> SealingKey {
    SealingKey::from_bytes(Zeroizing::new([5; 32]))
}

#[tokio::test]
async fn pf_11_a_token_enrols_one_host_and_no_second() {
    let directory = Directory::new().await;
    let token = directory.token(TokenSettings::default()).await;
    assert!(directory.enroll(&token, "web-1").await.is_ok());
    assert_eq!(
        directory.enroll(&token, "web-2").await.err(),
        Some(StatusCode::FORBIDDEN)
    );
    assert_eq!(directory.count("SELECT COUNT(*) FROM hosts").await, 1);
    let refused = "SELECT COUNT(*) FROM events WHERE kind = 'token.refused'";
    assert_eq!(directory.count(refused).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn pf_11_of_a_hundred_at_once_exactly_one_succeeds() {
    let directory = Arc::new(Directory::new().await);
    let token = directory.token(TokenSettings::default()).await;
    let mut tries = tokio::task::JoinSet::new();
    for number in 0..100 {
        let (directory, token) = (Arc::clone(&directory), token.clone());
        tries.spawn(async move {
            let request = enroll_request(&token, &format!("web-{number}"), &sealing_key());
            let address = format!("192.0.2.{number}");
            directory.try_enroll(&request, &address).await.status()
        });
    }
    let statuses = tries.join_all().await;
    let enrolled = statuses
        .iter()
        .filter(|status| **status == StatusCode::OK)
        .count();
    assert_eq!(enrolled, 1, "{statuses:?}");
    assert_eq!(directory.count("SELECT COUNT(*) FROM hosts").await, 1);
    assert_eq!(
        directory.count("SELECT uses FROM enrollment_tokens").await,
        1
    );
}

#[tokio::test]
async fn pf_11_an_expired_or_revoked_token_enrols_nothing() {
    let directory = Directory::new().await;
    let expired = directory.token(TokenSettings::default()).await;
    directory.pass_ms(900_000);
    assert_eq!(
        directory.enroll(&expired, "web-1").await.err(),
        Some(StatusCode::FORBIDDEN)
    );
    let revoked = directory.token(TokenSettings::default()).await;
    directory
        .sql(
            "UPDATE enrollment_tokens SET revoked_at = 1 WHERE id = $1",
            &[&revoked.id],
        )
        .await;
    assert_eq!(
        directory.enroll(&revoked, "web-1").await.err(),
        Some(StatusCode::FORBIDDEN)
    );
    assert_eq!(directory.count("SELECT COUNT(*) FROM hosts").await, 0);
}

#[tokio::test]
async fn pf_11_ten_thousand_guesses_are_throttled_and_told() {
    let directory = Directory::new().await;
    let token = directory.token(TokenSettings::default()).await;
    let guesser = Token {
        key: ed25519_dalek::SigningKey::from_bytes(&[1; 32]),
        ..token.clone()
    };
    let guess = enroll_request(&guesser, "web-1", &sealing_key());
    let mut looked_at = 0;
    for _ in 0..10_000 {
        let status = directory.try_enroll(&guess, "198.51.100.7").await.status();
        looked_at += u32::from(status == StatusCode::FORBIDDEN);
        assert!([StatusCode::FORBIDDEN, StatusCode::TOO_MANY_REQUESTS].contains(&status));
    }
    assert_eq!(looked_at, 10);
    // One event for each guess that was looked at, and one that says the rest was not.
    let told = "SELECT COUNT(*) FROM events WHERE kind = 'token.refused'";
    assert_eq!(directory.count(told).await, 11);
    directory.pass_ms(60_000);
    assert!(directory.enroll(&token, "web-1").await.is_ok());
}

#[tokio::test]
async fn pf_11_a_repeated_request_is_refused() {
    let directory = Directory::new().await;
    let settings = TokenSettings {
        max_uses: 5,
        ..TokenSettings::default()
    };
    let token = directory.token(settings).await;
    let request = enroll_request(&token, "web-1", &sealing_key());
    assert_eq!(
        directory.try_enroll(&request, "192.0.2.1").await.status(),
        StatusCode::OK
    );
    let repeated = directory.try_enroll(&request, "192.0.2.1").await;
    assert_eq!(repeated.status(), StatusCode::FORBIDDEN);
    assert_eq!(
        directory.count("SELECT uses FROM enrollment_tokens").await,
        1
    );
}

#[tokio::test]
async fn pf_11_no_part_of_a_request_can_be_exchanged_on_its_way() {
    let directory = Directory::new().await;
    let token = directory.token(TokenSettings::default()).await;
    let good = enroll_request(&token, "web-1", &sealing_key());
    let other = enroll_request(
        &token,
        "web-2",
        &SealingKey::from_bytes(Zeroizing::new([6; 32])),
    );
    for part in 0..5 {
        let mut changed = good.clone();
        match part {
            0 => changed.hostname = other.hostname.clone(),
            1 => changed.certificate_request = other.certificate_request.clone(),
            2 => changed.sealing_key = other.sealing_key.clone(),
            3 => changed.nonce = other.nonce.clone(),
            _ => changed.proof = other.proof.clone(),
        }
        let refused = directory.try_enroll(&changed, "192.0.2.1").await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "part {part}");
    }
    assert_eq!(
        directory.try_enroll(&good, "192.0.2.1").await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn pf_11_the_token_fixes_project_and_tags() {
    let directory = Directory::new().await;
    let token = directory.token(TokenSettings::default()).await;
    let mut request = enroll_request(&token, "web-1", &sealing_key());
    request.tags = vec!["env=admin".to_owned()];
    assert_eq!(
        directory.try_enroll(&request, "192.0.2.1").await.status(),
        StatusCode::OK
    );
    let tags: Vec<(String, String)> =
        sqlx::query_as("SELECT tag, source FROM host_tags ORDER BY tag")
            .fetch_all(directory.app.store.read())
            .await
            .unwrap();
    let tags: Vec<_> = tags.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    assert_eq!(tags, [("env=prod", "admin"), ("host:env=admin", "host")]);
}

#[tokio::test]
async fn a_second_host_of_the_same_name_is_refused_and_uses_nothing_up() {
    let directory = Directory::new().await;
    directory.host("web-1", "[]").await;
    let token = directory.token(TokenSettings::default()).await;
    assert_eq!(
        directory.enroll(&token, "WEB-1").await.err(),
        Some(StatusCode::CONFLICT)
    );
    assert!(directory.enroll(&token, "web-2").await.is_ok());
}

#[tokio::test]
async fn a_host_that_waits_for_approval_gets_no_bundle() {
    let mut directory = Directory::new().await;
    directory.user(1, None).await;
    let settings = TokenSettings {
        approval_required: true,
        ..TokenSettings::default()
    };
    let token = directory.token(settings).await;
    let host = directory.enroll(&token, "web-1").await.unwrap();
    directory.publish_all().await;
    assert_eq!(directory.get(&host, "root").await.status(), StatusCode::OK);
    let refused = directory.get(&host, "manifest").await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(code(refused).await, "host_pending");
    directory
        .sql("UPDATE hosts SET state = 'active'", &[])
        .await;
    directory.publish_all().await;
    assert_eq!(
        directory.get(&host, "manifest").await.status(),
        StatusCode::OK
    );
}
