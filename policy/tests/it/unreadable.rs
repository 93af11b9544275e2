//! Rules that cannot be read: never an allow, and a deny for whom they might concern.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use policy::{
    AccessRule, Decision, Host, HostState, Person, Question, ReasonCode, UnreadableRule, UserState,
    decide_with_unreadable,
};

const ALLOW: &str = r#"{"id":"acc_1","effect":"allow","subjects":[{"user":"usr_1"}],"hosts":"*"}"#;

fn ask(broken: &str) -> Decision {
    assert!(
        serde_json::from_str::<AccessRule>(broken).is_err(),
        "{broken} can be read"
    );
    let unreadable = serde_json::from_str::<UnreadableRule>(broken)
        .unwrap_or_else(|_| UnreadableRule::illegible());
    let person = Person {
        id: String::from("usr_1"),
        username: String::from("alice"),
        state: UserState::Active,
        expires_at: None,
        locked_until: None,
        groups: BTreeSet::from([String::from("grp_1")]),
    };
    let host = Host {
        id: String::from("hst_1"),
        name: String::from("web-1"),
        state: HostState::Active,
        project: String::from("shop"),
        tags: BTreeSet::from([String::from("env=prod")]),
        mirror_age: None,
        mirror_age_max: SignedDuration::from_hours(1),
    };
    let question = Question {
        person: &person,
        host: &host,
        service: "sshd",
        source: None,
        now: "2026-06-01T12:00:00Z".parse().unwrap(),
    };
    let allow: AccessRule = serde_json::from_str(ALLOW).unwrap();
    decide_with_unreadable(&question, &[allow], &[unreadable])
}

#[test]
fn syn_18_a_rule_that_might_be_a_deny_for_this_person_refuses_them() {
    for broken in [
        "",
        "null",
        "[]",
        r#"{"id":"acc_2","effect":"deny""#,
        r#"{"id":"acc_2"}"#,
        r#"{"id":"acc_2","effect":"allow","effect":"deny","subjects":[],"hosts":"*"}"#,
        r#"{"id":"acc_2","effect":"deny","subjects":[{"user":"usr_1"}],"hosts":"*","accounts":["x"]}"#,
        r#"{"id":"acc_2","effect":"deny","subjects":[{"group":"grp_1"}],"hosts":"env=prod","schedule":1}"#,
        r#"{"id":"acc_2","effect":"deny","subjects":[{"user":"usr_9"},{"svc":"x"}],"hosts":"*"}"#,
        r#"{"id":"acc_2","effect":"deny","subjects":"all","hosts":"*"}"#,
        r#"{"id":"acc_2","effect":"deny","subjects":[{"user":"usr_1"}],"hosts":"env=~prod"}"#,
        r#"{"id":"acc_2","effect":"Deny","subjects":[{"user":"usr_1"}],"hosts":"*"}"#,
        r#"{"id":"acc_2","effect":"limit","subjects":[{"user":"usr_1"}],"hosts":"*"}"#,
        r#"{"id":7,"effect":"deny","subjects":[{"user":"usr_1"}],"hosts":"*"}"#,
    ] {
        let decision = ask(broken);
        assert!(!decision.allowed, "{broken}");
        assert_eq!(decision.reason, ReasonCode::RuleUnreadable, "{broken}");
        assert!(
            decision.sentence.contains("Nothing was granted"),
            "{}",
            decision.sentence
        );
    }
}

#[test]
fn syn_18_a_broken_rule_that_concerns_somebody_else_locks_nobody_out() {
    for broken in [
        r#"{"id":"acc_2","effect":"deny","subjects":[{"user":"usr_9"}],"hosts":"*","accounts":["x"]}"#,
        r#"{"id":"acc_2","effect":"deny","subjects":[],"hosts":"*","valid_until":"soon"}"#,
        r#"{"id":"acc_2","effect":"deny","subjects":[{"user":"usr_1"}],"hosts":"env=dev","x":1}"#,
    ] {
        assert!(ask(broken).allowed, "{broken}");
    }
}

#[test]
fn syn_18_a_broken_allow_rule_gives_nothing_and_takes_nothing() {
    let broken =
        r#"{"id":"acc_2","effect":"allow","subjects":[{"user":"usr_1"}],"hosts":"*","mode":"jit"}"#;
    assert_eq!(ask(broken).rule_ids, ["acc_1"]);
}

#[test]
fn an_id_from_a_broken_rule_is_harmless_to_print() {
    let broken =
        r#"{"id":"acc_\u001b[31m2","effect":"deny","subjects":[{"user":"usr_1"}],"hosts":1}"#;
    assert_eq!(ask(broken).rule_ids, ["acc_ [31m2"]);
}
