//! Access rules with their selectors, schedules and networks, and what is left of broken ones. A rule
//! decides without a panic at any moment; a broken one never gives access.
#![no_main]

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use libfuzzer_sys::fuzz_target;
use policy::{
    AccessRule, Host, HostState, Person, Question, UnreadableRule, UserState, decide,
    decide_with_unreadable,
};

fuzz_target!(|bytes: &[u8]| {
    let Some((moment, text)) = bytes.split_first_chunk::<5>() else {
        return;
    };
    let [a, b, c, d, source] = *moment;
    let now = Timestamp::from_second(i64::from(u32::from_le_bytes([a, b, c, d]))).expect("32 bits");
    let (person, host) = (person(), host());
    let question = Question {
        person: &person,
        host: &host,
        service: "sshd",
        source: (source > 0).then(|| [10, 0, 0, source].into()),
        now,
    };
    if let Ok(rule) = serde_json::from_slice::<AccessRule>(text) {
        let rules = [rule];
        let decision = decide(&question, &rules);
        assert!(decision.until.is_none_or(|until| until >= now));
        let written = serde_json::to_vec(&rules[0]).expect("a rule can be written");
        let [read] = [serde_json::from_slice::<AccessRule>(&written).expect("and read")];
        assert_eq!(read, rules[0]);
    } else {
        let broken = serde_json::from_slice::<UnreadableRule>(text);
        let broken = broken.unwrap_or_else(|_| UnreadableRule::illegible());
        assert!(!decide_with_unreadable(&question, &[], &[broken]).allowed);
    }
});

fn person() -> Person {
    Person {
        id: String::from("usr_1"),
        username: String::from("alice"),
        state: UserState::Active,
        expires_at: None,
        locked_until: None,
        groups: BTreeSet::from([String::from("grp_1")]),
    }
}

fn host() -> Host {
    Host {
        id: String::from("hst_1"),
        name: String::from("web-1"),
        state: HostState::Active,
        project: String::from("shop"),
        tags: BTreeSet::from([String::from("env=prod")]),
        mirror_age: None,
        mirror_age_max: SignedDuration::from_hours(1),
    }
}
