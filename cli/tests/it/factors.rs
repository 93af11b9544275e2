//! One's own second factors from the command line.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};

use rexpect::session::spawn_command;

use crate::directory::Asked;
use crate::person::Person;

const PHONE: &str = r#"{"id":"mfa_1","kind":"totp","name":"phone",
    "created_at":"2026-01-01T00:00:00.000Z","confirmed_at":"2026-01-01T00:00:00.000Z",
    "last_used_at":null}"#;
const BEGUN: &str = r#"{"id":"mfa_1","secret":"JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP",
    "otpauth_url":"otpauth://totp/Example:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Example",
    "qr_svg":"<svg/>"}"#;
const LEFT: &str = r#"{"left":3,"created_at":"2026-01-01T00:00:00.000Z","confirmed_at":null}"#;
const PROVE: &str = r#"{"type":"urn:cloudid:problem:step_up_required","title":"step up required",
    "status":403,"code":"step_up_required","detail":"Prove one of your second factors.",
    "hint":"POST /api/v1/auth/step-up","request_id":"01JH",
    "errors":[{"field":"code","code":"step_up_required"}]}"#;

fn directory(asked: &Asked) -> (u16, &'static str, String) {
    match asked.line.trim_end_matches(" HTTP/1.1") {
        "GET /api/v1/me/mfa" => (200, "", format!("{{\"items\":[{PHONE}]}}")),
        "POST /api/v1/me/mfa/totp" => (201, "", BEGUN.to_owned()),
        "POST /api/v1/me/mfa/totp/mfa_1/confirm" => (200, "", PHONE.to_owned()),
        "POST /api/v1/me/mfa/yubikey" => (201, "", PHONE.to_owned()),
        "POST /api/v1/me/mfa/test" => (200, "", r#"{"kind":"totp","name":"phone"}"#.to_owned()),
        "GET /api/v1/me/backup-codes" => (200, "", LEFT.to_owned()),
        "POST /api/v1/me/backup-codes" => (
            201,
            "",
            r#"{"codes":["AAAA-BBBB-CCCC-DDDD","EEEE-FFFF-GGGG-HHHH"]}"#.to_owned(),
        ),
        "POST /api/v1/me/backup-codes/confirm" => (200, "", LEFT.to_owned()),
        "GET /api/v1/users/alice" => (200, "", user()),
        "POST /api/v1/users/alice/reset-mfa" | "POST /api/v1/users/alice/unlock" => {
            (204, "", String::new())
        }
        "DELETE /api/v1/me/mfa/phone" => (403, "", PROVE.to_owned()),
        other => panic!("nobody should ask {other}"),
    }
}

fn user() -> String {
    let begun = PHONE.replace("phone", "tablet");
    let begun = begun.replace(
        "\"confirmed_at\":\"2026-01-01T00:00:00.000Z\"",
        "\"confirmed_at\":null",
    );
    format!(
        r#"{{"id":"usr_1","username":"alice","mfa":[{PHONE},{begun}],"backup_codes":{LEFT},
        "codes_locked_until":"2026-01-01T00:15:00.000Z","code_used_twice_at":null}}"#
    )
}

#[test]
fn a_person_is_shown_with_factors_and_locks() {
    let (person, _directory) = Person::signed_in(directory);
    let shown = person.types(&["user", "show", "alice"]);
    assert_eq!(shown.code, 0, "{shown:?}");
    for line in [
        "mfa                 phone (totp since 2026-01-01T00:00:00.000Z),tablet (totp, not confirmed)",
        "codes locked until  2026-01-01T00:15:00.000Z",
        "code used twice at  -",
    ] {
        assert!(shown.output.lines().any(|found| found == line), "{shown:?}");
    }
    assert!(shown.output.contains("left=3"), "{shown:?}");
    let json = person
        .types(&["user", "show", "alice", "-o", "json"])
        .output;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["mfa"][0]["kind"], "totp");
}

#[test]
fn an_app_is_enrolled_without_a_terminal_by_a_private_file_and_its_first_code() {
    let (person, directory) = Person::signed_in(directory);
    let file = person.path("phone.otpauth").display().to_string();
    let blind = person.types(&["mfa", "enroll", "totp", "--name", "phone"]);
    assert_eq!(blind.code, 2, "{blind:?}");
    let words = [
        "mfa",
        "enroll",
        "totp",
        "--name",
        "phone",
        "--secret-to",
        &file,
    ];
    let begun = person.types(&words);
    assert_eq!(begun.code, 0, "{begun:?}");
    assert!(
        begun.errors.contains("cloudid mfa confirm mfa_1"),
        "{begun:?}"
    );
    assert!(!format!("{begun:?}").contains("JBSWY3DP"));
    assert!(
        std::fs::read_to_string(&file)
            .unwrap()
            .starts_with("otpauth://totp/")
    );
    assert_eq!(Person::mode_of(file.as_ref()), 0o600);
    let code = person.file("code", "123456\n");
    let confirmed = person.types(&["mfa", "confirm", "phone", "--code-file", &code]);
    assert_eq!(confirmed.code, 0, "{confirmed:?}");
    let asked = directory.lines();
    assert!(
        asked
            .iter()
            .any(|line| line.contains("/me/mfa/totp/mfa_1/confirm")),
        "{asked:?}"
    );
}

