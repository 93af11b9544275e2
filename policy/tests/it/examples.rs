//! One example for each reason: code, sentence, and when the answer ends.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use policy::{
    AccessRule, Decision, Host, HostState, Person, Question, ReasonCode, UserState, decide,
    password_allowed,
};

struct Scene {
    person: Person,
    host: Host,
    rules: Vec<AccessRule>,
    source: Option<IpAddr>,
    now: Timestamp,
}

/// What else a refusal says.
struct Refusal {
    rule_ids: Vec<String>,
    until: Option<Timestamp>,
}

impl Scene {
    /// Alice of group 1 on web-1, Monday noon UTC, by these rules.
    fn new(rules: &[&str]) -> Self {
        Self {
            person: Person {
                id: String::from("usr_1"),
                username: String::from("alice"),
                state: UserState::Active,
                expires_at: None,
                locked_until: None,
                groups: BTreeSet::from([String::from("grp_1")]),
            },
            host: Host {
                id: String::from("hst_1"),
                name: String::from("web-1"),
                state: HostState::Active,
                project: String::from("shop"),
                tags: BTreeSet::new(),
                mirror_age: None,
                mirror_age_max: SignedDuration::from_hours(168),
            },
            rules: rules
                .iter()
                .map(|rule| serde_json::from_str(rule).unwrap())
                .collect(),
            source: Some("10.1.2.3".parse().unwrap()),
            now: at("2026-06-01T12:00:00Z"),
        }
    }

    fn ask(&self) -> Decision {
        let question = Question {
            person: &self.person,
            host: &self.host,
            service: "sshd",
            source: self.source,
            now: self.now,
        };
        decide(&question, &self.rules)
    }

