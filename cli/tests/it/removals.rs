//! `cloudid host confirm-removals`: only when somebody says yes, and with the number that was said.

use crate::directory::Asked;
use crate::person::Person;

const PATH: &str = "/api/v1/hosts/web-1/confirm-removals";

fn directory(asked: &Asked) -> (u16, &'static str, String) {
    assert!(
        asked.line.contains(PATH),
        "nobody should ask {}",
        asked.line
    );
    let answer = if asked.line.contains("dry_run=true") {
        r#"{"dry_run":true,"gained_count":0,"lost_count":0}"#
    } else {
        r#"{"id":"hst_1","hostname":"web-1"}"#
    };
    (200, "", answer.to_owned())
}

#[test]
fn a_large_removal_is_confirmed_with_its_number_and_reason() {
    let (person, directory) = Person::signed_in(directory);
    let words = [
        "host",
        "confirm-removals",
        "web-1",
        "--people",
        "40",
        "--yes",
    ];
    let ended = person.types(&[&words[..], &["--reason", "they moved"]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    let last = directory.last();
    assert_eq!(last.line, format!("POST {PATH} HTTP/1.1"));
    assert_eq!(last.body, r#"{"reason":"they moved","removals":40}"#);
}

#[test]
fn a_large_removal_that_nobody_says_yes_to_is_not_confirmed() {
    let (person, directory) = Person::signed_in(directory);
    let ended = person.types(&["host", "confirm-removals", "web-1", "--people", "40"]);
    assert_ne!(ended.code, 0, "{ended:?}");
    assert!(!directory.last().line.contains(PATH), "only the login");
}