#[test]
fn factors_are_listed_tried_and_enrolled() {
    let (person, directory) = Person::signed_in(directory);
    let listed = person.types(&["mfa", "list"]);
    assert_eq!(listed.output, "phone\ttotp\t2026-01-01T00:00:00.000Z\t-\n");
    let json = person.types(&["mfa", "list", "-o", "json"]).output;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[0]["id"], "mfa_1");
    let code = person.file("code", "123456\n");
    let tested = person.types(&["mfa", "test", "--code-file", &code]);
    assert_eq!(tested.output, "kind  totp\nname  phone\n");
    let words = [
        "mfa",
        "enroll",
        "yubikey",
        "--name",
        "key",
        "--code-file",
        &code,
    ];
    assert_eq!(person.types(&words).code, 0);
    let asked = directory.lines();
    assert!(
        asked.iter().any(|line| line.contains("/me/mfa/yubikey")),
        "{asked:?}"
    );
}

#[test]
fn new_backup_codes_end_the_old_ones_only_after_a_yes() {
    let (person, directory) = Person::signed_in(directory);
    assert_eq!(person.types(&["backup-codes", "new"]).code, 2);
    let made = person.types(&["backup-codes", "new", "--yes"]);
    assert_eq!(made.output, "AAAA-BBBB-CCCC-DDDD\nEEEE-FFFF-GGGG-HHHH\n");
    assert!(directory.last().line.contains("/me/backup-codes/confirm"));
    let file = person.path("codes").display().to_string();
    let kept = person.types(&["backup-codes", "new", "--yes", "--secret-to", &file]);
    assert_eq!((kept.code, kept.output.as_str()), (0, ""));
    assert_eq!(Person::mode_of(file.as_ref()), 0o600);
    assert!(
        person
            .types(&["backup-codes", "show"])
            .output
            .contains("left          3")
    );
}

#[test]
fn the_help_desk_resets_factors_after_a_yes_and_lifts_locks() {
    let (person, _directory) = Person::signed_in(directory_of_the_help_desk);
    assert_eq!(person.types(&["user", "reset-mfa", "alice"]).code, 2);
    let reset = person.types(&["user", "reset-mfa", "alice", "--yes", "--reason", "lost"]);
    assert_eq!(reset.code, 0, "{reset:?}");
    assert_eq!(person.types(&["user", "unlock", "alice", "--yes"]).code, 0);
}

fn directory_of_the_help_desk(asked: &Asked) -> (u16, &'static str, String) {
    if asked.line.contains("reset-mfa") {
        assert!(asked.body.contains("lost"), "{}", asked.body);
    }
    directory(asked)
}

#[test]
fn mfa_10_without_a_person_a_change_that_needs_a_proof_is_refused_and_says_how() {
    let (person, _directory) = Person::signed_in(directory);
    let refused = person.types(&["mfa", "remove", "phone", "--yes"]);
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(
        refused.errors.contains("cloudid mfa test --code-file"),
        "{refused:?}"
    );
}

static PROVEN: AtomicBool = AtomicBool::new(false);

fn directory_that_asks(asked: &Asked) -> (u16, &'static str, String) {
    match asked.line.trim_end_matches(" HTTP/1.1") {
        "POST /api/v1/auth/step-up" => {
            assert_eq!(asked.body, r#"{"code":"123456"}"#);
            PROVEN.store(true, Ordering::SeqCst);
            (204, "", String::new())
        }
        "DELETE /api/v1/me/mfa/phone" if PROVEN.load(Ordering::SeqCst) => (204, "", String::new()),
        _ => directory(asked),
    }
}

#[test]
fn mfa_10_at_a_terminal_the_person_is_asked_for_a_code_and_the_change_goes_on() {
    let (person, directory) = Person::signed_in(directory_that_asks);
    let mut command = command(&person);
    command.args(["mfa", "remove", "phone"]);
    let mut terminal = spawn_command(command, Some(20_000)).unwrap();
    terminal
        .exp_string("remove the second factor phone? [y/N]")
        .unwrap();
    terminal.send_line("y").unwrap();
    terminal
        .exp_string("Code of a second factor you have:")
        .unwrap();
    terminal.send_line("123456").unwrap();
    let rest = terminal.exp_eof().unwrap();
    assert!(
        rest.contains("The factor was removed.") && !rest.contains("123456"),
        "{rest}"
    );
    assert!(
        directory
            .last()
            .line
            .starts_with("DELETE /api/v1/me/mfa/phone")
    );
}

#[test]
fn a_person_scans_a_qr_code_and_types_the_first_code() {
    let (person, directory) = Person::signed_in(directory);
    let mut command = command(&person);
    command.args(["mfa", "enroll", "totp", "--name", "phone"]);
    let mut terminal = spawn_command(command, Some(20_000)).unwrap();
    let shown = terminal
        .exp_string("Or type this secret: JBSWY3DP")
        .unwrap();
    // The terminal of the test reads bytes: each block begins with that of U+2580 in UTF-8.
    let rows = shown.lines().filter(|line| line.contains('\u{e2}'));
    assert!(rows.count() > 15, "{shown}");
    terminal.exp_string("Code that the app shows:").unwrap();
    terminal.send_line("123456").unwrap();
    terminal.exp_eof().unwrap();
    let asked = directory.lines();
    assert!(
        asked.iter().any(|line| line.contains("/mfa_1/confirm")),
        "{asked:?}"
    );
}

fn command(person: &Person) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cloudid"));
    let home = person.path("");
    command
        .env_clear()
        .env("HOME", home)
        .env("TZ", "UTC")
        .env("TERM", "dumb");
    command
}
