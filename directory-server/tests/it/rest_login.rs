//! Signing in: the first owner, passwords, locks. WEB-04, MFA-14 for passwords.

use axum::http::StatusCode;
use serde_json::json;

use crate::people_world::*;

const OTHER: &str = "seven quiet lanterns";
/// `correct horse`, made by `crypt(3)`.
const IMPORTED: &str = "$6$saltsalt$hRM5XZ86KXEw9UOmjigeVqFgULtFB2sgpC9lXQDfMib3Zgw7mEiUvBJI2EplzfAqxL5Vvwp2scFtv/uamSo5z0";

async fn login(directory: &Directory, user: &str, password: &str) -> Answer {
    let body = json!({"username": user, "password": password});
    directory.post("", "/auth/login", body).await
}

#[tokio::test]
async fn web_04_the_first_visitor_is_nobody() {
    let directory = Directory::empty().await;
    for secret in ["", "wrong", "one-time-secreu"] {
        let body = json!({"secret": secret, "username": "eve", "password": PASSWORD});
        let answer = directory.post("", "/auth/bootstrap", body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(
        login(&directory, "admin", "admin").await.status,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(directory.count("SELECT COUNT(*) FROM users").await, 0);
}

#[tokio::test]
async fn web_04_the_one_time_secret_works_once() {
    let (directory, _) = Directory::with_owner().await;
    let body = json!({"secret": SECRET, "username": "eve", "password": OTHER});
    let answer = directory.post("", "/auth/bootstrap", body).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        directory
            .count("SELECT COUNT(*) FROM role_assignments")
            .await,
        1
    );
}

#[tokio::test]
async fn web_04_a_weak_password_does_not_spend_the_secret() {
    let directory = Directory::empty().await;
    let body = json!({"secret": SECRET, "username": OWNER, "password": "password1234"});
    let answer = directory.post("", "/auth/bootstrap", body).await;
    assert_eq!(answer.code(), "password_rejected");
    assert!(!answer.body["unmet"].as_array().unwrap().is_empty());
    let body = json!({"secret": SECRET, "username": OWNER, "password": PASSWORD});
    directory.post("", "/auth/bootstrap", body).await.good();
}

#[tokio::test]
async fn known_unknown_and_suspended_names_get_the_same_answer() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    directory.person(&owner, "bob", &[]).await;
    for user in ["alice", "bob"] {
        let reset = json!({"password": OTHER});
        directory
            .post(&owner, &format!("/users/{user}/reset-password"), reset)
            .await
            .good();
    }
    directory
        .post(&owner, "/users/bob/suspend", json!({}))
        .await
        .good();
    let mut bodies = Vec::new();
    for (user, password) in [
        ("alice", "wrong"),
        ("nobody", "wrong"),
        ("bob", OTHER),
        ("alice", ""),
    ] {
        let mut answer = login(&directory, user, password).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        answer.body["request_id"] = "".into();
        bodies.push(answer.body);
    }
    assert!(
        bodies.windows(2).all(|pair| pair[0] == pair[1]),
        "{bodies:?}"
    );
    login(&directory, "alice", OTHER).await.good();
}

#[tokio::test]
async fn too_many_wrong_passwords_lock_for_a_while_and_dry_runs_count_too() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    let reset = json!({"password": OTHER});
    directory
        .post(&owner, "/users/alice/reset-password", reset)
        .await
        .good();
    for _ in 0..11 {
        let body = json!({"username": "alice", "password": "wrong"});
        directory.post("", "/auth/login?dry_run=true", body).await;
    }
    assert_eq!(
        login(&directory, "alice", OTHER).await.status,
        StatusCode::UNAUTHORIZED
    );
    directory.pass_ms(30 * 60_000);
    login(&directory, "alice", OTHER).await.good();
}

#[tokio::test]
async fn an_imported_verifier_works_and_is_hashed_anew_at_the_next_login() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    let import = json!({"verifier": IMPORTED});
    directory
        .post(&owner, "/users/alice/reset-password", import)
        .await
        .good();
    let weak = json!({"verifier": "$1$salt$hash"});
    let refused = directory
        .post(&owner, "/users/alice/reset-password", weak)
        .await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(
        login(&directory, "alice", "correct hors").await.status,
        StatusCode::UNAUTHORIZED
    );
    login(&directory, "alice", "correct horse").await.good();
    let fresh = "SELECT COUNT(*) FROM users WHERE username = 'alice' AND password_verifier LIKE '$argon2id$%'";
    assert_eq!(directory.count(fresh).await, 1);
    login(&directory, "alice", "correct horse").await.good();
}

#[tokio::test]
async fn a_password_set_by_others_must_be_changed_before_anything_else() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &["read-only"]).await;
    let reset = json!({"password": OTHER, "must_change": true});
    directory
        .post(&owner, "/users/alice/reset-password", reset)
        .await
        .good();
    let session = login(&directory, "alice", OTHER).await.good();
    assert_eq!(session.body["must_change_password"], true);
    let token = session.text("token");
    assert_eq!(
        directory.get(&token, "/users").await.status,
        StatusCode::FORBIDDEN
    );
    let change = |old: &str, new: &str| {
        directory.post(&token, "/me/password", json!({"old": old, "new": new}))
    };
    assert_eq!(
        change("wrong", PASSWORD).await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        change(OTHER, OTHER).await.status,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    assert_eq!(change(OTHER, "short").await.code(), "password_rejected");
    change(OTHER, PASSWORD).await.good();
    assert_eq!(directory.get(&token, "/users").await.status, StatusCode::OK);
    assert_eq!(
        login(&directory, "alice", OTHER).await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn no_answer_event_or_database_holds_a_password() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    let reset = json!({"password": OTHER});
    directory
        .post(&owner, "/users/alice/reset-password", reset)
        .await
        .good();
    login(&directory, "alice", "a wrong canary").await;
    for path in ["/users/alice", "/events?limit=200", "/me", "/tokens"] {
        let text = directory.get(&owner, path).await.good().body.to_string();
        assert!(
            !text.contains("argon2id") && !text.contains(OTHER),
            "{path}"
        );
    }
    directory.app.store.close().await;
    let stored = std::fs::read(directory.database()).unwrap();
    for secret in [OTHER, PASSWORD, "a wrong canary", SECRET, owner.as_str()] {
        let found = stored
            .windows(secret.len())
            .any(|window| window == secret.as_bytes());
        assert!(!found, "{secret} is in the database");
    }
}
