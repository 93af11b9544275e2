//! Users, groups, keys and rules: ID-01 to ID-06, and what the directory promises about them.

use axum::http::{Method, StatusCode};
use serde_json::json;

use crate::people_world::*;

#[tokio::test]
async fn id_01_names_of_the_system_are_refused() {
    let (directory, owner) = Directory::with_owner().await;
    for name in [
        "root",
        "daemon",
        "nobody",
        "sudo",
        "docker",
        "systemd-x",
        "cloudid",
        "www-data",
    ] {
        for path in ["/users", "/groups"] {
            let body = if path == "/users" {
                json!({"username": name})
            } else {
                json!({"name": name})
            };
            let answer = directory.post(&owner, path, body).await;
            assert_eq!(
                answer.status,
                StatusCode::UNPROCESSABLE_ENTITY,
                "{path} {name}"
            );
        }
    }
}

#[tokio::test]
async fn id_02_hostile_names_are_refused() {
    let (directory, owner) = Directory::with_owner().await;
    let long = "a".repeat(33);
    let longer = "a".repeat(256);
    let hostile = [
        "-rf",
        "a:b",
        "a\nb",
        "../x",
        "$(id)",
        "r\u{43e}\u{43e}t",
        "a\u{200b}b",
        "a\u{202e}b",
        "x.",
        "x ",
        " x",
        "x$",
        "a\0b",
        &long,
        &longer,
        "0day",
        "123",
        "#0",
        "+",
        "-1",
        "@g",
        "%wheel",
        "ALL",
        "root@R",
        "",
        "Alice",
        "a/b",
        "a\\b",
        "a,b",
        "a;b",
        "a'b",
        "a\"b",
        "a`b",
        "é",
    ];
    for name in hostile {
        let answer = directory
            .post(&owner, "/users", json!({"username": name}))
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
        let answer = directory
            .post(&owner, "/groups", json!({"name": name}))
            .await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{name:?}");
    }
    assert_eq!(directory.count("SELECT COUNT(*) FROM users").await, 1);
}

#[tokio::test]
async fn id_03_a_name_is_taken_once_for_users_and_groups_together() {
    let (directory, owner) = Directory::with_owner().await;
    directory
        .post(&owner, "/users", json!({"username": "alice"}))
        .await
        .good();
    directory
        .post(&owner, "/groups", json!({"name": "web"}))
        .await
        .good();
    for (path, body) in [
        ("/users", json!({"username": "alice"})),
        ("/users", json!({"username": "web"})),
        ("/groups", json!({"name": "alice"})),
    ] {
        assert_eq!(
            directory.post(&owner, path, body).await.code(),
            "name_taken"
        );
    }
}

