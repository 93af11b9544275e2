//! Who may call what: WEB-02, WEB-06, PF-09.

use axum::http::{Method, StatusCode};
use directory_server::access::{Access, TABLE};
use serde_json::json;

use crate::people_world::*;

/// The whole list of calls that answer strangers. A new line here is a decision.
const ANONYMOUS: &[(&str, &str)] = &[
    ("GET", "/api/v1/openapi.json"),
    ("POST", "/api/v1/auth/bootstrap"),
    ("POST", "/api/v1/auth/login"),
    ("POST", "/api/v1/auth/mfa"),
    ("GET", "/api/v1/enroll/{code}"),
    ("POST", "/api/v1/enroll/{code}/open"),
    ("POST", "/api/v1/enroll/{code}/strength"),
    ("POST", "/api/v1/enroll/{code}/password"),
    ("POST", "/api/v1/enroll/{code}/ssh-key"),
    ("POST", "/api/v1/enroll/{code}/totp"),
    ("POST", "/api/v1/enroll/{code}/totp/{id}/confirm"),
    ("POST", "/api/v1/enroll/{code}/yubikey"),
    ("POST", "/api/v1/enroll/{code}/backup-codes"),
    ("POST", "/api/v1/enroll/{code}/backup-codes/confirm"),
    ("POST", "/api/v1/enroll/{code}/test"),
    ("POST", "/api/v1/enroll/{code}/finish"),
];

fn path_of(call: &str) -> String {
    call.trim_start_matches("/api/v1")
        .replace("{id}", "nobody-here")
        .replace("{key}", "ssh_0")
}

#[tokio::test]
async fn web_02_only_the_checked_in_calls_answer_strangers() {
    let (directory, _) = Directory::with_owner().await;
    for (method, path, access) in TABLE {
        let listed = ANONYMOUS.contains(&(method, path));
        assert_eq!(*access == Access::Anonymous, listed, "{method} {path}");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = directory
            .ask("", method.clone(), &path_of(path))
            .send()
            .await;
        if !listed {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.code(), "unauthenticated");
        }
    }
    for method in [Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        let answer = directory.ask("", method, "/users").send().await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn invented_and_foreign_tokens_are_refused() {
    let (directory, owner) = Directory::with_owner().await;
    let mut changed = owner.clone();
    changed.pop();
    for token in [
        "x",
        "cls_",
        "clt_AAAA",
        &changed,
        &owner.to_uppercase(),
        &"A".repeat(5000),
    ] {
        assert_eq!(
            directory.get(token, "/me").await.status,
            StatusCode::UNAUTHORIZED
        );
    }
    assert_eq!(directory.get(&owner, "/me").await.status, StatusCode::OK);
}

/// What a call is about, said once more and independently of the table under test.
fn oracle_area(method: &str, path: &str) -> &'static str {
    let path = path.trim_start_matches("/api/v1/");
    let first = path.split('/').next().unwrap();
    match first {
        "openapi.json" | "enroll" => "anybody",
        "auth"
            if ["login", "mfa", "bootstrap"]
                .iter()
                .any(|end| path.ends_with(end)) =>
        {
            "anybody"
        }
        "me" if method != "GET" => "person",
        "auth" if path.ends_with("renew") || path.ends_with("step-up") => "person",
        "tokens" if method == "POST" => "person",
        "auth" | "me" | "tokens" => "self",
        "events" => "events",
        "explain" => "read",
        _ if method == "GET" => "read",
        "users" => "users",
        "groups" => "groups",
        "hosts" | "projects" => "hosts",
        "access-rules" | "policies" | "password-policy" => "rules",
        "enrollment-tokens" => "enrollment",
        "role-assignments" => "roles",
        other => panic!("the oracle does not know {other}"),
    }
}

fn oracle_allows(area: &str, method: &str, roles: &[&str], scope: Option<&str>) -> bool {
    let writes = ["users", "groups", "hosts", "rules", "enrollment", "roles"].contains(&area);
    let by_role = match area {
        "anybody" | "self" | "person" => true,
        "roles" => roles.contains(&"owner"),
        _ if writes => roles.contains(&"owner") || roles.contains(&"directory-admin"),
        _ => !roles.is_empty(),
    };
    let by_scope = match (scope, area) {
        (None | Some("all"), "person") => scope.is_none(),
        (None | Some("all"), _) => true,
        (Some(_), "anybody" | "read") => true,
        (Some(_), "person") => false,
        (Some(_), "self") => method == "GET",
        (Some(scope), "events") => scope == "read",
        (Some("enrollment-tokens"), "enrollment") => true,
        (Some(scope), area) => scope == area,
    };
    by_role && by_scope
}

/// Every set of roles, as a person and with every scope, at every call: never more and never less
/// than the oracle says. `dry_run` keeps the callers signed in.
#[tokio::test]
async fn web_06_roles_and_scopes_open_what_the_oracle_says() {
    let (directory, owner) = Directory::with_owner().await;
    let names = ["owner", "directory-admin", "read-only"];
    let scopes = [
        "read",
        "users",
        "groups",
        "hosts",
        "rules",
        "enrollment-tokens",
        "all",
    ];
    for set in 0..8_usize {
        let chosen = names
            .iter()
            .enumerate()
            .filter(|(bit, _)| set >> bit & 1 == 1);
        let roles: Vec<&str> = chosen.map(|(_, role)| *role).collect();
        let user = format!("person{set}");
        let session = directory.person(&owner, &user, &roles).await;
        let mut callers = vec![(None, session)];
        for scope in scopes {
            let text = format!("[\"{scope}\"]");
            callers.push((Some(scope), directory.api_token(&user, &text).await));
        }
        for (scope, token) in &callers {
            for (method, path, _) in TABLE {
                let asked = format!("{}?dry_run=true", path_of(path));
                let asked = if *method == "GET" {
                    path_of(path)
                } else {
                    asked
                };
                let verb = Method::from_bytes(method.as_bytes()).unwrap();
                let answer = directory.ask(token, verb, &asked).send().await;
                let refused = answer.status == StatusCode::FORBIDDEN;
                let area = oracle_area(method, path);
                let expected = oracle_allows(area, method, &roles, *scope);
                assert_eq!(
                    !refused, expected,
                    "{roles:?} {scope:?} {method} {path}: {}",
                    answer.body
                );
                if area != "anybody" {
                    assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
                }
            }
        }
    }
}

