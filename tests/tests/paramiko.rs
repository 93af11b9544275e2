//! Scripts that log in by paramiko, where a policy asks for a second factor: through a real sshd,
//! they are asked as people are.

use std::time::Duration;
use system_tests::{Guarded, Outcome, PASSWORD, ScriptHost, ScriptKey, Service, Site, eventually};

const ARRIVAL: Duration = Duration::from_secs(20);

fn scene() -> (ScriptHost, Guarded) {
    let guarded = Guarded::new(&[]);
    let machine = guarded.site.lab.script_host("automation");
    (machine, guarded)
}

/// Refused by sshd, not failed by accident.
fn refused(said: &Outcome) {
    assert_eq!(said.code, 1, "{said:?}");
    assert!(said.stderr.contains("Authentication"), "{said:?}");
}

fn uid(site: &Site, person: &str) -> String {
    site.web.ok(&format!("id -u {person}"))
}

#[test]
fn mfa_paramiko_opens_the_door_by_password_and_code_and_by_no_other_code() {
    let (machine, Guarded { site, bob, .. }) = scene();
    let to = (&site.web, "bob");
    let log_in = |answers: &[&str]| machine.logs_in(to, ScriptKey::None, answers);
    let code = site.code(&bob, 0);
    let inside = log_in(&[PASSWORD, &code]);
    assert_eq!(inside.text(), "bob");
    assert!(inside.stderr.contains("Password:"), "{inside:?}");
    assert!(inside.stderr.contains("code"), "{inside:?}");
    refused(&log_in(&[PASSWORD, &code]));
    let now = site.web.number("date +%s");
    refused(&log_in(&[PASSWORD, &bob.authenticator.wrong_code(now)]));
    refused(&log_in(&["wrong", &bob.backup_codes[0]]));
    let sent = machine.sends_a_file(to, ScriptKey::None, &[PASSWORD, &bob.backup_codes[0]]);
    assert_eq!(sent.text(), format!("by sftp {}", uid(&site, "bob")));
    assert_eq!(site.web.read("/home/bob/sent"), "by sftp");
}

#[test]
fn mfa_paramiko_opens_the_door_by_key_and_code_and_not_by_the_key_alone() {
    let (machine, Guarded { site, alice, .. }) = scene();
    site.web.until("id alice | grep -q cloudid-key-code");
    let to = (&site.web, "alice");
    let key = ScriptKey::Software(&site.key);
    let code = site.code(&alice, 0);
    let inside = machine.logs_in(to, key, &[&code]);
    assert_eq!(inside.text(), "alice");
    assert!(
        inside.stderr.contains("then keyboard-interactive"),
        "the key is half of it: {inside:?}"
    );
    refused(&machine.logs_in(to, key, &[&code]));
    refused(&machine.logs_in(to, key, &[""]));
    refused(&machine.sends_a_file(to, key, &["12"]));
    let sent = machine.sends_a_file(to, key, &[&alice.backup_codes[0]]);
    assert_eq!(sent.text(), format!("by sftp {}", uid(&site, "alice")));
}

#[test]
fn mfa_paramiko_that_knows_one_password_types_the_code_behind_it_where_the_host_asks_in_one_line() {
    let (machine, Guarded { site, bob, .. }) = scene();
    let to = (&site.web, "bob");
    let both = format!("{PASSWORD} {}", bob.backup_codes[0]);
    refused(&machine.knows_one_password(to, &both));
    let settings = "[pam]\none_line = true\n";
    site.web.write("/etc/cloudid/conf.d/50-pam.toml", settings);
    site.web.restart(Service::Cacher);
    site.web.until("cloudid host-status");
    refused(&machine.knows_one_password(to, PASSWORD));
    assert_eq!(machine.knows_one_password(to, &both).text(), "bob");
    refused(&machine.knows_one_password(to, &both));
}

#[test]
fn mfa_a_hardware_key_that_has_verified_its_owner_is_enough_alone() {
    let (machine, Guarded { site, .. }) = scene();
    let to = (&site.web, "bob");
    refused(&machine.logs_in(to, ScriptKey::Hardware, &[""]));
    site.directory
        .add_key("bob", &machine.hardware_key(site.laptop.home()));
    let inside = || machine.logs_in(to, ScriptKey::Hardware, &[]);
    assert!(eventually(ARRIVAL, || inside().succeeded()));
    let said = inside();
    assert_eq!(said.text(), "bob");
    assert_eq!(said.stderr, "", "nothing is asked");
    refused(&machine.logs_in(to, ScriptKey::Touched, &[""]));
}
