//! What holds in every world.

use policy::{
    Decision, Effect, Question, ReasonCode, Subject, UnreadableRule, decide_with_unreadable,
};

use crate::oracle;
use crate::worlds::{Dice, PlainRule, World, moment, split};

fn ask(world: &World) -> Decision {
    let (rules, unreadable) = split(&world.rules);
    let (person, host) = (world.person(), world.host());
    decide_with_unreadable(&question(world, &person, &host), &rules, &unreadable)
}

fn question<'a>(world: &World, person: &'a policy::Person, host: &'a policy::Host) -> Question<'a> {
    Question {
        person,
        host,
        service: "sshd",
        source: world.source,
        now: moment(world.now),
    }
}

#[test]
fn a_second_implementation_finds_no_difference_in_100_000_worlds() {
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    for seed in 0..100_000 {
        let world = World::random(seed);
        let decision = ask(&world);
        let expected = oracle::answer(&world);
        assert_eq!(
            decision.reason, expected,
            "seed {seed}: {world:#?}\n{decision:#?}"
        );
        assert_eq!(
            decision.allowed,
            expected == ReasonCode::Allowed,
            "seed {seed}"
        );
        *seen.entry(format!("{expected:?}")).or_default() += 1;
    }
    assert_eq!(
        seen.len(),
        10,
        "every reason of the engine occurs: {seen:?}"
    );
    assert!(
        seen.values().all(|count| *count > 300),
        "and none is rare: {seen:?}"
    );
}

#[test]
fn a_deny_rule_always_wins() {
    for seed in 0..10_000 {
        let world = World::random(seed);
        let (mut rules, unreadable) = split(&world.rules);
        let (person, host) = (world.person(), world.host());
        let mut deny = PlainRule::random(&mut Dice(seed), 99, world.now).readable();
        deny.effect = Effect::Deny;
        deny.subjects.insert(Subject::User(person.id.clone()));
        deny.hosts = "*".parse().unwrap();
        (deny.valid_from, deny.valid_until, deny.schedule) = (None, None, None);
        deny.sources.clear();
        let place = usize::try_from(seed).unwrap() % (rules.len() + 1);
        rules.insert(place, deny);
        let decision =
            decide_with_unreadable(&question(&world, &person, &host), &rules, &unreadable);
        assert!(!decision.allowed, "seed {seed}: {world:#?}");
    }
}

#[test]
fn removing_a_rule_that_is_no_deny_never_adds_a_right() {
    for seed in 0..10_000 {
        let world = World::random(seed);
        let before = ask(&world).allowed;
        for place in 0..world.rules.len() {
            let mut fewer = world.clone();
            let removed = fewer.rules.remove(place);
            if !removed.deny && removed.damage.is_none() {
                assert!(
                    before || !ask(&fewer).allowed,
                    "seed {seed} without {removed:?}"
                );
            }
        }
    }
}

#[test]
fn adding_an_allow_rule_never_removes_a_right() {
    let mut kept = 0;
    for seed in 0..10_000 {
        let mut world = World::random(seed);
        if ask(&world).allowed {
            let mut allow = PlainRule::random(&mut Dice(seed ^ 0xabcd), 99, world.now);
            (allow.deny, allow.damage) = (false, None);
            world.rules.push(allow);
            assert!(ask(&world).allowed, "seed {seed}: {world:#?}");
            kept += 1;
        }
    }
    assert!(kept > 500, "{kept}");
}

#[test]
fn syn_18_a_rule_that_becomes_unreadable_never_adds_a_right() {
    for seed in 0..10_000 {
        let world = World::random(seed);
        let (rules, unreadable) = split(&world.rules);
        let (person, host) = (world.person(), world.host());
        let question = question(&world, &person, &host);
        let before = decide_with_unreadable(&question, &rules, &unreadable).allowed;
        for place in 0..rules.len() {
            let mut fewer = rules.clone();
            fewer.remove(place);
            let mut more = unreadable.clone();
            more.push(UnreadableRule::illegible());
            assert!(
                !decide_with_unreadable(&question, &fewer, &more).allowed,
                "seed {seed}"
            );
            let mut text = serde_json::to_value(&rules[place]).unwrap();
            text["newer_than_this_program"] = true.into();
            more.pop();
            more.push(serde_json::from_value(text).unwrap());
            let after = decide_with_unreadable(&question, &fewer, &more).allowed;
            assert!(before || !after, "seed {seed}, rule {place}: {world:#?}");
        }
    }
}

#[test]
fn an_answer_holds_until_the_moment_it_names() {
    let mut with_end = 0;
    for seed in 0..20_000 {
        let world = World::random(seed);
        let decision = ask(&world);
        let fortnight = 14 * 86_400;
        let end = decision
            .until
            .map_or(fortnight, |until| until.as_second() - world.now);
        assert!(
            end >= 0,
            "seed {seed}: an answer does not end before it is given"
        );
        with_end += u32::from(decision.until.is_some());
        let mut dice = Dice(seed);
        let random = (0..8).map(|_| dice.between(0, end.clamp(1, fortnight)));
        for later in random
            .chain([0, end / 2, end - 1])
            .filter(|later| (0..end).contains(later))
        {
            let then = ask(&world.later(later));
            assert_eq!(
                then.allowed, decision.allowed,
                "seed {seed} +{later} s: {world:#?}\n{then:#?}"
            );
        }
    }
    assert!(with_end > 2000, "{with_end}");
}
