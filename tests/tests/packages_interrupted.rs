//! Packages whose work is cut short: dpkg is killed with everything it started, at many moments, or
//! the disk is full while maintainer scripts run. The machine boots, root and a local user log in, a
//! wrong password lets nobody in, and dpkg goes on to the end.

use system_tests::{Disk, HOST_PACKAGES, Host, Installation, Packages, SYSTEMD, say};

const NAMES: [&str; 4] = [
    "cloudid",
    "cloudid-cacher",
    "libnss-cloudid",
    "libpam-cloudid",
];
const INSTALL: &str = "dpkg --install /root/packages/*.deb";
/// Arguments: a number, a command. Runs the command and kills it and all it started when that many
/// programs were started; says how many were.
const INTERRUPT: &str = r#"#!/bin/sh
cat > /root/count <<'END'
count=0
while read -r line; do
    case $line in *execve*' = 0') count=$((count + 1)) ;; esac
    echo "$count" > /root/counted
    if [ "$count" -eq "$1" ]; then
        read -r session < /root/session
        pkill -KILL --session "$session"
        exit
    fi
done
END
echo 0 > /root/counted
setsid --wait sh -c 'echo $$ > /root/session
exec strace -f -qq -e trace=execve -e signal=none -o "|setsid sh /root/count $0" sh -c "$1"' \
    "$1" "$2" > /root/said 2>&1
cat /root/counted
"#;
/// More programs than any command starts.
const NEVER: u64 = 1_000_000;

#[test]
fn pkg_05_an_upgrade_killed_at_any_step_leaves_a_host_that_boots_and_goes_on() {
    let scene = Installation::enrolled();
    let host = &scene.host;
    let (this, later) = (Packages::of_this_build(), Packages::of_a_later_version());
    scene.alice_logs_in();
    host.write_program("/root/interrupt", INTERRUPT);
    host.receive(&later, &NAMES);
    let programs = interrupted(host, NEVER, INSTALL);
    say(&format!("an upgrade starts {programs} programs"));
    assert!(programs > 40 && is_whole(host, &later), "{programs}");
    for (part, packages) in [(1, &this), (2, &later), (3, &this)] {
        let at = programs * part / 4;
        host.receive(packages, &NAMES);
        interrupted(host, at, INSTALL);
        assert!(!is_whole(host, packages), "killed at {at} of {programs}");
        boots_and_lets_the_right_ones_in(&scene, &format!("killed at {at}"));
        host.run("dpkg --configure -a");
        host.ok(INSTALL);
        assert!(is_whole(host, packages), "goes on after {at}");
        scene.alice_logs_in();
    }
}

#[test]
fn pkg_05_a_removal_killed_at_any_step_leaves_a_host_that_boots_and_goes_on() {
    let scene = Installation::new();
    let host = &scene.host;
    let before = host.etc();
    host.install_packages(&Packages::of_this_build());
    scene.enrol();
    host.write_program("/root/interrupt", INTERRUPT);
    let mut killed = 0;
    for (verb, moments) in [("remove", [10, 30]), ("purge", [5, 9])] {
        let command = format!("dpkg --{verb} {HOST_PACKAGES}");
        for at in moments {
            let started = interrupted(host, at, &command);
            say(&format!("{verb} to be killed at {at} started {started}"));
            killed += u32::from(started == at);
            boots_and_lets_the_right_ones_in(&scene, &format!("{verb} killed at {at}"));
        }
        if verb == "purge" {
            // What a userdel leaves that is killed between two files; no moment above is sure to be it.
            host.ok("sed -i '/^cloudid-keys:/d' /etc/passwd && touch /etc/shadow+");
        }
        host.ok(&command);
    }
    assert!(killed >= 3, "killed {killed} times");
    host.etc_is(&before);
}

#[test]
fn pkg_05_a_full_disk_in_maintainer_scripts_locks_nobody_out() {
    const SMALL: Disk = Disk::Small {
        megabytes: 400,
        inodes: 20_000,
    };
    let scene = Installation::with_disk(&SYSTEMD, SMALL);
    let host = &scene.host;
    let before = host.etc();
    host.install_packages(&Packages::of_this_build());
    scene.enrol();
    scene.alice_logs_in();
    let later = Packages::of_a_later_version();
    host.receive(&later, &NAMES);
    host.ok("dpkg --unpack /root/packages/*.deb");
    host.fill_disk();
    let configured = host.run("dpkg --configure -a");
    assert!(!configured.succeeded(), "nowhere to write: {configured:?}");
    boots_and_lets_the_right_ones_in(&scene, "upgraded on a full disk");
    host.free_disk();
    host.ok("dpkg --configure -a");
    assert!(is_whole(host, &later));
    scene.alice_logs_in();

    host.fill_disk();
    let removed = host.run(&format!("dpkg --remove {HOST_PACKAGES}"));
    assert!(!removed.succeeded(), "nowhere to write: {removed:?}");
    boots_and_lets_the_right_ones_in(&scene, "removed on a full disk");
    host.free_disk();
    host.ok("dpkg --configure -a");
    host.ok(&format!("dpkg --purge {HOST_PACKAGES}"));
    host.etc_is(&before);
}

/// How many programs a command started until it ended or was killed at the start of one of them.
#[track_caller]
fn interrupted(host: &Host, at: u64, command: &str) -> u64 {
    host.number(&format!("/root/interrupt {at} '{command}'"))
}

/// All four packages are there in this version, and configured.
fn is_whole(host: &Host, packages: &Packages) -> bool {
    let states = host.run(&format!(
        "dpkg-query -f '${{db:Status-Status}} ${{Version}}\\n' -W {HOST_PACKAGES} | sort -u"
    ));
    states.stdout.trim() == format!("installed {}", packages.version)
}

fn boots_and_lets_the_right_ones_in(scene: &Installation, when: &str) {
    scene.host.reboot();
    scene.local_accounts_work(when);
    let alice = scene.laptop.ssh(&scene.host).user("alice");
    alice.password("wrong").run("id -un").is_refused();
}
