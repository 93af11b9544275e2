//! What the program asks of a directory and how it takes each kind of answer.

use crate::directory::{Asked, Directory};
use crate::person::{Person, shown};

const USER: &str = r#"{"id":"usr_1","username":"alice","uid":70001,"state":"active",
    "display_name":"Alice","groups":["ops","web"],"expires_at":null,"version":7}"#;

fn directory(asked: &Asked) -> (u16, &'static str, String) {
    let refusal = |status: u16, code: &str| {
        let body = format!(
            "{{\"type\":\"urn:cloudid:problem:{code}\",\"title\":\"Not done\",\"status\":{status},\
             \"code\":\"{code}\",\"detail\":\"Because of \\u001b[31m{code}.\",\"hint\":\"Ask bob.\",\
             \"request_id\":\"01JH\"}}"
        );
        (status, "content-type: application/problem+json\r\n", body)
    };
    let preview = |lost: u32| {
        let pairs = r#"{"user":"alice","host":"web-1"},{"user":"alice","host":"web-2"}"#;
        let body = format!(
            "{{\"dry_run\":true,\"changes\":[],\"gained\":[],\"lost\":[{pairs}],\
             \"gained_count\":0,\"lost_count\":{lost}}}"
        );
        (200, "", body)
    };
    match asked.line.trim_end_matches(" HTTP/1.1") {
        "GET /api/v1/users?limit=200" => (
            200,
            "",
            format!("{{\"items\":[{USER}],\"next_cursor\":\"c/2\"}}"),
        ),
        "GET /api/v1/users?limit=200&cursor=c%2F2" => {
            let second = USER.replace("alice", "bob").replace("70001", "70002");
            (200, "", format!("{{\"items\":[{second}]}}"))
        }
        "GET /api/v1/users/alice" => (200, "etag: \"7\"\r\n", USER.to_owned()),
        "PATCH /api/v1/users/alice?dry_run=true" => preview(0),
        "PATCH /api/v1/users/alice" => refusal(412, "etag_stale"),
        "POST /api/v1/users/alice/suspend?dry_run=true" => preview(2),
        "POST /api/v1/users/alice/suspend" => (200, "", USER.replace("active", "suspended")),
        "GET /api/v1/users/nobody" => refusal(404, "not_found"),
        "GET /api/v1/users/secret" => refusal(403, "forbidden"),
        "GET /api/v1/auth/session" => refusal(401, "session_expired"),
        "GET /api/v1/users/proxy" => (502, "", "<html>".to_owned()),
        "GET /api/v1/who-can?host=web-1&source=10.0.0.1&at=2026-12-24T18%3A00%3A00.000Z" => {
            let item = r#"{"username":"alice","uid":70001,"allowed":true,
                "reason_code":"allowed","rule_ids":["acc_1"]}"#;
            (200, "", format!("{{\"items\":[{item}]}}"))
        }
        "GET /api/v1/what-can?user=alice" => {
            let item = r#"{"hostname":"web-1","project":"main","allowed":false,
                "reason_code":"source_not_allowed","rule_ids":[]}"#;
            (200, "", format!("{{\"items\":[{item}]}}"))
        }
        other => panic!("nobody should ask {other}"),
    }
}

fn signed_in() -> (Person, Directory) {
    Person::signed_in(directory)
}

#[test]
fn a_login_leaves_a_session_that_only_its_owner_can_read() {
    let (person, directory) = signed_in();
    let sent: serde_json::Value = serde_json::from_str(&directory.last().body).unwrap();
    assert_eq!(
        sent,
        serde_json::json!({"username": "admin", "password": "hunter22hunter22"})
    );
    assert_eq!(Person::mode_of(&person.session()), 0o600);
    assert_eq!(Person::mode_of(person.session().parent().unwrap()), 0o700);
}

#[test]
fn where_a_code_is_asked_for_as_well_it_goes_along_with_the_ticket() {
    let (person, directory) = (Person::new(), Directory::serve(directory));
    let ca = person.file("ca.pem", &directory.ca);
    let password = person.file("password", "hunter22hunter22");
    let code = person.file("code", "123456\n");
    let mut words = vec!["login", "--url", &directory.url, "--ca-file", &ca];
    words.extend(["--username", "careful", "--password-file", &password]);
    let without = person.types(&words);
    assert_eq!(without.code, 2, "{without:?}");
    assert!(without.errors.contains("--code-file"), "{}", without.errors);
    words.extend(["--code-file", &code]);
    let ended = person.types(&words);
    assert_eq!(ended.code, 0, "{ended:?}");
    let sent: serde_json::Value = serde_json::from_str(&directory.last().body).unwrap();
    assert_eq!(
        sent,
        serde_json::json!({"ticket": "clf_1", "code": "123456"})
    );
    assert!(person.session().exists());
}

#[test]
fn a_session_that_others_can_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let (person, directory) = signed_in();
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(person.session(), open).unwrap();
    let before = directory.lines().len();
    assert_eq!(person.types(&["user", "show", "alice"]).code, 1);
    assert_eq!(directory.lines().len(), before);
}