#[tokio::test]
async fn id_04_pinned_ids_must_be_in_range_and_never_used() {
    let (directory, owner) = Directory::with_owner().await;
    for uid in [
        0_u64,
        1,
        999,
        65_534,
        69_999,
        100_000,
        524_288,
        1 << 31,
        (1 << 32) + 70_001,
    ] {
        let body = json!({"username": "bad", "uid": uid});
        let answer = directory.post(&owner, "/users", body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{uid}");
    }
    let pinned = json!({"username": "pinned", "uid": 88_000});
    assert_eq!(
        directory.post(&owner, "/users", pinned).await.good().body["gid"],
        88_000
    );
    let again = directory
        .post(
            &owner,
            "/users",
            json!({"username": "other", "uid": 88_000}),
        )
        .await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let next = directory
        .post(&owner, "/users", json!({"username": "next"}))
        .await
        .good();
    assert!(
        next.body["uid"].as_u64().unwrap() < 88_000,
        "a pinned id does not move the sequence"
    );
}

#[tokio::test]
async fn id_05_names_and_ids_of_the_deleted_never_come_back() {
    let (directory, owner) = Directory::with_owner().await;
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..20 {
        let name = format!("temp{round}");
        let new = json!({"username": name, "active": true});
        let made = directory.post(&owner, "/users", new).await.good();
        assert!(
            seen.insert(made.body["uid"].as_u64().unwrap()),
            "a uid came back"
        );
        let id = made.text("id");
        directory
            .delete(&owner, &format!("/users/{id}"))
            .await
            .good();
        let again = directory
            .post(&owner, "/users", json!({"username": name}))
            .await;
        assert_eq!(again.code(), "name_taken");
    }
    let unix = json!({"name": "web", "unix": true});
    let gid = directory
        .post(&owner, "/groups", unix.clone())
        .await
        .good()
        .body["gid"]
        .clone();
    directory.delete(&owner, "/groups/web").await.good();
    let other = directory.post(&owner, "/groups", unix).await.good().body["gid"].clone();
    assert_ne!(gid, other);
}

#[tokio::test]
async fn id_06_a_rule_follows_the_group_and_not_its_name() {
    let (directory, owner) = Directory::with_owner().await;
    directory.host("web-1", "env=prod").await;
    directory.person(&owner, "alice", &[]).await;
    directory
        .post(&owner, "/groups", json!({"name": "web"}))
        .await
        .good();
    directory
        .post(&owner, "/groups/web/members", json!({"add": ["alice"]}))
        .await
        .good();
    let rule =
        json!({"name": "r", "effect": "allow", "subjects": ["group:web"], "hosts": "env=prod"});
    directory.post(&owner, "/access-rules", rule).await.good();
    directory
        .patch(&owner, "/groups/web", json!({"name": "frontend"}))
        .await
        .good();
    directory
        .post(&owner, "/groups", json!({"name": "web"}))
        .await
        .good();
    directory.person(&owner, "mallory", &[]).await;
    directory
        .post(&owner, "/groups/web/members", json!({"add": ["mallory"]}))
        .await
        .good();
    for (user, decision) in [("alice", "allow"), ("mallory", "deny")] {
        let asked = json!({"user": user, "host": "web-1"});
        let answer = directory.post(&owner, "/explain", asked).await.good();
        assert_eq!(answer.text("decision"), decision, "{user}");
    }
    let deleted = directory.delete(&owner, "/groups/frontend").await;
    assert_eq!(deleted.status, StatusCode::CONFLICT, "a rule names it");
}

#[tokio::test]
async fn groups_nest_eight_deep_and_never_in_a_circle() {
    let (directory, owner) = Directory::with_owner().await;
    for number in 0..10 {
        let body = json!({"name": format!("g{number}")});
        directory.post(&owner, "/groups", body).await.good();
    }
    let put = async |parent: u32, child: u32| {
        let body = json!({"add": [format!("group:g{child}")]});
        directory
            .post(&owner, &format!("/groups/g{parent}/members"), body)
            .await
            .status
    };
    assert_eq!(put(0, 0).await, StatusCode::CONFLICT);
    for number in 0..7 {
        assert_eq!(put(number, number + 1).await, StatusCode::OK, "{number}");
    }
    assert_eq!(put(7, 8).await, StatusCode::CONFLICT, "nine deep");
    assert_eq!(put(7, 0).await, StatusCode::CONFLICT, "a circle");
    assert_eq!(put(3, 1).await, StatusCode::CONFLICT, "a small circle");
    directory.person(&owner, "alice", &[]).await;
    directory
        .post(&owner, "/groups/g7/members", json!({"add": ["alice"]}))
        .await
        .good();
    let all = directory
        .get(&owner, "/groups/g0/members?transitive=true")
        .await
        .good();
    let names = all.body["items"].to_string();
    assert!(names.contains("alice") && names.contains("g7"));
}

#[tokio::test]
async fn a_private_key_is_refused_loudly_and_kept_nowhere() {
    let (directory, owner) = Directory::with_owner().await;
    let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nCANARYCANARYCANARY\n-----END OPENSSH PRIVATE KEY-----";
    let answer = directory
        .post(&owner, "/me/ssh-keys", json!({"public_key": private}))
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (422, "private_key_sent")
    );
    let events = directory
        .get(&owner, "/events?type=user.private_key_refused")
        .await
        .good();
    assert_eq!(events.body["items"].as_array().unwrap().len(), 1);
    directory.app.store.close().await;
    let stored = std::fs::read(directory.database()).unwrap();
    assert!(!stored.windows(12).any(|window| window == b"CANARYCANARY"));
}

