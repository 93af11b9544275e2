//! YubiKeys: only an answer that is fully verified lets anybody pass.

use axum::http::StatusCode;
use serde_json::json;

use crate::people_world::*;
use crate::validation_server::{CLIENT, Mood, ValidationServer, password};

const ALICES: &str = "cccccccccccc";
const BOBS: &str = "cccccccccccd";

async fn world(servers: &[&ValidationServer]) -> (Directory, String, String) {
    let urls: Vec<String> = servers.iter().map(|server| server.url.clone()).collect();
    let directory = Directory::with_yubico(CLIENT, &ValidationServer::secret(), urls).await;
    let owner = directory.first_owner().await;
    let alice = directory.person(&owner, "alice", &[]).await;
    let bob = directory.person(&owner, "bob", &[]).await;
    (directory, alice, bob)
}

async fn enrol(directory: &Directory, token: &str, otp: &str) -> Answer {
    let body = json!({"name": "key", "code": otp});
    directory.post(token, "/me/mfa/yubikey", body).await
}

async fn test(directory: &Directory, token: &str, otp: &str) -> Answer {
    let body = json!({"code": otp});
    directory.post(token, "/me/mfa/test", body).await
}

#[tokio::test]
async fn mfa_08_a_key_proves_itself_and_each_of_its_passwords_is_good_once() {
    let server = ValidationServer::start().await;
    let (directory, alice, _) = world(&[&server]).await;
    let made = enrol(&directory, &alice, &password(ALICES, 1)).await.good();
    assert_eq!(
        (made.status, made.text("kind")),
        (StatusCode::CREATED, "yubikey-otp".into())
    );
    assert_eq!(
        test(&directory, &alice, &password(ALICES, 1)).await.code(),
        "code_used"
    );
    let right = test(&directory, &alice, &password(ALICES, 7)).await.good();
    assert_eq!(right.body, json!({"kind": "yubikey-otp", "name": "key"}));
    for counter in [7, 6] {
        let answer = test(&directory, &alice, &password(ALICES, counter)).await;
        assert_eq!(answer.code(), "code_used", "{counter}");
    }
}

#[tokio::test]
async fn mfa_08_no_answer_but_a_fully_verified_yes_lets_anybody_pass() {
    let server = ValidationServer::start().await;
    let (directory, alice, _) = world(&[&server]).await;
    enrol(&directory, &alice, &password(ALICES, 1)).await.good();
    let moods = [
        Mood::NoSignature,
        Mood::WrongSignature,
        Mood::WrongNonce,
        Mood::NoNonce,
        Mood::OtherPassword,
        Mood::NoPassword,
        Mood::Status("BACKEND_ERROR"),
        Mood::Status("NOT_ENOUGH_ANSWERS"),
        Mood::Status("OPERATION_NOT_ALLOWED"),
        Mood::Status("ok"),
        Mood::HttpError,
        Mood::Garbage,
        Mood::Redirect,
        Mood::Silent,
    ];
    for (counter, mood) in (2..).zip(moods) {
        server.is(mood);
        let answer = test(&directory, &alice, &password(ALICES, counter)).await;
        assert_eq!(
            answer.status,
            StatusCode::SERVICE_UNAVAILABLE,
            "{mood:?} {}",
            answer.body
        );
    }
    // Nothing was compared, so no try was used up.
    server.is(Mood::Honest);
    test(&directory, &alice, &password(ALICES, 100))
        .await
        .good();
    server.is(Mood::Status("BAD_OTP"));
    assert_eq!(
        test(&directory, &alice, &password(ALICES, 101))
            .await
            .code(),
        "code_wrong"
    );
}

#[tokio::test]
async fn mfa_08_the_key_of_another_person_is_nobodys_proof_and_not_even_asked_about() {
    let server = ValidationServer::start().await;
    let (directory, alice, bob) = world(&[&server]).await;
    enrol(&directory, &alice, &password(ALICES, 1)).await.good();
    enrol(&directory, &bob, &password(BOBS, 1)).await.good();
    let before = server.asked();
    assert_eq!(
        test(&directory, &alice, &password(BOBS, 2)).await.code(),
        "code_wrong"
    );
    assert_eq!(server.asked(), before);
    test(&directory, &bob, &password(BOBS, 2)).await.good();
    let twice = enrol(&directory, &bob, &password(ALICES, 2)).await;
    assert_eq!(twice.code(), "conflict");
}

#[tokio::test]
async fn mfa_08_a_key_that_no_server_verifies_is_not_enrolled() {
    let server = ValidationServer::start().await;
    let (directory, alice, _) = world(&[&server]).await;
    for (counter, mood) in (1..).zip([Mood::NoSignature, Mood::WrongNonce, Mood::OtherPassword]) {
        server.is(mood);
        let answer = enrol(&directory, &alice, &password(ALICES, counter)).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{mood:?}");
        assert_eq!(answer.code(), "factor_unavailable", "{mood:?}");
    }
    server.is(Mood::Status("BAD_OTP"));
    assert_eq!(
        enrol(&directory, &alice, &password(ALICES, 9)).await.code(),
        "code_wrong"
    );
    assert_eq!(directory.count("SELECT COUNT(*) FROM mfa_devices").await, 0);
}

#[tokio::test]
async fn mfa_08_the_next_server_is_asked_when_one_cannot_tell_and_its_memory_is_not_needed() {
    let (broken, whole) = (
        ValidationServer::start().await,
        ValidationServer::start().await,
    );
    let (directory, alice, _) = world(&[&broken, &whole]).await;
    broken.is(Mood::Status("BACKEND_ERROR"));
    enrol(&directory, &alice, &password(ALICES, 1)).await.good();
    test(&directory, &alice, &password(ALICES, 2)).await.good();
    assert!(broken.asked() == 2 && whole.asked() == 2);
    // The first is back, and has never seen the password that the second has accepted.
    broken.is(Mood::Honest);
    assert_eq!(
        test(&directory, &alice, &password(ALICES, 2)).await.code(),
        "code_used"
    );
}

#[tokio::test]
async fn mfa_08_the_secret_of_the_validation_server_is_in_no_answer_and_not_in_the_database() {
    let server = ValidationServer::start().await;
    let (directory, alice, _) = world(&[&server]).await;
    enrol(&directory, &alice, &password(ALICES, 1)).await.good();
    directory.app.store.close().await;
    let stored = std::fs::read(directory.database()).unwrap();
    let secret = ValidationServer::secret();
    for canary in [secret.as_str(), password(ALICES, 1).as_str()] {
        let found = stored
            .windows(canary.len())
            .any(|window| window == canary.as_bytes());
        assert!(!found, "{canary}");
    }
}
