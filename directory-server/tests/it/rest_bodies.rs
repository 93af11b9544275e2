//! What is refused before it is understood: WEB-14, and the rules of spec 02.

use axum::http::{Method, StatusCode};
use directory_server::upkeep;
use serde_json::json;

use crate::people_world::*;

#[tokio::test]
async fn web_14_bodies_that_can_be_read_in_two_ways_are_refused() {
    let (directory, owner) = Directory::with_owner().await;
    let bodies: [(&[u8], u16, &str); 9] = [
        (
            br#"{"username":"alice","username":"bob"}"#,
            400,
            "malformed",
        ),
        (
            br#"{"username":"alice","labels":{"a":"1","a":"2"}}"#,
            400,
            "malformed",
        ),
        (
            br#"{"username":"alice","role":"owner"}"#,
            400,
            "unknown_field",
        ),
        (br#"{"username":"alice"}{}"#, 400, "malformed"),
        (b"not json", 400, "malformed"),
        (br#"{"username":"alice","uid":4294967297}"#, 422, "invalid"),
        (br#"{"username":"alice","uid":-1}"#, 422, "invalid"),
        (br#"{"username":"alice","uid":70000.5}"#, 422, "invalid"),
        (br#"{"username":["alice"]}"#, 422, "invalid"),
    ];
    for (body, status, code) in bodies {
        let answer = directory
            .ask(&owner, Method::POST, "/users")
            .raw(body)
            .send()
            .await;
        let shown = String::from_utf8_lossy(body);
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code),
            "{shown}"
        );
    }
    assert_eq!(directory.count("SELECT COUNT(*) FROM users").await, 1);
}

#[tokio::test]
async fn web_14_a_body_beyond_a_mebibyte_is_refused() {
    let (directory, owner) = Directory::with_owner().await;
    let body = format!(
        "{{\"username\":\"alice\",\"description\":\"{}\"}}",
        "x".repeat(1 << 20)
    );
    let answer = directory
        .ask(&owner, Method::POST, "/users")
        .raw(body)
        .send()
        .await;
    assert_eq!((answer.status.as_u16(), answer.code()), (413, "too_large"));
}

#[tokio::test]
async fn web_15_strangers_send_at_most_64_kibibytes() {
    let directory = Directory::empty().await;
    let password = "x".repeat(64 * 1024);
    let body = json!({"username": "alice", "password": password});
    let answer = directory.post("", "/auth/login", body).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (413, "too_large"));
    assert_eq!(directory.count("SELECT seq FROM events_head").await, 0);
}

#[tokio::test]
async fn an_ephemeral_host_retires_when_it_is_gone() {
    let (directory, _) = Directory::with_owner().await;
    directory.host("ci-1", "env=ci").await;
    directory.host("web-1", "env=prod").await;
    let ephemeral = "UPDATE hosts SET ephemeral = 1, gone_after_s = 1800 WHERE hostname = 'ci-1'";
    directory.sql(ephemeral, &[]).await;
    directory.pass_ms(30 * 60_000);
    assert_eq!(upkeep::retire_gone_hosts(&directory.app).await.unwrap(), 0);
    directory.pass_ms(1);
    assert_eq!(upkeep::retire_gone_hosts(&directory.app).await.unwrap(), 1);
    let left = "SELECT COUNT(*) FROM hosts WHERE state = 'active' AND hostname = 'web-1'";
    assert_eq!(directory.count(left).await, 1);
}

#[tokio::test]
async fn web_14_only_json_is_heard() {
    let (directory, owner) = Directory::with_owner().await;
    for kind in [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "",
    ] {
        let asking = directory.ask(&owner, Method::POST, "/groups");
        let answer = asking.raw_of_kind(r#"{"name":"web"}"#, kind).send().await;
        assert_eq!(answer.code(), "json_only", "{kind}");
    }
}

#[tokio::test]
async fn web_14_text_of_queries_and_paths_stays_text() {
    let (directory, owner) = Directory::with_owner().await;
    for text in [
        "'%20OR%201=1--",
        "%25",
        "%5F",
        "%27;DROP%20TABLE%20users;--",
        "*)(uid=*",
    ] {
        let answer = directory
            .get(&owner, &format!("/users?q={text}"))
            .await
            .good();
        assert_eq!(answer.body["items"], json!([]), "{text}");
        let answer = directory.get(&owner, &format!("/users/{text}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{text}");
    }
    assert_eq!(directory.count("SELECT COUNT(*) FROM users").await, 1);
}

#[tokio::test]
async fn a_filter_nobody_knows_is_refused_and_named() {
    let (directory, owner) = Directory::with_owner().await;
    for path in [
        "/users?stat=active",
        "/hosts?tag=x",
        "/events?typ=x",
        "/groups?limit=0",
    ] {
        let answer = directory.get(&owner, path).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
    }
}

#[tokio::test]
async fn a_change_needs_the_version_that_was_read() {
    let (directory, owner) = Directory::with_owner().await;
    directory
        .post(&owner, "/users", json!({"username": "alice"}))
        .await
        .good();
    let path = "/users/alice";
    let change = json!({"email": "a@example.org"});
    let blind = directory
        .ask(&owner, Method::PATCH, path)
        .json(&change)
        .send()
        .await;
    assert_eq!(
        (blind.status.as_u16(), blind.code()),
        (428, "etag_required")
    );
    let stale = directory
        .ask(&owner, Method::PATCH, path)
        .header("if-match", "\"7\"");
    let stale = stale.json(&change).send().await;
    assert_eq!((stale.status.as_u16(), stale.code()), (412, "etag_stale"));
    let good = directory.patch(&owner, path, change).await.good();
    assert_eq!(good.body["display_name"], "");
    assert_eq!(good.body["email"], "a@example.org");
    let known = directory
        .ask(&owner, Method::GET, path)
        .header("if-none-match", &good.etag());
    assert_eq!(known.send().await.status, StatusCode::NOT_MODIFIED);
}

#[tokio::test]
async fn dr_06_of_many_editors_of_one_version_one_wins() {
    let (directory, owner) = Directory::with_owner().await;
    directory
        .post(&owner, "/users", json!({"username": "alice"}))
        .await
        .good();
    let edits = (0..20).map(|number| {
        let body = json!({"description": format!("editor {number}")});
        directory
            .ask(&owner, Method::PATCH, "/users/alice")
            .header("if-match", "\"1\"")
            .json(&body)
            .send()
    });
    let answers = futures_util::future::join_all(edits).await;
    let won = answers
        .iter()
        .filter(|answer| answer.status == StatusCode::OK)
        .count();
    assert_eq!(won, 1);
    let others = answers
        .iter()
        .filter(|answer| answer.code() == "etag_stale")
        .count();
    assert_eq!(others, 19);
}

#[tokio::test]
async fn a_repeated_post_gets_the_first_answer() {
    let (directory, owner) = Directory::with_owner().await;
    let make = |name: &str| {
        directory
            .ask(&owner, Method::POST, "/users")
            .header("idempotency-key", "abc")
            .json(&json!({"username": name}))
            .send()
    };
    let first = make("alice").await.good();
    let second = make("alice").await.good();
    assert_eq!(first.body, second.body);
    assert_eq!(second.headers["idempotency-replayed"], "true");
    assert_eq!(make("bob").await.code(), "idempotency_mismatch");
    directory.pass_ms(24 * 3600 * 1000 - 1);
    assert_eq!(directory.count("SELECT COUNT(*) FROM users").await, 2);
}

#[tokio::test]
async fn a_secret_is_not_kept_for_repeats() {
    let (directory, owner) = Directory::with_owner().await;
    let make = || {
        directory
            .ask(&owner, Method::POST, "/tokens")
            .header("idempotency-key", "abc")
            .json(&json!({"name": "ci", "scopes": ["read"]}))
            .send()
    };
    let token = make().await.good().text("token");
    assert_eq!(make().await.status, StatusCode::CONFLICT);
    assert_eq!(directory.count("SELECT COUNT(*) FROM api_tokens").await, 1);
    directory.app.store.close().await;
    let stored = std::fs::read(directory.database()).unwrap();
    assert!(
        !stored
            .windows(token.len())
            .any(|window| window == token.as_bytes())
    );
}

#[tokio::test]
async fn a_trial_says_who_gains_and_loses_and_writes_nothing() {
    let (directory, owner) = Directory::with_owner().await;
    directory.host("web-1", "env=prod").await;
    directory.person(&owner, "alice", &[]).await;
    let rule =
        json!({"name": "r", "effect": "allow", "subjects": ["user:alice"], "hosts": "env=prod"});
    let before = directory.count("SELECT seq FROM events_head").await;
    let tried = directory
        .post(&owner, "/access-rules?dry_run=true", rule.clone())
        .await
        .good();
    assert_eq!(
        tried.body["gained"],
        json!([{"user": "alice", "host": "web-1"}])
    );
    assert_eq!(tried.body["dry_run"], true);
    assert_eq!(directory.count("SELECT seq FROM events_head").await, before);
    assert_eq!(
        directory.count("SELECT COUNT(*) FROM access_rules").await,
        0
    );
    directory.post(&owner, "/access-rules", rule).await.good();
    let tried = directory
        .post(&owner, "/users/alice/suspend?dry_run=true", json!({}))
        .await
        .good();
    assert_eq!(
        tried.body["lost"],
        json!([{"user": "alice", "host": "web-1"}])
    );
    let tried = directory
        .post(&owner, "/users/alice/suspend?dry%5Frun=tru%65", json!({}))
        .await
        .good();
    assert_eq!(tried.body["dry_run"], true);
    let answer = directory
        .post(&owner, "/users/alice/suspend?dry_run=yes", json!({}))
        .await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_eq!(
        directory
            .get(&owner, "/users/alice")
            .await
            .good()
            .text("state"),
        "active"
    );
}

#[tokio::test]
async fn lists_come_in_pages_that_miss_and_repeat_nothing() {
    let (directory, owner) = Directory::with_owner().await;
    for number in 0..7 {
        let new = json!({"username": format!("user{number}")});
        directory.post(&owner, "/users", new).await.good();
    }
    let mut names = Vec::new();
    let mut path = "/users?limit=3&count=true".to_owned();
    loop {
        let page = directory.get(&owner, &path).await.good();
        assert_eq!(page.body["total"], 8);
        let items = page.body["items"].as_array().unwrap().clone();
        names.extend(
            items
                .iter()
                .map(|user| user["username"].as_str().unwrap().to_owned()),
        );
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/users?limit=3&count=true&cursor={cursor}"),
            None => break,
        }
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 8);
}
