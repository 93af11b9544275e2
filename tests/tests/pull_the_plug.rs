//! STORY-3 where it is about factors: the directory is gone, without a word, and people log in with
//! what they have. Not here: what a code counts after its horizon and a backup code twice
//! (`second_factor.rs`), a lost phone (`stories.rs`), certificates and grants, which are not built.

use serde_json::Value;
use std::time::Duration;
use system_tests::{
    CODE_PROMPT, DIRECTORY_PORT, Guarded, LOCAL_USER, Outcome, PASSWORD, PASSWORD_PROMPT,
    ScriptKey, Service, Site, Stopwatch, eventually, fail, say,
};

const ARRIVAL: Duration = Duration::from_secs(20);
/// What a login may wait for the directory.
const BUDGET: Duration = Duration::from_secs(2);
/// What may come by chance on a busy machine.
const CHANCE: Duration = Duration::from_secs(1);
const WITHOUT_A_LOCK: &[&str] = &["--offline-code-tries", "10"];

fn timed(what: impl FnOnce() -> Outcome) -> (Outcome, Duration) {
    let watch = Stopwatch::start();
    let said = what();
    (said, watch.elapsed())
}

/// su shows the sentences that sshd swallows before a refusal.
fn su(site: &Site, person: &str, code: &str) -> Outcome {
    let su = site
        .web
        .terminal_of(LOCAL_USER, &format!("su - {person} -c pwd"));
    su.told(&[(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code)])
}

/// What the directory has heard of the host, in the order of its chain: what, and about whom.
fn heard_of_the_host(site: &Site) -> Vec<(String, String)> {
    let words = [
        "events", "tail", "-n", "200", "--host", "web-1", "-o", "json",
    ];
    let said = site.directory.ok(&words);
    let Ok(Value::Array(events)) = serde_json::from_str(&said) else {
        fail(&format!("no list of events: {said}"));
    };
    let text = |event: &Value, at: &str| {
        let text = event.pointer(at).and_then(Value::as_str);
        text.unwrap_or_default().to_owned()
    };
    let of = |event: &Value| (text(event, "/type"), text(event, "/target/name"));
    events.iter().map(of).collect()
}

#[test]
fn story_3_with_the_directory_silent_codes_count_once_and_nobody_waits_beyond_the_budget() {
    let Guarded { site, alice, bob } = Guarded::new(WITHOUT_A_LOCK);
    let web = &site.web;
    web.until("id alice | grep -q cloudid-key-code");
    site.add_sudoer("bob");
    let look = || timed(|| web.run("for n in 1 2 3 4 5 6 7 8 9 10; do id alice; id bob; done"));
    let (_, usual_look) = look();
    let code = &alice.backup_codes[0];
    let (inside, usual) = timed(|| site.alice_by_key(code));
    assert_eq!(inside.text(), "alice");

    web.swallow_packets_of_port(DIRECTORY_PORT);
    let code = site.code(&bob, 1);
    let (inside, first) = timed(|| site.bob_by_password(PASSWORD, &code));
    assert_eq!(inside.text(), "bob", "he was never here before");
    let (looked, slow_look) = look();
    assert!(looked.succeeded(), "{looked:?}");
    assert!(
        slow_look < usual_look * 2 + CHANCE,
        "{slow_look:?}, not {usual_look:?}"
    );
    let code = site.code(&alice, 1);
    let (inside, second) = timed(|| site.alice_by_key(&code));
    assert_eq!(inside.text(), "alice");
    assert!(
        inside.stderr.contains("Directory unreachable since"),
        "{inside:?}"
    );
    assert!(inside.stderr.contains("codes count until"), "{inside:?}");
    // A password is compared, and takes its time, where a key was before.
    assert!(
        first < usual + BUDGET + CHANCE * 2,
        "{first:?}, not {usual:?}"
    );
    assert!(
        second < usual + CHANCE,
        "known by now: {second:?}, not {usual:?}"
    );
    say(&format!(
        "usual {usual:?}, first {first:?}, second {second:?}"
    ));

    let again = su(&site, "alice", &code);
    again.refused();
    let sentence = "This code was used. Wait for the next one.";
    assert!(again.said().contains(sentence), "{again:?}");
    let elevated = site.sudo("bob", "123456");
    assert!(
        elevated.contains("codes do not count here meanwhile"),
        "{elevated}"
    );

    web.restore_network();
    let alone = || {
        let heard = heard_of_the_host(&site).into_iter();
        let codes = heard.filter(|(kind, _)| kind == "auth.mfa_offline");
        codes.map(|(_, person)| person).collect::<Vec<_>>()
    };
    assert!(
        eventually(ARRIVAL * 2, || alone().len() == 2),
        "{:?}",
        alone()
    );
    assert_eq!(alone(), ["bob", "alice"], "in the order of what happened");
    let heard = heard_of_the_host(&site);
    let odd = ["events.gap", "host.tamper_suspected", "mfa.used_twice"];
    assert!(
        !heard.iter().any(|(kind, _)| odd.contains(&kind.as_str())),
        "{heard:?}"
    );
    site.directory.ok(&["events", "verify"]);
}

