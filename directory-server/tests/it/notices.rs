//! Owners of accounts hear by mail what changes about what proves them.

use axum::http::Method;
use serde_json::json;

use crate::people_world::*;
use crate::relay::Relay;
use crate::rest_mfa::{KEY, Phone};

async fn with_relay() -> (Directory, Relay, String) {
    let relay = Relay::start().await;
    let directory = Directory::with_relay(&relay.url).await;
    let owner = directory.first_owner().await;
    (directory, relay, owner)
}

async fn alice(directory: &Directory, owner: &str) -> String {
    let alice = directory.person(owner, "alice", &[]).await;
    let email = json!({"email": "alice@example.org"});
    directory.patch(owner, "/users/alice", email).await.good();
    alice
}

#[tokio::test]
async fn mfa_10_the_owner_hears_of_factors_keys_and_resets() {
    let (directory, relay, owner) = with_relay().await;
    let alice = alice(&directory, &owner).await;
    let phone = Phone::enrol(&directory, &alice).await;
    directory
        .post(&alice, "/me/backup-codes", json!({}))
        .await
        .good();
    directory
        .post(&alice, "/me/ssh-keys", json!({"public_key": KEY}))
        .await
        .good();
    let path = format!("/me/mfa/{}", phone.id);
    let removed = directory.ask(&alice, Method::DELETE, &path).send().await;
    removed.good();
    directory
        .post(&owner, "/users/alice/reset-mfa", json!({}))
        .await
        .good();
    let letters = relay.letters(5).await.concat();
    for told in [
        "a second factor was added",
        "new backup codes were made",
        "an SSH key was added",
        "a second factor was removed",
        "all second factors were removed",
    ] {
        assert!(letters.contains(told), "{told}: {letters}");
    }
    assert_eq!(letters.matches("RCPT TO:<alice@example.org>").count(), 5);
    assert!(letters.contains("192.0.2.7"), "from where: {letters}");
    assert!(!letters.contains("otpauth"));
}

#[tokio::test]
async fn mfa_10_a_changed_address_is_told_at_the_old_one() {
    let (directory, relay, owner) = with_relay().await;
    alice(&directory, &owner).await;
    let email = json!({"email": "thief@example.net"});
    directory.patch(&owner, "/users/alice", email).await.good();
    let letters = relay.letters(1).await;
    assert!(
        letters[0].contains("RCPT TO:<alice@example.org>"),
        "{letters:?}"
    );
    assert!(
        letters[0].contains("the mail address was changed"),
        "{letters:?}"
    );
}

#[tokio::test]
async fn web_16_a_privileged_person_hears_of_a_wish_to_reset_them_at_once() {
    let (directory, relay, owner) = with_relay().await;
    directory.person(&owner, "adam", &["directory-admin"]).await;
    let email = json!({"email": "adam@example.org"});
    directory.patch(&owner, "/users/adam", email).await.good();
    let answer = directory
        .post(&owner, "/users/adam/reset-mfa", json!({}))
        .await;
    assert_eq!(answer.code(), "second_person_required");
    let letters = relay.letters(1).await;
    assert!(
        letters[0].contains("somebody wants to reset your second factors"),
        "{letters:?}"
    );
    assert!(letters[0].contains(OWNER), "by whom: {letters:?}");
}

#[tokio::test]
async fn a_trial_and_a_refused_change_tell_nobody() {
    let (directory, relay, owner) = with_relay().await;
    let alice = alice(&directory, &owner).await;
    directory
        .post(
            &alice,
            "/me/ssh-keys?dry_run=true",
            json!({"public_key": KEY}),
        )
        .await
        .good();
    directory
        .post(&alice, "/me/ssh-keys", json!({"public_key": KEY}))
        .await
        .good();
    let twice = directory
        .post(&alice, "/me/ssh-keys", json!({"public_key": KEY}))
        .await;
    assert_eq!(twice.code(), "conflict");
    directory
        .post(&alice, "/me/backup-codes", json!({}))
        .await
        .good();
    assert_eq!(relay.letters(2).await.len(), 2);
}

#[tokio::test]
async fn mfa_11_a_code_is_typed_and_never_asked_for_by_a_push() {
    let (directory, relay, owner) = with_relay().await;
    let alice = alice(&directory, &owner).await;
    Phone::enrol(&directory, &alice).await;
    let pushed = "SELECT COUNT(*) FROM fast_lane";
    assert_eq!(
        (relay.letters(1).await.len(), directory.count(pushed).await),
        (1, 0)
    );
    for _ in 0..20 {
        let login = json!({"username": "alice", "password": PASSWORD});
        directory.post("", "/auth/login", login).await;
        directory
            .post(&alice, "/me/mfa/test", json!({"code": "000000"}))
            .await;
        directory.post(&alice, "/me/backup-codes", json!({})).await;
    }
    let letters = relay.letters(2).await;
    let new_codes = letters
        .iter()
        .filter(|letter| letter.contains("new backup codes were made"));
    assert_eq!(new_codes.count() + 1, letters.len(), "{letters:?}");
    assert_eq!(directory.count(pushed).await, 0);
    let pushes = directory_server::access::TABLE
        .iter()
        .filter(|(_, path, _)| {
            ["push", "prompt", "challenge"]
                .iter()
                .any(|word| path.contains(word))
        });
    assert_eq!(pushes.count(), 0);
}
