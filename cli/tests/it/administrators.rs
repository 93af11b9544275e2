//! API tokens and roles: what administers the directory.

use crate::directory::Asked;
use crate::person::{Person, shown};

const TOKEN: &str = r#"{"id":"key_1","name":"ci","owner":"usr_9","owner_name":"admin",
    "scopes":["hosts","read"],"expires_at":"2999-01-01T00:00:00.000Z","last_used_at":null,
    "created_at":"2026-01-01T00:00:00.000Z"}"#;
const HELD: &str = r#"{"id":"rol_1","role":"directory-admin","user":"usr_2","username":"bob",
    "created_at":"2026-01-01T00:00:00.000Z","created_by":"usr_9"}"#;

fn directory(asked: &Asked) -> (u16, &'static str, String) {
    match asked.line.trim_end_matches(" HTTP/1.1") {
        "GET /api/v1/tokens?limit=200" => (200, "", format!("{{\"items\":[{TOKEN}]}}")),
        "POST /api/v1/tokens" => {
            let created = TOKEN.replacen('{', "{\"token\":\"clt_s3cret\",", 1);
            (201, "", created)
        }
        "DELETE /api/v1/tokens/key_1" | "DELETE /api/v1/role-assignments/rol_1" => {
            (204, "", String::new())
        }
        "POST /api/v1/tokens?dry_run=true" | "DELETE /api/v1/tokens/key_1?dry_run=true" => {
            (200, "", r#"{"dry_run":true}"#.to_owned())
        }
        "GET /api/v1/role-assignments?limit=200" => (200, "", format!("{{\"items\":[{HELD}]}}")),
        "POST /api/v1/role-assignments?dry_run=true" => (
            200,
            "",
            r#"{"dry_run":true,"gained_count":0,"lost_count":0}"#.to_owned(),
        ),
        "POST /api/v1/role-assignments" => (201, "", HELD.to_owned()),
        "GET /api/v1/roles?limit=200" => {
            let role = r#"{"role":"read-only","description":"Looks.","actions":["Read"]}"#;
            (200, "", format!("{{\"items\":[{role}]}}"))
        }
        other => panic!("nobody should ask {other}"),
    }
}

#[test]
fn cli_04_the_secret_of_an_api_token_goes_to_a_private_file_and_nowhere_else() {
    let (person, directory) = Person::signed_in(directory);
    let file = person.path("ci.token").display().to_string();
    let scopes = ["--scope", "hosts", "--scope", "read"];
    let made = [
        &["api-token", "add", "ci", "--secret-to", &file][..],
        &scopes,
    ]
    .concat();
    let ended = person.types(&made);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(!format!("{ended:?}").contains("clt_s3cret"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "clt_s3cret\n");
    assert_eq!(Person::mode_of(file.as_ref()), 0o600);
    assert_eq!(
        directory.last().body,
        r#"{"name":"ci","scopes":["hosts","read"]}"#
    );

    let again = person.types(&made);
    assert_eq!(again.code, 1, "the file is there already");
}

#[test]
fn api_tokens_are_listed_tried_and_ended() {
    let (person, directory) = Person::signed_in(directory);
    let told: String = [
        &["api-token", "list"][..],
        &["api-token", "list", "-o", "json"],
        &["api-token", "add", "ci", "--scope", "read", "--dry-run"],
        &["api-token", "rm", "key_1", "--dry-run"],
        &["api-token", "rm", "key_1"],
    ]
    .iter()
    .map(|words| {
        format!(
            "$ cloudid {}\n{}",
            words.join(" "),
            shown(&person.types(words), &directory)
        )
    })
    .collect();
    insta::assert_snapshot!(told);
}

#[test]
fn roles_are_given_by_name_and_taken_only_with_a_yes() {
    let (person, directory) = Person::signed_in(directory);
    let told: String = [
        &["admin", "list"][..],
        &["admin", "roles"],
        &["admin", "add", "bob", "--role", "directory-admin"],
        &["admin", "rm", "bob", "--role", "directory-admin"],
        &["admin", "rm", "bob", "--role", "directory-admin", "--yes"],
        &["admin", "rm", "bob", "--role", "owner", "--yes"],
    ]
    .iter()
    .map(|words| {
        format!(
            "$ cloudid {}\n{}",
            words.join(" "),
            shown(&person.types(words), &directory)
        )
    })
    .collect();
    insta::assert_snapshot!(told);
}