#[test]
fn story_3_a_clock_turned_back_by_an_hour_wins_nothing() {
    let Guarded { site, alice, bob } = Guarded::new(WITHOUT_A_LOCK);
    let web = &site.web;
    web.until("id alice | grep -q cloudid-key-code");
    let machine = site.lab.script_host("automation");
    let key = machine.hardware_key(site.laptop.home());
    site.directory.add_key("bob", &key);
    let by_hardware = || machine.logs_in((web, "bob"), ScriptKey::Hardware, &[""]);
    assert!(eventually(ARRIVAL, || by_hardware().succeeded()));
    site.directory.kill();
    web.restart(Service::Cacher);
    web.until("cloudid host-status");
    let spent = site.code(&bob, 1);
    assert_eq!(site.bob_by_password(PASSWORD, &spent).text(), "bob");

    web.shift_clock_of_cacher("-1h");
    web.until("cloudid host-status");
    for steps in [-120, 0] {
        let refused = site.alice_by_key(&site.code(&alice, steps));
        refused.refused();
        assert!(refused.said().contains("clock is wrong"), "{refused:?}");
    }
    site.bob_by_password(PASSWORD, &spent).refused();
    assert_eq!(by_hardware().text(), "bob");
    assert_eq!(site.alice_by_key(&alice.backup_codes[0]).text(), "alice");

    web.real_clock_of_cacher();
    web.until("cloudid host-status");
    site.bob_by_password(PASSWORD, &spent).refused();
    let now = site.code(&alice, 1);
    assert_eq!(
        site.alice_by_key(&now).text(),
        "alice",
        "and nobody is locked out"
    );
    site.directory.start();
    let jump_is_told = || {
        let heard = heard_of_the_host(&site);
        heard.iter().any(|(kind, _)| kind == "host.clock_skew")
    };
    assert!(eventually(ARRIVAL * 2, jump_is_told));
}

#[test]
fn story_3_five_wrong_passwords_lock_password_and_code_and_no_key() {
    let Guarded { site, bob, .. } = Guarded::new(WITHOUT_A_LOCK);
    let machine = site.lab.script_host("automation");
    let key = machine.hardware_key(site.laptop.home());
    site.directory.add_key("bob", &key);
    let by_hardware = || machine.logs_in((&site.web, "bob"), ScriptKey::Hardware, &[""]);
    assert!(eventually(ARRIVAL, || by_hardware().succeeded()));
    site.web.swallow_packets_of_port(DIRECTORY_PORT);
    for _ in 0..5 {
        site.bob_by_password("wrong", "123456").refused();
    }
    let code = site.code(&bob, 1);
    site.bob_by_password(PASSWORD, &code).refused();
    site.bob_by_password(PASSWORD, &bob.backup_codes[0])
        .refused();
    let said = su(&site, "bob", &code);
    said.refused();
    assert!(said.said().contains("keys work now"), "{said:?}");
    assert_eq!(by_hardware().text(), "bob");
}
