//! Policies by REST: made, changed and removed by who may, previewed with what they loosen, and in
//! every host's bundle at once.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::people_world::*;

async fn world() -> (Directory, String) {
    let (directory, owner) = Directory::with_owner().await;
    directory.host("web-1", "env=prod").await;
    directory.host("lab-1", "env=dev").await;
    let person = json!({"username": "alice", "active": true});
    directory.post(&owner, "/users", person).await.good();
    let rule = json!({"name": "all", "effect": "allow", "subjects": ["user:alice"], "hosts": "*"});
    directory.post(&owner, "/access-rules", rule).await.good();
    (directory, owner)
}

fn prod() -> Value {
    json!({
        "name": "prod", "description": "two factors", "hosts": "env=prod",
        "services": ["sshd", "sudo"], "except_sources": ["10.0.0.0/8"],
        "auth_methods": ["hardware-key", "password+code"],
        "mfa": {"unenrolled": "deny", "remember": "10m", "methods": ["totp"]},
        "offline": {"horizon": "12h", "code_tries": 5, "lock_for": "30m", "backup_codes": false},
    })
}

async fn tried(
    directory: &Directory,
    token: &str,
    method: Method,
    path: &str,
    body: Value,
) -> Value {
    let path = format!("{path}?dry_run=true");
    let asking = directory.ask(token, method, &path).header("if-match", "*");
    asking.json(&body).send().await.good().body
}

#[tokio::test]
async fn a_policy_comes_back_as_it_was_written() {
    let (directory, owner) = world().await;
    let made = directory.post(&owner, "/policies", prod()).await.good();
    assert_eq!(made.status, StatusCode::CREATED);
    assert!(made.text("id").starts_with("pol_"));
    let shown = directory.get(&owner, "/policies/prod").await.good();
    assert_eq!(shown.body, made.body);
    let by_id = format!("/policies/{}", made.text("id"));
    assert_eq!(directory.get(&owner, &by_id).await.good().etag(), "\"1\"");
    for (field, value) in prod().as_object().unwrap() {
        assert_eq!(&shown.body[field], value, "{field}");
    }
    let listed = directory
        .get(&owner, "/policies?filter=name%20eq%20%22prod%22")
        .await;
    assert_eq!(listed.good().body["items"], json!([made.body]));
}

