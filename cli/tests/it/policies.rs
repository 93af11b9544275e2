//! Policies: what is sent, and that nothing is loosened without a yes.

use crate::directory::Asked;
use crate::person::{Person, shown};

const POLICY: &str = r#"{"id":"pol_1","name":"prod","description":"","hosts":"env=prod",
    "services":["sshd"],"mfa":{"unenrolled":"deny"},
    "created_at":"2026-01-01T00:00:00.000Z","created_by":"usr_9",
    "updated_at":"2026-01-01T00:00:00.000Z","version":3}"#;
const LOOSER: &str = r#"{"dry_run":true,"gained_count":0,"lost_count":0,"gained":[],"lost":[],
    "changes":[],"proofs_count":1,"loosened_count":1,"proofs":[{"host":"web-1","users":4,
    "services":["sshd"],"sources":["anywhere"],"field":"mfa.unenrolled","from":"deny","to":"allow",
    "loosened":true}]}"#;
const IN_FORCE: &str = r#"{"host":"web-1","service":"sudo","policies":["prod"],"fields":[
    {"field":"mfa.required","value":true,"from":[]},
    {"field":"mfa.unenrolled","value":"deny","from":["prod"]}]}"#;

fn directory(asked: &Asked) -> (u16, &'static str, String) {
    match asked.line.trim_end_matches(" HTTP/1.1") {
        "GET /api/v1/policies?limit=200" => (200, "", format!("{{\"items\":[{POLICY}]}}")),
        "GET /api/v1/policies/prod" => (200, "ETag: \"3\"\r\n", POLICY.to_owned()),
        "POST /api/v1/policies" => (201, "", POLICY.to_owned()),
        "PATCH /api/v1/policies/prod" => (200, "", POLICY.to_owned()),
        "DELETE /api/v1/policies/prod" => (204, "", String::new()),
        "POST /api/v1/policies?dry_run=true" => (
            200,
            "",
            r#"{"dry_run":true,"gained_count":0,"lost_count":0}"#.to_owned(),
        ),
        "PATCH /api/v1/policies/prod?dry_run=true"
        | "DELETE /api/v1/policies/prod?dry_run=true" => (200, "", LOOSER.to_owned()),
        line if line.starts_with("GET /api/v1/hosts/web-1/effective-policy?") => {
            (200, "", IN_FORCE.to_owned())
        }
        other => panic!("nobody should ask {other}"),
    }
}

#[test]
fn policies_are_listed_made_and_removed() {
    let (person, directory) = Person::signed_in(directory);
    let told: String = [
        &["policy", "list"][..],
        &["policy", "list", "-o", "json"],
        &["policy", "show", "prod"],
        &[
            "policy",
            "effective",
            "--host",
            "web-1",
            "--service",
            "sudo",
        ],
        &["policy", "rm", "prod", "--yes"],
    ]
    .iter()
    .map(|words| {
        let ended = person.types(words);
        format!(
            "$ cloudid {}\n{}",
            words.join(" "),
            shown(&ended, &directory)
        )
    })
    .collect();
    insta::assert_snapshot!(told);
    let made = [
        "policy",
        "add",
        "prod",
        "--on",
        "env=prod",
        "--service",
        "sshd",
        "--unenrolled",
        "deny",
        "--auth-method",
        "password+code",
        "--remember",
        "0s",
    ];
    assert_eq!(person.types(&made).code, 0);
    assert_eq!(
        directory.last().body,
        r#"{"auth_methods":["password+code"],"hosts":"env=prod","mfa":{"remember":"0s","unenrolled":"deny"},"name":"prod","services":["sshd"]}"#
    );
}

#[test]
fn a_policy_is_not_loosened_without_a_yes() {
    let (person, directory) = Person::signed_in(directory);
    let edit = ["policy", "edit", "prod", "--unenrolled", "allow"];
    insta::assert_snapshot!(shown(&person.types(&edit), &directory), @r#"
    exit 2
      web-1 (sshd): mfa.unenrolled "deny" -> "allow", looser
    cloudid: this change alters how 4 logins are proven, lets people in with less than before; go on?
      why:     nobody is here to confirm it: standard input is not a terminal
      do:      repeat with --yes, or look first with --dry-run
    "#);
    assert!(directory.last().line.contains("dry_run=true"));
    let meant = [&edit[..], &["--yes"]].concat();
    assert_eq!(person.types(&meant).code, 0);
    assert_eq!(directory.last().header("if-match"), Some("\"3\""));
    assert_eq!(directory.last().body, r#"{"mfa":{"unenrolled":"allow"}}"#);
    let taken_away = ["policy", "edit", "prod", "--unenrolled", "none", "--yes"];
    assert_eq!(person.types(&taken_away).code, 0);
    assert_eq!(directory.last().body, r#"{"mfa":{"unenrolled":null}}"#);
}
