//! What is taken away is gone: on the host, in open sessions, and in time.

use std::time::Duration;
use system_tests::{PASSWORD, Service, Site, Stopwatch, eventually};

/// From the API's answer to "denied and gone".
const REVOKED_WITHIN: Duration = Duration::from_secs(2);

#[test]
fn a_suspended_person_is_out_within_two_seconds() {
    let site = Site::new();
    let web = &site.web;
    let mut session = site.alice().terminal_running("echo here; exec sleep 1000");
    session.expect("here");
    let gone = || !web.run("pgrep -u alice sleep").succeeded();
    assert!(!gone());

    site.directory
        .ok(&["user", "suspend", "alice", "--reason", "left the company"]);
    let watch = Stopwatch::start();
    assert!(
        eventually(REVOKED_WITHIN, gone),
        "session still there after {:?}",
        watch.elapsed()
    );
    let _ended = session.finish();
    assert!(!web.pam("sshd", "alice", PASSWORD, "acct_mgmt").succeeded());
    site.alice().run("id -un").is_refused();
    site.person("alice", PASSWORD).run("id -un").is_refused();

    let proof = site
        .directory
        .ok(&["user", "enforcement", "alice", "-o", "json"]);
    assert!(proof.contains("web-1"), "{proof}");
}

#[test]
fn a_suspension_stays_after_a_reboot_without_the_directory() {
    let site = Site::new();
    site.directory.ok(&["user", "suspend", "alice"]);
    // Any other failure would be no proof that the host has heard of it.
    let told = || {
        let answer = site.web.pam("sshd", "alice", PASSWORD, "acct_mgmt");
        format!("{}{}", answer.stdout, answer.stderr).contains("suspended")
    };
    assert!(eventually(Duration::from_secs(10), told));
    site.directory.kill();
    site.web.reboot();
    site.alice().run("id -un").is_refused();
}

#[test]
fn pam_07_a_key_does_not_let_in_who_may_not_come_in() {
    let site = Site::new();
    site.directory.add_person("bob", PASSWORD, &["web"]);
    let bobs_key = site.laptop.new_key("bob-key");
    site.directory.add_key("bob", &bobs_key);
    let bob = || {
        site.laptop
            .ssh(&site.web)
            .user("bob")
            .key(&bobs_key)
            .run("id -un")
    };
    assert!(eventually(Duration::from_secs(10), || bob()
        .outcome
        .succeeded()));

    site.directory.ok(&["group", "remove-member", "web", "bob"]);
    assert!(eventually(Duration::from_secs(10), || !bob()
        .outcome
        .succeeded()));
    bob().is_refused();
    assert_eq!(
        site.alice().run("id -un").succeeds(),
        "alice",
        "others go on"
    );

    site.directory
        .ok(&["rule", "access", "rm", "web-logs-in", "--yes"]);
    let alice = || site.alice().run("id -un");
    assert!(eventually(Duration::from_secs(10), || !alice()
        .outcome
        .succeeded()));
    alice().is_refused();
}

#[test]
fn a_removed_key_stops_working() {
    let site = Site::new();
    site.alice().run("id -un").succeeds();
    let public = site.key.with_extension("pub").display().to_string();
    let listed = system_tests::Client::fingerprint(&public);
    site.directory
        .ok(&["keys", "remove", "--user", "alice", &listed]);
    let refused = || !site.alice().run("id -un").outcome.succeeded();
    assert!(eventually(Duration::from_secs(10), refused));
    site.alice().run("id -un").is_refused();
    assert_eq!(
        site.person("alice", PASSWORD).run("id -un").succeeds(),
        "alice"
    );
}

#[test]
fn ssh_06_an_open_master_connection_and_own_keys_do_not_outlive_a_suspension() {
    let site = Site::new();
    let own_key = site.laptop.new_key("own");
    let public = system_tests::Client::public_key(&own_key);
    let install = format!("mkdir -p .ssh && echo '{public}' > .ssh/authorized_keys");
    site.alice().run(&install).succeeds();
    let by_own_key = site.laptop.ssh(&site.web).user("alice").key(&own_key);
    by_own_key.run("id -un").is_refused();

    let socket = site.laptop.home().join("master").display().to_string();
    let shared = site.alice().option("-S").option(&socket);
    shared
        .clone()
        .option("-M")
        .option("-f")
        .option("-N")
        .run("")
        .succeeds();
    assert_eq!(shared.run("id -un").succeeds(), "alice");

    site.directory.ok(&["user", "suspend", "alice"]);
    let refused = || !shared.run("id -un").outcome.succeeded();
    assert!(
        eventually(Duration::from_secs(5), refused),
        "the open connection still works"
    );
    by_own_key.run("id -un").is_refused();
    site.web.restart(Service::Cacher);
    by_own_key.run("id -un").is_refused();
}