    /// Asks, and compares reason and a part of the sentence.
    #[track_caller]
    fn refused(&self, reason: ReasonCode, says: &str) -> Refusal {
        let decision = self.ask();
        assert!(!decision.allowed);
        assert_eq!(decision.reason, reason);
        assert!(decision.sentence.contains(says), "{}", decision.sentence);
        Refusal {
            rule_ids: decision.rule_ids,
            until: decision.until,
        }
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

const ALLOW: &str =
    r#"{"id":"acc_1","effect":"allow","subjects":[{"group":"grp_1"}],"hosts":"web-*"}"#;
const DENY: &str = r#"{"id":"acc_2","effect":"deny","subjects":[{"user":"usr_1"}],"hosts":"*"}"#;

#[test]
fn a_rule_allows_and_the_answer_names_it() {
    let decision = Scene::new(&[ALLOW]).ask();
    assert!(decision.allowed);
    assert_eq!(decision.sentence, "alice may log in to web-1 (rule acc_1).");
    assert_eq!(
        (decision.rule_ids, decision.until),
        (vec![String::from("acc_1")], None)
    );
    let steps: Vec<_> = decision
        .trace
        .iter()
        .map(|step| step.step.as_str())
        .collect();
    assert_eq!(steps, ["host", "user", "deny-rules", "access-rules"]);
}

#[test]
fn no_rule_means_no() {
    Scene::new(&[]).refused(ReasonCode::NoAccessRule, "Ask an admin for access");
    let for_nobody = r#"{"id":"acc_1","effect":"allow","subjects":[],"hosts":"*"}"#;
    Scene::new(&[for_nobody]).refused(ReasonCode::NoAccessRule, "No rule lets alice");
}

#[test]
fn deny_wins_in_any_order() {
    for rules in [[ALLOW, DENY], [DENY, ALLOW]] {
        let decision =
            Scene::new(&rules).refused(ReasonCode::DeniedByRule, "rule acc_2 forbids it");
        assert_eq!(decision.rule_ids, ["acc_2"]);
    }
}

#[test]
fn a_deny_rule_for_a_time_ends_by_itself() {
    let deny = DENY.replace(
        "\"hosts\"",
        r#""valid_until":"2026-06-02T00:00:00Z","hosts""#,
    );
    let mut scene = Scene::new(&[ALLOW, &deny]);
    let decision = scene.refused(ReasonCode::DeniedByRule, "until 2026-06-02 00:00:00 UTC");
    scene.now = decision.until.unwrap();
    assert!(scene.ask().allowed);
}

#[test]
fn a_yes_ends_when_a_deny_rule_begins() {
    let deny = DENY.replace(
        "\"hosts\"",
        r#""valid_from":"2026-06-01T13:00:00Z","hosts""#,
    );
    assert_eq!(
        Scene::new(&[ALLOW, &deny]).ask().until,
        Some(at("2026-06-01T13:00:00Z"))
    );
}

#[test]
fn a_host_in_quarantine_takes_no_logins() {
    let mut scene = Scene::new(&[ALLOW]);
    for state in [
        HostState::Pending,
        HostState::Quarantined,
        HostState::Retired,
    ] {
        scene.host.state = state;
        scene.refused(ReasonCode::HostQuarantined, "Local accounts still work");
    }
}

#[test]
fn a_mirror_at_its_limit_serves_and_a_nanosecond_older_does_not() {
    let mut scene = Scene::new(&[ALLOW]);
    scene.host.mirror_age = Some(scene.host.mirror_age_max);
    assert!(scene.ask().allowed);
    scene.host.mirror_age = Some(scene.host.mirror_age_max + SignedDuration::from_nanos(1));
    scene.refused(ReasonCode::MirrorTooOld, "since 2026-05-25");
    scene.host.mirror_age = Some(SignedDuration::from_hours(160));
    assert_eq!(scene.ask().until, Some(at("2026-06-01T20:00:00Z")));
}

#[test]
fn only_active_users_get_in() {
    let mut scene = Scene::new(&[ALLOW]);
    for state in [UserState::Staged, UserState::Suspended, UserState::Deleted] {
        scene.person.state = state;
        scene.refused(ReasonCode::UserSuspended, "admin of the directory");
    }
}

#[test]
fn an_account_ends_at_its_moment() {
    let mut scene = Scene::new(&[ALLOW]);
    scene.person.expires_at = Some(at("2026-06-01T12:00:01Z"));
    assert_eq!(scene.ask().until, scene.person.expires_at);
    scene.person.expires_at = Some(scene.now);
    scene.refused(ReasonCode::UserExpired, "ended at 2026-06-01 12:00:00 UTC");
}

#[test]
fn outside_the_hours_the_person_hears_when_it_works_again() {
    let hours = r#"{"days":["mon"],"from":"20:00","until":"22:00","time_zone":"UTC"}"#;
    let rule = ALLOW.replace("\"hosts\"", &format!("\"schedule\":{hours},\"hosts\""));
    let mut scene = Scene::new(&[&rule]);
    let decision = scene.refused(
        ReasonCode::OutsideSchedule,
        "Try again at 2026-06-01 20:00:00 UTC",
    );
    assert_eq!(decision.rule_ids, ["acc_1"]);
    scene.now = decision.until.unwrap();
    let inside = scene.ask();
    assert!(inside.allowed);
    assert_eq!(inside.until, Some(at("2026-06-01T22:00:00Z")));
}

#[test]
fn nobody_is_told_to_come_back_when_the_account_has_ended() {
    let rule = ALLOW.replace(
        "\"hosts\"",
        r#""valid_from":"2026-06-03T00:00:00Z","hosts""#,
    );
    let mut scene = Scene::new(&[&rule]);
    let decision = scene.refused(ReasonCode::NoAccessRule, "One begins at 2026-06-03");
    assert_eq!(decision.until, Some(at("2026-06-03T00:00:00Z")));
    scene.person.expires_at = Some(at("2026-06-02T00:00:00Z"));
    let decision = scene.refused(ReasonCode::NoAccessRule, "Ask an admin for access");
    assert_eq!(decision.until, None);
}

#[test]
fn from_the_wrong_place_the_person_hears_which_is_right() {
    let rule = ALLOW.replace(
        "\"hosts\"",
        r#""sources":["10.0.0.0/8","fd00::/8"],"hosts""#,
    );
    let mut scene = Scene::new(&[&rule]);
    for here in ["10.1.2.3", "::ffff:10.1.2.3", "fd00::1"] {
        scene.source = Some(here.parse().unwrap());
        assert!(scene.ask().allowed, "{here}");
    }
    for elsewhere in ["11.1.2.3", "fe80::1", "::a01:203"] {
        scene.source = Some(elsewhere.parse().unwrap());
        scene.refused(
            ReasonCode::SourceNotAllowed,
            "only from 10.0.0.0/8, fd00::/8",
        );
    }
    scene.source = None;
    scene.refused(ReasonCode::SourceNotAllowed, "not from this host itself");
}

#[test]
fn an_ipv4_network_written_in_ipv6_form_is_the_same_network() {
    let deny = DENY.replace("\"hosts\"", r#""sources":["::ffff:10.0.0.0/104"],"hosts""#);
    Scene::new(&[ALLOW, &deny]).refused(ReasonCode::DeniedByRule, "acc_2");
}

#[test]
fn a_lock_stops_passwords_and_leaves_access_alone() {
    let mut scene = Scene::new(&[ALLOW]);
    scene.person.locked_until = Some(at("2026-06-01T12:30:00Z"));
    let locked = password_allowed(&scene.person, scene.now).expect_err("locked");
    assert!(locked.to_string().contains("keys work now"));
    assert!(scene.ask().allowed);
    assert!(password_allowed(&scene.person, locked.until).is_ok());
}

#[test]
fn the_answer_to_somebody_with_a_thousand_rules_still_fits_a_frame() {
    let hours = r#"{"days":["mon"],"from":"20:00","until":"22:00","time_zone":"UTC"}"#;
    let rules: Vec<String> = (0..1000)
        .map(|n| ALLOW.replace("acc_1", &format!("acc_{n:032}")))
        .map(|rule| rule.replace("\"hosts\"", &format!("\"schedule\":{hours},\"hosts\"")))
        .collect();
    let rules: Vec<&str> = rules.iter().map(String::as_str).collect();
    let decision = Scene::new(&rules).ask();
    assert!(serde_json::to_vec(&decision).unwrap().len() < 64 * 1024 - 64);
    assert_eq!(decision.trace.last().unwrap().step, "left-out");
}

#[test]
fn names_from_elsewhere_cannot_paint_the_terminal() {
    let mut scene = Scene::new(&[]);
    scene.person.username = String::from("al\u{1b}[2Jice\n");
    let sentence = scene.ask().sentence;
    assert!(!sentence.contains(['\u{1b}', '\n']), "{sentence}");
}