#[tokio::test]
async fn suspension_ends_sessions_and_tokens_and_rides_the_fast_lane() {
    let (directory, owner) = Directory::with_owner().await;
    let alice = directory.person(&owner, "alice", &["read-only"]).await;
    let token = directory.api_token("alice", "[\"all\"]").await;
    assert_eq!(directory.get(&token, "/users").await.status, StatusCode::OK);
    directory
        .post(&owner, "/users/alice/suspend", json!({"reason": "left"}))
        .await
        .good();
    for credential in [&alice, &token] {
        assert_eq!(
            directory.get(credential, "/me").await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(
        directory
            .count("SELECT COUNT(*) FROM fast_lane WHERE verb = 'suspend_user'")
            .await,
        1
    );
    let touched = directory.app.dirty.taken().await;
    assert!(touched.fast_lane && !touched.users.is_empty());
}

#[tokio::test]
async fn a_session_ends_after_a_pause_and_after_a_day_s_work() {
    let (directory, owner) = Directory::with_owner().await;
    directory.pass_ms(29 * 60_000);
    assert_eq!(directory.get(&owner, "/me").await.status, StatusCode::OK);
    directory.pass_ms(31 * 60_000);
    assert_eq!(
        directory.get(&owner, "/me").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn logging_out_ends_the_session() {
    let (directory, owner) = Directory::with_owner().await;
    let answer = directory
        .ask(&owner, Method::POST, "/auth/logout")
        .send()
        .await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(
        directory.get(&owner, "/me").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_filter_finds_what_it_says_and_an_unknown_field_is_named() {
    let (directory, owner) = Directory::with_owner().await;
    for name in ["alice", "bob", "carol"] {
        directory.person(&owner, name, &[]).await;
    }
    let group = json!({"name": "web"});
    directory.post(&owner, "/groups", group).await.good();
    let members = json!({"add": ["alice", "bob"]});
    directory
        .post(&owner, "/groups/web/members", members)
        .await
        .good();
    directory
        .post(&owner, "/users/bob/suspend", json!({}))
        .await
        .good();
    let cases = [
        (r#"group in ("web", "dba")"#, vec!["alice", "bob"]),
        (r#"group eq "web" and state eq "active""#, vec!["alice"]),
        (
            r#"state eq "suspended" or username prefix "car""#,
            vec!["bob", "carol"],
        ),
        (
            r#"not (group has "web") and username ne "NAME""#,
            vec!["carol"],
        ),
    ];
    for (filter, expected) in cases {
        let path = format!("/users?filter={}", encoded(&filter.replace("NAME", OWNER)));
        let answer = directory.get(&owner, &path).await.good();
        let mut found: Vec<&str> = answer.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|user| user["username"].as_str())
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected, "{filter}");
    }
    let path = format!(
        "/users?filter={}",
        encoded(r#"password_verifier prefix "$""#)
    );
    assert_eq!(directory.get(&owner, &path).await.code(), "unknown_field");
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn removals_are_confirmed_for_a_host_in_use_and_written_down() {
    let (directory, owner) = Directory::with_owner().await;
    directory.host("web-1", "env=prod").await;
    let path = "/hosts/web-1/confirm-removals";
    let none = directory.post(&owner, path, json!({"removals": 0})).await;
    assert_eq!(none.status, StatusCode::UNPROCESSABLE_ENTITY);
    let body = json!({"removals": 40, "reason": "the department moved"});
    directory.post(&owner, path, body).await.good();
    let stored = "SELECT confirmed_removals FROM hosts";
    assert_eq!(directory.count(stored).await, 40);
    let told = "SELECT COUNT(*) FROM events WHERE kind = 'host.removals_confirmed'
                AND body LIKE '%the department moved%'";
    assert_eq!(directory.count(told).await, 1);
    directory
        .post(&owner, "/hosts/web-1/retire", json!({}))
        .await
        .good();
    let id = directory.get(&owner, "/hosts?state=retired").await.good();
    let path = format!(
        "/hosts/{}/confirm-removals",
        id.body["items"][0]["id"].as_str().unwrap()
    );
    let retired = directory.post(&owner, &path, json!({"removals": 1})).await;
    assert_eq!(retired.status, StatusCode::CONFLICT);
}