#[test]
fn the_token_goes_nowhere_but_where_it_is_from() {
    let (person, directory) = signed_in();
    person.file(
        ".config/cloudid/config.toml",
        "[profile.default]\nurl = \"https://other\"\n",
    );
    let before = directory.lines().len();
    let ended = person.types(&["user", "show", "alice"]);
    assert_eq!(ended.code, 3);
    assert!(ended.errors.contains("https://other"), "{}", ended.errors);
    assert_eq!(directory.lines().len(), before);
}

#[test]
fn a_server_with_another_certificate_is_told_nothing() {
    let (_, other) = signed_in();
    let (person, directory) = (Person::new(), Directory::serve(directory));
    let ca = person.file("ca.pem", &other.ca);
    let password = person.file("password", "hunter22hunter22");
    let ended = person.types(&[
        "login",
        "--url",
        &directory.url,
        "--ca-file",
        &ca,
        "--username",
        "admin",
        "--password-file",
        &password,
    ]);
    assert_eq!(ended.code, 9);
    assert!(ended.errors.contains("--ca-file"), "{}", ended.errors);
    assert_eq!(directory.lines(), Vec::<String>::new());
}

#[test]
fn a_list_is_read_to_its_last_page_and_written_as_plain_lines_to_a_pipe() {
    let (person, directory) = signed_in();
    let ended = person.types(&["user", "list"]);
    insta::assert_snapshot!(shown(&ended, &directory), @r"
    exit 0
    alice	70001	active	Alice	ops,web	-
    bob	70002	active	Alice	ops,web	-
    ");
    assert_eq!(
        directory.last().header("authorization"),
        Some("Bearer s3cret")
    );
}

#[test]
fn every_format_tells_the_same_users() {
    let (person, directory) = signed_in();
    let formats = ["table", "json", "ndjson", "yaml", "csv", "id"];
    let written: String = formats
        .iter()
        .map(|format| {
            let ended = person.types(&["user", "list", "-o", format]);
            format!("--- {format}\n{}", shown(&ended, &directory))
        })
        .collect();
    insta::assert_snapshot!(written);
}

#[test]
fn refusals_say_what_why_what_to_do_and_exit_by_their_meaning() {
    let (person, directory) = signed_in();
    let told: String = [
        &["user", "show", "nobody"][..],
        &["user", "show", "secret"],
        &["user", "show", "proxy"],
        &["whoami"],
        &["user", "edit", "alice", "--email", "a@b"],
    ]
    .iter()
    .map(|arguments| {
        let ended = person.types(arguments);
        format!(
            "$ cloudid {}\n{}",
            arguments.join(" "),
            shown(&ended, &directory)
        )
    })
    .collect();
    insta::assert_snapshot!(told);
}

#[test]
fn an_edit_is_bound_to_the_version_that_was_read() {
    let (person, directory) = signed_in();
    person.types(&["user", "edit", "alice", "--email", "a@b", "--yes"]);
    let asked = directory.last();
    assert_eq!(asked.line, "PATCH /api/v1/users/alice HTTP/1.1");
    assert_eq!(asked.header("if-match"), Some("\"7\""));
    assert_eq!(asked.body, r#"{"email":"a@b"}"#);
}

#[test]
fn a_change_of_several_logins_is_shown_and_needs_a_yes() {
    let (person, directory) = signed_in();
    let asked = person.types(&["user", "suspend", "alice"]);
    insta::assert_snapshot!(shown(&asked, &directory), @r"
    exit 2
      - alice on web-1
      - alice on web-2
    cloudid: this gives 0 logins and takes 2; go on?
      why:     nobody is here to confirm it: standard input is not a terminal
      do:      repeat with --yes, or look first with --dry-run
    ");
    assert!(directory.last().line.contains("dry_run=true"));

    let looked = person.types(&["user", "suspend", "alice", "--dry-run", "-o", "json"]);
    assert!(looked.output.contains("\"lost_count\": 2"), "{looked:?}");
    assert!(directory.last().line.contains("dry_run=true"));

    let done = person.types(&["user", "suspend", "alice", "--yes", "--reason", "left"]);
    assert_eq!(done.code, 0);
    assert_eq!(directory.last().body, r#"{"reason":"left"}"#);
    assert!(
        directory
            .last()
            .header("idempotency-key")
            .is_some_and(|key| key.len() == 32)
    );
}

#[test]
fn who_can_and_what_can_ask_the_directory_about_a_login() {
    let (person, directory) = signed_in();
    let mut who = vec!["who-can", "--on", "web-1", "--source", "10.0.0.1", "-q"];
    who.extend(["--at", "2026-12-24T18:00:00Z"]);
    insta::assert_snapshot!(shown(&person.types(&who), &directory), @r"
    exit 0
    alice	70001	yes	allowed	acc_1
    ");
    insta::assert_snapshot!(shown(&person.types(&["what-can", "alice"]), &directory), @r"
    exit 0
    web-1	main	no	source_not_allowed	-
    ");
}

#[test]
fn without_a_session_and_without_a_directory_the_exit_code_says_so() {
    let person = Person::new();
    assert_eq!(person.types(&["user", "list"]).code, 3);
    let password = person.file("password", "x");
    let nobody = [
        "login",
        "--url",
        "https://127.0.0.1:1",
        "--username",
        "a",
        "--password-file",
        &password,
    ];
    assert_eq!(person.types(&nobody).code, 9);
}