#[tokio::test]
async fn web_06_reading_changes_nothing() {
    let (directory, owner) = Directory::with_owner().await;
    let before = directory.count("SELECT seq FROM events_head").await;
    for (method, path, _) in TABLE {
        if *method == "GET" {
            directory.get(&owner, &path_of(path)).await;
        }
    }
    assert_eq!(directory.count("SELECT seq FROM events_head").await, before);
}

#[tokio::test]
async fn web_06_an_administrator_cannot_become_an_owner() {
    let (directory, owner) = Directory::with_owner().await;
    let admin = directory.person(&owner, "adam", &["directory-admin"]).await;
    let ways = [
        (
            format!("/users/{OWNER}/reset-password"),
            json!({"password": "seven quiet lanterns"}),
        ),
        (format!("/users/{OWNER}/suspend"), json!({})),
        (
            format!("/users/{OWNER}/ssh-keys"),
            json!({"public_key": "ssh-ed25519 AAAA"}),
        ),
        (
            "/users/adam/reset-password".to_owned(),
            json!({"password": "seven quiet lanterns"}),
        ),
        (
            "/role-assignments".to_owned(),
            json!({"role": "owner", "user": "adam"}),
        ),
    ];
    for (path, body) in ways {
        assert_eq!(
            directory.post(&admin, &path, body).await.status,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    let patched = directory
        .patch(&admin, &format!("/users/{OWNER}"), json!({"email": "a@b"}))
        .await;
    assert_eq!(patched.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn tags_and_projects_change_only_in_the_version_that_was_read() {
    let (directory, owner) = Directory::with_owner().await;
    directory.host("web-1", "env=prod").await;
    let project = json!({"name": "quarry"});
    directory.post(&owner, "/projects", project).await.good();
    let changes = [
        ("/hosts/web-1", json!({"tags": ["env=dev"]})),
        ("/projects/quarry", json!({"trust_host_tags": true})),
    ];
    for (path, change) in changes {
        let blind = directory.ask(&owner, Method::PATCH, path).json(&change);
        assert_eq!(blind.send().await.code(), "etag_required", "{path}");
        directory.patch(&owner, path, change).await.good();
    }
}

#[tokio::test]
async fn the_last_owner_stays() {
    let (directory, owner) = Directory::with_owner().await;
    let suspended = directory
        .post(&owner, &format!("/users/{OWNER}/suspend"), json!({}))
        .await;
    assert_eq!(suspended.code(), "last_owner");
    let deleted = directory.delete(&owner, &format!("/users/{OWNER}")).await;
    assert_eq!(deleted.code(), "last_owner");
    let roles = directory.get(&owner, "/role-assignments").await.good();
    let id = roles.body["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/role-assignments/{id}");
    let removed = directory.ask(&owner, Method::DELETE, &path).send().await;
    assert_eq!(removed.code(), "last_owner");
}

#[tokio::test]
async fn pf_09_what_belongs_to_others_cannot_be_told_from_what_is_not_there() {
    let (directory, owner) = Directory::with_owner().await;
    let alice = directory.person(&owner, "alice", &[]).await;
    directory.person(&owner, "bob", &[]).await;
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti b";
    let added = directory
        .post(&owner, "/users/bob/ssh-keys", json!({"public_key": key}))
        .await;
    let bobs = added.good().text("id");
    let token = directory
        .post(&owner, "/tokens", json!({"name": "t", "scopes": ["read"]}))
        .await;
    let ruths = token.good().text("id");
    let pairs = [
        (
            Method::DELETE,
            format!("/me/ssh-keys/{bobs}"),
            "/me/ssh-keys/ssh_none".to_owned(),
        ),
        (
            Method::DELETE,
            format!("/tokens/{ruths}"),
            "/tokens/key_none".to_owned(),
        ),
        (
            Method::GET,
            "/users/bob".to_owned(),
            "/users/nobody".to_owned(),
        ),
        (
            Method::GET,
            "/users/bob/ssh-keys".to_owned(),
            "/users/nobody/ssh-keys".to_owned(),
        ),
        (
            Method::GET,
            "/users/bob/access".to_owned(),
            "/users/nobody/access".to_owned(),
        ),
    ];
    for (method, of_others, of_nobody) in pairs {
        let ask = |path: String| {
            directory
                .ask(&alice, method.clone(), &path)
                .header("x-request-id", "1")
                .send()
        };
        let (real, unreal) = (ask(of_others.clone()).await, ask(of_nobody).await);
        assert!(real.status == StatusCode::NOT_FOUND || real.status == StatusCode::FORBIDDEN);
        assert_eq!(
            (real.status, real.body),
            (unreal.status, unreal.body),
            "{of_others}"
        );
    }
    assert_eq!(
        directory.get(&alice, "/tokens").await.good().body["items"],
        json!([])
    );
    assert_eq!(directory.count("SELECT COUNT(*) FROM ssh_keys").await, 1);
}