#[tokio::test]
async fn a_change_names_the_version_that_was_read_and_is_written_down() {
    let (directory, owner) = world().await;
    directory.post(&owner, "/policies", prod()).await.good();
    let patch = json!({"mfa": {"unenrolled": "grace:2", "remember": null}, "services": null});
    for method in [Method::PATCH, Method::DELETE] {
        let blind = directory.ask(&owner, method, "/policies/prod").json(&patch);
        assert_eq!(blind.send().await.code(), "etag_required");
    }
    let changed = directory
        .patch(&owner, "/policies/prod", patch)
        .await
        .good();
    assert_eq!(changed.etag(), "\"2\"");
    assert_eq!(
        changed.body["mfa"],
        json!({"unenrolled": "grace:2", "methods": ["totp"]})
    );
    assert_eq!(changed.body["services"], Value::Null);
    let stale = directory
        .ask(&owner, Method::DELETE, "/policies/prod")
        .header("if-match", "\"1\"");
    assert_eq!(stale.send().await.code(), "etag_stale");
    directory.delete(&owner, "/policies/prod").await.good();
    assert_eq!(
        directory.get(&owner, "/policies/prod").await.status,
        StatusCode::NOT_FOUND
    );
    for kind in ["created", "updated", "deleted"] {
        let path = format!("/events?type=policy.{kind}");
        let events = directory.get(&owner, &path).await.good().body;
        assert_eq!(events["items"][0]["target"]["name"], "prod", "{kind}");
    }
    directory.post(&owner, "/policies", prod()).await.good();
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_by_the_name_of_its_field() {
    let (directory, owner) = world().await;
    for (field, settings) in [
        ("name", json!({"name": "Prod"})),
        ("project", json!({"project": "nowhere"})),
        ("hosts", json!({"hosts": ""})),
        ("services", json!({"services": ["cron"]})),
        ("services", json!({"services": ["../sshd"]})),
        ("sources[0]", json!({"sources": ["10.0.0.0/33"]})),
        ("auth_methods", json!({"auth_methods": []})),
        ("auth_methods[0]", json!({"auth_methods": ["telepathy"]})),
        ("mfa.methods", json!({"mfa": {"methods": []}})),
        ("mfa.unenrolled", json!({"mfa": {"unenrolled": "grace:0"}})),
        ("mfa.remember", json!({"mfa": {"remember": "25h"}})),
        ("offline.horizon", json!({"offline": {"horizon": "73h"}})),
        ("offline.code_tries", json!({"offline": {"code_tries": 11}})),
        ("offline.lock_for", json!({"offline": {"lock_for": "59s"}})),
        ("mfa", json!({"mfa": {"requird": true}})),
    ] {
        let mut body = json!({"name": "odd"});
        body.as_object_mut()
            .unwrap()
            .extend(settings.as_object().unwrap().clone());
        let refused = directory.post(&owner, "/policies", body).await;
        assert!(refused.status.is_client_error(), "{settings}");
        let named = refused.body["errors"][0]["field"].as_str().unwrap_or("");
        assert!(named.starts_with(field), "{settings}: {}", refused.body);
    }
    assert_eq!(directory.count("SELECT COUNT(*) FROM policies").await, 0);
    directory.post(&owner, "/policies", prod()).await.good();
    let twice = directory.post(&owner, "/policies", prod()).await;
    assert_eq!(twice.code(), "name_taken");
}

#[tokio::test]
async fn a_preview_tells_which_hosts_and_people_and_what_is_loosened() {
    let (directory, owner) = world().await;
    let preview = tried(&directory, &owner, Method::POST, "/policies", prod()).await;
    assert_eq!(preview["loosened_count"], 0);
    let proofs = preview["proofs"].as_array().unwrap();
    assert!(proofs.iter().all(|change| change["host"] == "web-1"));
    let required = proofs
        .iter()
        .find(|change| change["field"] == "mfa.required");
    assert_eq!(
        required.unwrap(),
        &json!({"host": "web-1", "users": 1, "services": ["sshd", "sudo"],
            "sources": ["anywhere"], "field": "mfa.required", "from": false, "to": true,
            "loosened": false})
    );
    assert_eq!(directory.count("SELECT COUNT(*) FROM policies").await, 0);

    directory.post(&owner, "/policies", prod()).await.good();
    let looser = json!({"mfa": {"unenrolled": "allow"}});
    let preview = tried(&directory, &owner, Method::PATCH, "/policies/prod", looser).await;
    assert_eq!(preview["loosened_count"], 1);
    assert_eq!(preview["proofs"][0]["field"], "mfa.unenrolled");
    let gone = tried(
        &directory,
        &owner,
        Method::DELETE,
        "/policies/prod",
        json!({}),
    )
    .await;
    let first = &gone["proofs"][0];
    assert_eq!(
        (&first["field"], &first["loosened"]),
        (&json!("auth_methods"), &json!(true))
    );
    // Whatever takes a host out of a policy is told, not only a change of the policy.
    let retagged = json!({"tags": ["env=dev"]});
    let preview = tried(&directory, &owner, Method::PATCH, "/hosts/web-1", retagged).await;
    assert_eq!(preview["proofs"], gone["proofs"]);
}

#[tokio::test]
async fn what_holds_at_a_host_is_told_with_the_policies_it_comes_from() {
    let (directory, owner) = world().await;
    let of = |field: &str, answer: &Answer| {
        let fields = answer.body["fields"].as_array().unwrap();
        let found = fields.iter().find(|told| told["field"] == field);
        let found = found.unwrap();
        (found["value"].clone(), found["from"].clone())
    };
    let path = "/hosts/web-1/effective-policy";
    let none = directory.get(&owner, path).await.good();
    assert_eq!(of("mfa.required", &none), (json!(false), json!([])));
    directory.post(&owner, "/policies", prod()).await.good();
    directory.pass_ms(1);
    let everywhere =
        json!({"name": "everywhere", "mfa": {"unenrolled": "allow", "remember": "0s"}});
    directory.post(&owner, "/policies", everywhere).await.good();
    let ssh = directory.get(&owner, path).await.good();
    assert_eq!(ssh.body["policies"], json!(["prod", "everywhere"]));
    assert_eq!(of("mfa.required", &ssh), (json!(true), json!([])));
    assert_eq!(of("mfa.unenrolled", &ssh), (json!("deny"), json!(["prod"])));
    assert_eq!(
        of("mfa.remember", &ssh),
        (json!("0s"), json!(["everywhere"]))
    );
    let office = format!("{path}?service=sudo&source=10.1.2.3");
    let office = directory.get(&owner, &office).await.good();
    assert_eq!(office.body["policies"], json!(["everywhere"]));
    let lab = directory.get(&owner, "/hosts/lab-1/effective-policy").await;
    assert_eq!(lab.good().body["policies"], json!(["everywhere"]));
}

#[tokio::test]
async fn a_policy_follows_its_project_and_keeps_it() {
    let (directory, owner) = world().await;
    let project = json!({"name": "quarry"});
    directory.post(&owner, "/projects", project).await.good();
    let policy = json!({"name": "pits", "project": "quarry"});
    directory.post(&owner, "/policies", policy).await.good();
    let renamed = json!({"name": "mine"});
    directory
        .patch(&owner, "/projects/quarry", renamed)
        .await
        .good();
    let shown = directory.get(&owner, "/policies/pits").await.good();
    assert_eq!(shown.text("project"), "mine");
    let kept = directory.delete(&owner, "/projects/mine").await;
    assert_eq!(kept.code(), "conflict");
    let nowhere = directory.get(&owner, "/hosts/web-1/effective-policy").await;
    assert_eq!(nowhere.good().body["policies"], json!([]));
}
