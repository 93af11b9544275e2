//! Which hosts a selector finds.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use policy::{AccessRule, Effect, Host, HostState, Selector, Subject, could_ever_reach};
use proptest::prelude::*;

fn host(name: &str, project: &str, tags: &[&str]) -> Host {
    Host {
        id: String::from("hst_1"),
        name: name.to_owned(),
        state: HostState::Active,
        project: project.to_owned(),
        tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
        mirror_age: None,
        mirror_age_max: SignedDuration::from_hours(168),
    }
}

fn finds(selector: &str, host: &Host) -> bool {
    selector.parse::<Selector>().unwrap().matches(host)
}

#[test]
fn every_term_must_hold() {
    let web = host("web-1", "payments", &["env=prod", "role=web"]);
    assert!(finds(
        "env=prod,role in (web,api),!legacy,project=payments,web-*",
        &web
    ));
    for one_wrong in [
        "env=dev,role in (web,api),!legacy,project=payments,web-*",
        "env=prod,role in (db,api),!legacy,project=payments,web-*",
        "env=prod,role in (web,api),legacy,project=payments,web-*",
        "env=prod,role in (web,api),!legacy,project=other,web-*",
        "env=prod,role in (web,api),!legacy,project=payments,db-*",
    ] {
        assert!(!finds(one_wrong, &web), "{one_wrong}");
    }
}

#[test]
fn every_kind_of_term_can_be_turned_round() {
    let web = host("web-1", "payments", &["env=prod", "pci"]);
    for holds in [
        "*",
        "pci",
        "env=prod",
        "env in (dev,prod)",
        "project=payments",
        "web-*",
    ] {
        assert!(finds(holds, &web), "{holds}");
        assert!(!finds(&format!("!{holds}"), &web), "!{holds}");
    }
}

#[test]
fn a_bare_word_is_a_tag_and_never_a_host_name() {
    assert!(!finds("web-1", &host("web-1", "p", &[])));
    assert!(finds("web-1", &host("db-1", "p", &["web-1"])));
    assert!(!finds("env", &host("db-1", "p", &["env=prod"])));
    assert!(finds("in", &host("db-1", "p", &["in"])));
}

#[test]
fn project_means_the_project_and_no_tag_of_that_name() {
    assert!(!finds(
        "project=payments",
        &host("a", "other", &["project=payments"])
    ));
    assert!(finds(
        "project in (a, payments)",
        &host("a", "payments", &[])
    ));
}

#[test]
fn a_host_cannot_tag_itself_into_an_allow_rule_but_into_a_deny_rule() {
    let mut rule = AccessRule {
        id: String::from("acc_1"),
        effect: Effect::Allow,
        subjects: BTreeSet::from([Subject::Group(String::from("grp_1"))]),
        hosts: "host:open".parse().unwrap(),
        valid_from: None,
        valid_until: None,
        schedule: None,
        sources: Vec::new(),
    };
    let groups = BTreeSet::from([String::from("grp_1")]);
    let tagged = host("a", "p", &["host:open"]);
    assert!(!rule.concerns_host(&tagged));
    assert!(!could_ever_reach(
        "usr_1",
        &groups,
        &tagged,
        std::slice::from_ref(&rule)
    ));
    rule.effect = Effect::Deny;
    assert!(rule.concerns_host(&tagged));
    rule.effect = Effect::Allow;
    rule.hosts = "*".parse().unwrap();
    assert!(could_ever_reach("usr_1", &groups, &tagged, &[rule]));
}

#[test]
fn a_slice_holds_nobody_whom_only_deny_rules_name() {
    let deny = AccessRule {
        id: String::from("acc_1"),
        effect: Effect::Deny,
        subjects: BTreeSet::from([Subject::User(String::from("usr_1"))]),
        hosts: "*".parse().unwrap(),
        valid_from: None,
        valid_until: None,
        schedule: None,
        sources: Vec::new(),
    };
    let mut allow = AccessRule {
        effect: Effect::Allow,
        ..deny.clone()
    };
    allow.valid_from = Some("2200-01-01T00:00:00Z".parse().unwrap());
    let here = host("a", "p", &[]);
    let nobody = BTreeSet::new();
    assert!(!could_ever_reach(
        "usr_1",
        &nobody,
        &here,
        std::slice::from_ref(&deny)
    ));
    assert!(
        could_ever_reach("usr_1", &nobody, &here, &[deny.clone(), allow.clone()]),
        "one day"
    );
    assert!(!could_ever_reach("usr_2", &nobody, &here, &[deny, allow]));
}

#[test]
fn the_text_form_is_tidy_and_means_the_same() {
    let text = "  env = prod , ! legacy,role in ( web , api ) , Web-*  ";
    let selector: Selector = text.parse().unwrap();
    assert_eq!(
        selector.to_string(),
        "env=prod,!legacy,role in (web,api),web-*"
    );
    let json = serde_json::to_string(&selector).unwrap();
    assert_eq!(serde_json::from_str::<Selector>(&json).unwrap(), selector);
    let refused = serde_json::from_str::<Selector>(r#""env=prod,,x""#).expect_err("two commas");
    assert!(refused.to_string().contains("at character 10"), "{refused}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn any_text_is_refused_or_survives_being_written_and_read(text in "[a-c=!,*() in:]{0,24}|.{0,24}") {
        if let Ok(selector) = text.parse::<Selector>() {
            let again: Selector = selector.to_string().parse().unwrap();
            prop_assert_eq!(again, selector);
        }
    }
}
