//! Upgrades and downgrades by Debian packages: whole, half done, offline. Nobody is locked out, nobody
//! is let in who was not, ids stay, and sshd is never started anew.

use system_tests::{Installation, LOCAL_USER, PASSWORD, Packages, Service};

/// What must not change for a person whose host gets other packages.
fn of_alice(scene: &Installation) -> String {
    scene
        .host
        .ok("id alice; getent passwd alice; stat -c '%u:%g %a' /home/alice")
}

fn sshd(scene: &Installation) -> String {
    let host = &scene.host;
    host.ok(&format!("echo {}", host.process_of(Service::Sshd)))
}

#[test]
fn upg_05_an_upgrade_and_a_downgrade_without_the_directory_keep_everything_working() {
    let scene = Installation::enrolled();
    let host = &scene.host;
    let (this, later) = (Packages::of_this_build(), Packages::of_a_later_version());
    scene.alice_logs_in();
    let (known, sshd_before) = (of_alice(&scene), sshd(&scene));
    // sshd has loaded the module of before, and keeps it
    host.ok("printf '# mine\\n' >> /etc/cloudid/cloudid.toml");
    scene.directory.kill();
    for packages in [&later, &this] {
        let cacher = host.ok(&format!("echo {}", host.process_of(Service::Cacher)));
        host.install_packages(packages);
        let version = host.ok("dpkg-query -f '${Version}' -W cloudid-cacher");
        assert_eq!(version, packages.version);
        let after = host.ok(&format!("echo {}", host.process_of(Service::Cacher)));
        assert_ne!(after, cacher, "the cacher of the new package runs");
        assert_eq!(sshd(&scene), sshd_before, "sshd was not started anew");
        assert_eq!(of_alice(&scene), known);
        scene.alice_logs_in();
        scene.local_accounts_work(&packages.version);
        let edited = host.read("/etc/cloudid/cloudid.toml");
        assert!(
            edited.ends_with("# mine"),
            "an administrator's line: {edited}"
        );
    }
    host.reboot();
    scene.alice_logs_in();
    assert_eq!(of_alice(&scene), known);
}

#[test]
fn upg_03_ids_and_owners_that_changed_before_an_upgrade_stay_as_they_are() {
    const OWNERS: &str = "id alice; getent passwd alice; getent group web alice; \
                          stat -c '%n %u:%g %U:%G %a' /home/alice /home/alice/* /home/moved \
                          /home/moved/*";
    let scene = Installation::enrolled();
    let (host, directory) = (&scene.host, &scene.directory);
    let makes = |file: &str| {
        let ssh = scene.laptop.ssh(host).user("alice").password(PASSWORD);
        ssh.run(&format!("touch ~/{file} && chgrp web ~/{file}"))
            .succeeds();
    };
    makes("old-home");
    let old_gid = host.ok("getent group web | cut -d: -f3");
    // another group under the same name, and another home: both in the directory, online
    directory.ok(&["user", "edit", "alice", "--home", "/home/moved"]);
    directory.ok(&["group", "edit", "web", "--rename", "former"]);
    directory.ok(&["group", "add", "web", "--unix"]);
    directory.ok(&["group", "add-member", "web", "alice"]);
    host.until("getent passwd alice | grep -q /home/moved");
    host.until(&format!("! getent group web | grep -qw {old_gid}"));
    host.until("id -nG alice | grep -w web | grep -w former");
    makes("new-home");
    let known = host.ok(OWNERS);
    directory.kill();
    for packages in [Packages::of_a_later_version(), Packages::of_this_build()] {
        host.install_packages(&packages);
        assert_eq!(host.ok(OWNERS), known, "{}", packages.version);
    }
    host.reboot();
    assert_eq!(host.ok(OWNERS), known, "booted");
    scene.alice_logs_in();
}

#[test]
fn upg_04_a_right_that_was_taken_away_stays_away_after_an_upgrade() {
    let scene = Installation::enrolled();
    let host = &scene.host;
    scene.alice_logs_in();
    scene.directory.ok(&["user", "suspend", "alice", "--yes"]);
    host.until("! getent passwd alice | grep -q bash || ! pgrep -u alice");
    scene.alice_is_refused();
    scene.directory.kill();
    host.install_packages(&Packages::of_a_later_version());
    scene.alice_is_refused();
    host.reboot();
    scene.alice_is_refused();
    scene.local_accounts_work("upgraded with a suspension");
}

#[test]
fn upg_07_between_unpacking_and_configuring_nobody_is_locked_out_or_let_in() {
    let scene = Installation::enrolled();
    let host = &scene.host;
    scene.alice_logs_in();
    let known = of_alice(&scene);
    host.receive(
        &Packages::of_a_later_version(),
        &[
            "cloudid",
            "cloudid-cacher",
            "libnss-cloudid",
            "libpam-cloudid",
        ],
    );
    for stage in [
        "dpkg --unpack /root/packages/libpam-cloudid_*.deb",
        "dpkg --unpack /root/packages/libnss-cloudid_*.deb",
        "dpkg --unpack /root/packages/cloudid-cacher_*.deb",
        "dpkg --unpack /root/packages/cloudid_*.deb",
    ] {
        host.ok(stage);
        scene.local_accounts_work(stage);
        scene.alice_logs_in();
        let ssh = scene.laptop.ssh(host).user("alice").password("wrong");
        ssh.run("id -un").is_refused();
    }
    host.reboot();
    scene.local_accounts_work("booted half-configured");
    scene.alice_logs_in();
    host.ok("dpkg --configure -a");
    assert_eq!(of_alice(&scene), known);

    // a removal that stops before the files of the modules are back is the other half
    host.ok("rm /usr/lib/x86_64-linux-gnu/security/pam_cloudid.so");
    scene.local_accounts_work("without the module");
    scene.alice_is_refused();
    assert_eq!(host.ok(&format!("id -un {LOCAL_USER}")), LOCAL_USER);
}

#[test]
fn upg_02_state_of_a_later_format_is_made_anew_or_fetched_and_never_believed() {
    let scene = Installation::enrolled();
    let host = &scene.host;
    scene.alice_logs_in();
    let known = of_alice(&scene);
    // the format of the map is the ninth byte
    let later = "printf '\\377' | dd bs=1 seek=8 conv=notrunc status=none of=";
    host.ok(&format!(
        "systemctl stop cloudid-cacher && {later}/var/lib/cloudid/identity.map && \
         {later}/run/cloudid/identity.map"
    ));
    assert!(!host.run("getent passwd alice").succeeded(), "not believed");
    scene.directory.kill();
    host.reboot();
    host.until("id alice");
    assert_eq!(of_alice(&scene), known);
    scene.alice_logs_in();

    // the manifest of a later format: nothing is known but what the network brings
    scene.directory.start();
    host.ok(
        "systemctl stop cloudid-cacher && for file in /var/lib/cloudid/bundle/*manifest*; do \
         printf '\\377' | dd bs=1 conv=notrunc status=none of=\"$file\"; done && \
         systemctl start --no-block cloudid-cacher",
    );
    scene.local_accounts_work("a mirror of a later format");
    host.until(&format!(
        "echo {} | pamtester sshd alice authenticate acct_mgmt",
        PASSWORD
    ));
    assert_eq!(of_alice(&scene), known);
}
