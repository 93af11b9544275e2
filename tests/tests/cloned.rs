//! An image that was made of an enrolled host: two machines with one identity. The directory notices,
//! the host goes on, and the copy lets people in by its mirror until it is enrolled as a host of its own.

use std::time::Duration;
use system_tests::{Host, Installation, PASSWORD, SYSTEMD, booting_is_impossible, eventually, say};

/// Each has to come back three times, five seconds apart.
const NOTICED_WITHIN: Duration = Duration::from_secs(120);

fn is_refused(host: &Host) -> bool {
    host.has("/var/lib/cloudid/refused-run")
}

#[track_caller]
fn alice_logs_in(scene: &Installation, host: &Host) {
    let ssh = scene.laptop.ssh(host).user("alice").password(PASSWORD);
    assert_eq!(ssh.run("id -un").succeeds(), "alice", "{}", host.name());
}

#[test]
fn syn_25_a_copy_of_a_host_is_noticed_and_enrols_anew_while_the_host_goes_on() {
    if let Some(why) = booting_is_impossible() {
        return say(&why);
    }
    let scene = Installation::enrolled();
    let (first, directory) = (&scene.host, &scene.directory);
    first.shut_down();
    let second = scene.lab.booted_copy("web-2", first, &SYSTEMD);
    first.switch_on();
    first.until("cloudid sync");
    second.switch_on();
    second.until("cloudid sync");
    assert!(!is_refused(first) && !is_refused(&second), "at once");

    let noticed = eventually(NOTICED_WITHIN, || {
        let _ = (first.run("cloudid sync"), second.run("cloudid sync"));
        is_refused(&second)
    });
    assert!(noticed, "{}", directory.log());
    first.ok("cloudid sync");
    assert!(!is_refused(first));
    alice_logs_in(&scene, first);
    let told = directory.ok(&["events", "tail", "-n", "200", "-o", "json"]);
    for part in [
        "host.cloned",
        &first.address().to_string(),
        &second.address().to_string(),
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }

    // the copy says what is wrong, also after a restart, and lets people in
    second.ok("systemctl restart cloudid-cacher");
    second.until("cloudid doctor -o csv | grep -q '^fail,identity,'");
    let refused = second.run("cloudid sync");
    assert!(
        refused.stderr.contains("Another machine uses"),
        "{refused:?}"
    );
    second.ok("journalctl -u cloudid-cacher | grep -q 'another machine uses the identity'");
    alice_logs_in(&scene, &second);

    second.ok("cloudid unenroll --yes");
    directory.enrol_installed(&second, &["env=dev"]);
    second.until("id alice");
    second.ok("cloudid sync");
    first.ok("cloudid sync");
    assert!(!is_refused(&second));
    alice_logs_in(&scene, &second);
    alice_logs_in(&scene, first);
}
