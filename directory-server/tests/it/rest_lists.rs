//! Lists: every one is filtered, sorted and paged alike, by the rules of spec 02.

use axum::http::{StatusCode, header};
use serde_json::{Value, json};

use crate::people_world::*;

/// Every list with a filter of its own that fits something, and one that fits nothing.
const LISTS: [(&str, &str, &str); 9] = [
    ("/users", r#"role eq "owner""#, r#"uid gt 99999"#),
    ("/groups", r#"member eq "alice""#, r#"unix eq true"#),
    (
        "/projects",
        r#"name prefix "ma""#,
        r#"trust_host_tags eq true"#,
    ),
    ("/tags", r#"host_count gt 0"#, r#"name eq "env=dev""#),
    (
        "/hosts",
        r#"tag in ("env=prod", "x")"#,
        r#"last_seen gt "2000-01-01T00:00:00Z""#,
    ),
    (
        "/access-rules",
        r#"group eq "web" and user eq "alice""#,
        r#"effect eq "deny""#,
    ),
    (
        "/role-assignments",
        r#"username eq "ruth""#,
        r#"role eq "read-only""#,
    ),
    (
        "/users/alice/ssh-keys",
        r#"type eq "ssh-ed25519""#,
        r#"hardware eq true"#,
    ),
    (
        "/events",
        r#"type eq "user.created" and user eq "alice""#,
        r#"ip eq "10.0.0.1""#,
    ),
];

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJVyXt4PvnWrnXv4+Jx5nHcDHqHlQ5xwxtfXAKPpAtqy alice";

async fn filled() -> (Directory, String) {
    let (directory, owner) = Directory::with_owner().await;
    directory.person(&owner, "alice", &[]).await;
    directory.host("web-1", "env=prod").await;
    let posts = [
        ("/groups", json!({"name": "web"})),
        ("/groups/web/members", json!({"add": ["alice"]})),
        (
            "/access-rules",
            json!({"name": "web", "effect": "allow", "subjects": ["group:web", "user:alice"],
                   "hosts": "env=prod"}),
        ),
        ("/users/alice/ssh-keys", json!({"public_key": KEY})),
    ];
    for (path, body) in posts {
        directory.post(&owner, path, body).await.good();
    }
    (directory, owner)
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn names(body: &Value, field: &str) -> Vec<String> {
    let items = body["items"].as_array().unwrap().iter();
    items
        .map(|item| item[field].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn every_list_is_filtered_by_its_fields() {
    let (directory, owner) = filled().await;
    for (path, fits, fits_nothing) in LISTS {
        let count = async |filter: &str| {
            let path = format!("{path}?count=true&filter={}", encoded(filter));
            let body = directory.get(&owner, &path).await.good().body;
            assert_eq!(body["total"], body["items"].as_array().unwrap().len());
            body["total"].as_u64().unwrap()
        };
        assert_eq!(count(fits).await, 1, "{path} {fits}");
        assert_eq!(count(fits_nothing).await, 0, "{path} {fits_nothing}");
        let not = format!("not ({fits_nothing})");
        assert!(count(&not).await >= 1, "{path} {not}");
    }
}

#[tokio::test]
async fn every_list_names_the_field_that_it_does_not_know() {
    let (directory, owner) = filled().await;
    let lists = LISTS.map(|(path, _, _)| path);
    for path in lists
        .iter()
        .chain(&["/tokens", "/enrollment-tokens", "/me/ssh-keys"])
    {
        for asked in [
            "filter=colour%20eq%20%22red%22",
            "sort=-colour",
            "colour=red",
        ] {
            let answer = directory.get(&owner, &format!("{path}?{asked}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {asked}");
            assert_eq!(answer.code(), "unknown_field", "{path} {asked}");
            assert!(answer.text("detail").contains("colour"), "{path} {asked}");
        }
    }
}

#[tokio::test]
async fn a_list_goes_by_the_field_that_was_asked_for_in_both_directions() {
    let (directory, owner) = Directory::with_owner().await;
    for name in ["carol", "alice", "bob"] {
        directory.pass_ms(1_000);
        directory.person(&owner, name, &[]).await;
    }
    for (sort, expected) in [
        ("username", ["alice", "bob", "carol", OWNER]),
        ("-username", [OWNER, "carol", "bob", "alice"]),
        ("-created_at", ["bob", "alice", "carol", OWNER]),
        ("uid", [OWNER, "carol", "alice", "bob"]),
        // Nobody has an end: the order of making decides among equals.
        ("-expires_at", ["bob", "alice", "carol", OWNER]),
    ] {
        let path = format!("/users?sort={sort}");
        let body = directory.get(&owner, &path).await.good().body;
        assert_eq!(names(&body, "username"), expected, "{sort}");
    }
    let many = directory.get(&owner, "/users?sort=group").await;
    assert_eq!(many.code(), "malformed");
}

#[tokio::test]
async fn pages_follow_their_links_and_miss_and_repeat_nothing_while_objects_come_and_go() {
    let (directory, owner) = Directory::with_owner().await;
    for number in 0..7 {
        let new = json!({"name": format!("group{number}"), "description": "x"});
        directory.post(&owner, "/groups", new).await.good();
    }
    let mut seen = Vec::new();
    let mut path = "/groups?limit=2&sort=-name&filter=description%20eq%20%22x%22".to_owned();
    loop {
        let page = directory.get(&owner, &path).await.good();
        let names = names(&page.body, "name");
        if let Some(last) = names.last() {
            // The object that the next page begins behind is gone before it is asked for.
            directory
                .delete(&owner, &format!("/groups/{last}"))
                .await
                .good();
        }
        let new = json!({"name": format!("new{}", seen.len()), "description": "x"});
        directory.post(&owner, "/groups", new).await.good();
        seen.extend(names);
        let Some(link) = page.headers.get(header::LINK) else {
            assert!(page.body.get("next_cursor").is_none());
            break;
        };
        let link = link
            .to_str()
            .unwrap()
            .strip_suffix(">; rel=\"next\"")
            .unwrap();
        path = link.strip_prefix("</api/v1").unwrap().to_owned();
    }
    let expected: Vec<String> = (0..7)
        .rev()
        .map(|number| format!("group{number}"))
        .collect();
    assert_eq!(seen, expected);
}

#[tokio::test]
async fn a_cursor_of_another_order_is_refused() {
    let (directory, owner) = filled().await;
    let page = directory
        .get(&owner, "/users?limit=1&sort=uid")
        .await
        .good();
    let cursor = page.text("next_cursor");
    for path in ["/users?limit=1&cursor=", "/users?limit=1&sort=-uid&cursor="] {
        let answer = directory.get(&owner, &format!("{path}{cursor}")).await;
        assert_eq!(answer.code(), "malformed", "{path}");
    }
}

#[tokio::test]
async fn events_come_newest_first_page_by_page() {
    let (directory, owner) = filled().await;
    let newest = directory.count("SELECT seq FROM events_head").await;
    let mut seen = Vec::new();
    let mut path = "/events?limit=3".to_owned();
    loop {
        let page = directory.get(&owner, &path).await.good().body;
        let items = page["items"].as_array().unwrap();
        seen.extend(items.iter().map(|event| event["seq"].as_i64().unwrap()));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/events?limit=3&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(seen, (1..=newest).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn who_can_and_what_can_are_answered_by_the_engine() {
    let (directory, owner) = filled().await;
    directory.person(&owner, "bob", &[]).await;
    directory.host("db-1", "env=db").await;
    let rules = [
        json!({"name": "night", "effect": "allow", "subjects": ["user:bob"], "hosts": "env=prod",
               "sources": ["10.0.0.0/8"]}),
        json!({"name": "never", "effect": "deny", "subjects": ["user:alice"], "hosts": "env=db"}),
        json!({"name": "db", "effect": "allow", "subjects": ["user:alice"], "hosts": "env=db"}),
    ];
    for rule in rules {
        directory.post(&owner, "/access-rules", rule).await.good();
    }
    let found = async |path: &str, name: &str| {
        let body = directory.get(&owner, path).await.good().body;
        let items = body["items"].as_array().unwrap().clone();
        let mut found: Vec<_> = items
            .iter()
            .map(|item| {
                (
                    item[name].as_str().unwrap().to_owned(),
                    item["allowed"] == true,
                )
            })
            .collect();
        found.sort();
        found
    };
    let pair = |name: &str, allowed| (name.to_owned(), allowed);
    let (alice, bob, bob_from_there) = (pair("alice", true), pair("bob", false), pair("bob", true));
    let who = async |question: &str| found(&format!("/who-can?{question}"), "username").await;
    assert_eq!(who("host=web-1").await, [alice.clone(), bob]);
    assert_eq!(
        who("host=web-1&source=10.1.2.3").await,
        [alice.clone(), bob_from_there]
    );
    assert_eq!(who("host=web-1&source=192.0.2.1").await, [alice]);
    assert_eq!(who("host=db-1").await, []);
    let what = async |question: &str| found(&format!("/what-can?{question}"), "hostname").await;
    assert_eq!(what("user=alice").await, [pair("web-1", true)]);
    assert_eq!(what("user=bob&source=192.0.2.1").await, []);
    directory
        .post(&owner, "/users/alice/suspend", json!({}))
        .await
        .good();
    assert_eq!(what("user=alice").await, []);
}

#[tokio::test]
async fn who_can_wants_a_host_that_is_there_and_nothing_it_does_not_know() {
    let (directory, owner) = filled().await;
    for (path, code) in [
        ("/who-can", "malformed"),
        ("/who-can?host=nowhere", "not_found"),
        ("/what-can?user=nobody", "not_found"),
        ("/what-can?user=alice&host=web-1", "unknown_field"),
        ("/who-can?host=web-1&at=noon", "malformed"),
    ] {
        assert_eq!(directory.get(&owner, path).await.code(), code, "{path}");
    }
}
