//! Ways to more rights than were given: ids instead of names, narrow tokens, slow bodies, owners
//! whose accounts end.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::{Method, Request, StatusCode, header};
use futures_util::stream;
use serde_json::json;
use tower::ServiceExt;

use crate::people_world::*;

const OTHER: &str = "seven quiet lanterns";

#[tokio::test]
async fn web_04_an_id_is_no_login_name_and_gets_round_no_lock() {
    let (directory, owner) = Directory::with_owner().await;
    let id = directory.get(&owner, "/me").await.good().body["user"]["id"].clone();
    let body = json!({"username": id, "password": PASSWORD});
    let answer = directory.post("", "/auth/login", body).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    let body = json!({"username": OWNER, "password": PASSWORD});
    directory.post("", "/auth/login", body).await.good();
}

#[tokio::test]
async fn pf_09_a_token_for_users_sets_no_password_of_who_holds_a_role() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    let narrow = directory.api_token(OWNER, r#"["users"]"#).await;
    let wide = directory.api_token(OWNER, r#"["all"]"#).await;
    let reset = json!({"password": OTHER});
    let of_owner = format!("/users/{OWNER}/reset-password");
    let refused = directory.post(&narrow, &of_owner, reset.clone()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let of_alice = "/users/alice/reset-password";
    directory
        .post(&narrow, of_alice, reset.clone())
        .await
        .good();
    directory.person(&owner, "bob", &["directory-admin"]).await;
    let of_bob = "/users/bob/reset-password";
    let refused = directory.post(&wide, of_bob, reset).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn an_open_session_is_not_enough_to_take_its_owners_password() {
    let (directory, owner) = Directory::with_owner().await;
    let token = directory.api_token(OWNER, r#"["all"]"#).await;
    for caller in [&owner, &token] {
        let path = format!("/users/{OWNER}/reset-password");
        let answer = directory
            .post(caller, &path, json!({"password": OTHER}))
            .await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    let body = json!({"username": OWNER, "password": PASSWORD});
    directory.post("", "/auth/login", body).await.good();
}

#[tokio::test]
async fn a_reset_of_a_password_ends_the_tokens_made_with_it() {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &["read-only"]).await;
    let token = directory.api_token("alice", r#"["read"]"#).await;
    directory.get(&token, "/users").await.good();
    let reset = json!({"password": OTHER});
    directory
        .post(&owner, "/users/alice/reset-password", reset)
        .await
        .good();
    assert_eq!(
        directory.get(&token, "/users").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn pf_09_who_is_suspended_while_their_body_arrives_changes_nothing() {
    let (directory, owner) = Directory::with_owner().await;
    let admin = directory.person(&owner, "bob", &["directory-admin"]).await;
    let store = directory.app.store.clone();
    let body = stream::once(async move {
        let mut tx = store.write().await.unwrap();
        sqlx::query("UPDATE users SET state = 'suspended' WHERE username = 'bob'")
            .execute(&mut *tx)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        Ok::<_, std::io::Error>(Bytes::from(r#"{"username": "mallory"}"#))
    });
    let request = Request::post("/api/v1/users")
        .header(header::AUTHORIZATION, format!("Bearer {admin}"))
        .header(header::CONTENT_TYPE, "application/json")
        .body(Body::from_stream(body))
        .unwrap();
    let answer = directory.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    let made = "SELECT COUNT(*) FROM users WHERE username = 'mallory'";
    assert_eq!(directory.count(made).await, 0);
}

#[tokio::test]
async fn pf_09_an_event_stream_ends_with_the_role_it_was_opened_with() {
    let (directory, owner) = Directory::with_owner().await;
    let reader = directory.person(&owner, "bob", &["read-only"]).await;
    let request = Request::get("/api/v1/events/stream")
        .header(header::AUTHORIZATION, format!("Bearer {reader}"))
        .header("last-event-id", "0")
        .body(Body::empty())
        .unwrap();
    let answer = directory.router().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    directory
        .sql(
            "DELETE FROM role_assignments WHERE role = 'read-only' AND $1 || $2 || $3 <> ''",
            &[],
        )
        .await;
    let told = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    assert!(told.is_empty(), "{told:?}");
}

#[tokio::test]
async fn pf_09_the_last_owner_cannot_be_given_an_end() {
    let (directory, owner) = Directory::with_owner().await;
    let path = format!("/users/{OWNER}");
    let ends = json!({"expires_at": "2030-01-01T00:00:00Z"});
    let answer = directory.patch(&owner, &path, ends.clone()).await;
    assert_eq!(answer.code(), "last_owner");
    directory.person(&owner, "bob", &["owner"]).await;
    directory.patch(&owner, &path, ends).await.good();
    let answer = directory.delete(&owner, "/users/bob").await;
    assert_eq!(answer.code(), "last_owner");
}

#[tokio::test]
async fn web_04_wrong_old_passwords_lock_as_wrong_logins_do() {
    let (directory, owner) = Directory::with_owner().await;
    let change = |old: &str| json!({"old": old, "new": OTHER});
    for _ in 0..11 {
        let path = "/me/password?dry_run=true";
        let answer = directory.post(&owner, path, change("wrong")).await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN);
    }
    let answer = directory
        .ask(&owner, Method::POST, "/me/password")
        .json(&change(PASSWORD))
        .send()
        .await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    directory.pass_ms(30 * 60_000);
    let body = json!({"username": OWNER, "password": PASSWORD});
    let fresh = directory.post("", "/auth/login", body).await.good();
    let fresh = fresh.text("token");
    directory
        .post(&fresh, "/me/password", change(PASSWORD))
        .await
        .good();
}
