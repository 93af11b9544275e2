//! The life of a host by its Debian packages, the same story on every release of Debian: installed,
//! enrolled, upgraded, booted without the network, removed, purged. Nothing of its own files is
//! changed before it is enrolled, and everything is put back afterwards; root and a local user log in
//! at every step.

use std::path::Path;
use system_tests::{
    HOST_PACKAGES, Host, Installation, LOCAL_PASSWORD, LOCAL_USER, PASSWORD, Packages, Release,
    Service, say,
};

#[test]
fn pkg_02_a_debian_12_host_lives_from_install_to_purge() {
    lives_from_install_to_purge(Release::Bookworm);
}

#[test]
fn pkg_02_a_debian_13_host_lives_from_install_to_purge() {
    lives_from_install_to_purge(Release::Trixie);
}

#[test]
fn pkg_02_a_sid_host_lives_from_install_to_purge() {
    lives_from_install_to_purge(Release::Sid);
}

#[test]
fn pam_03_people_are_refused_everywhere_on_debian_12_when_we_cannot_answer() {
    refused_when_we_cannot_answer(Release::Bookworm);
}

#[test]
fn pam_03_people_are_refused_everywhere_on_debian_13_when_we_cannot_answer() {
    refused_when_we_cannot_answer(Release::Trixie);
}

#[test]
fn pam_03_people_are_refused_everywhere_on_sid_when_we_cannot_answer() {
    refused_when_we_cannot_answer(Release::Sid);
}

/// A clean host of the release; none where that cannot be.
fn scene(release: Release) -> Option<Installation> {
    if let Some(why) = release.is_impossible() {
        say(&format!("SKIPPED: there is no host of {release:?}: {why}"));
        return None;
    }
    let scene = Installation::of_release(release);
    say(&scene.host.ok(
        "dpkg-query -f '${Package} ${Version}  ' -W libc6 openssh-server systemd sudo libpam0g",
    ));
    Some(scene)
}

fn lives_from_install_to_purge(release: Release) {
    let Some(scene) = scene(release) else { return };
    let host = &scene.host;
    let key = key_of_alice(&scene);
    let before = host.etc();
    host.install_packages(&Packages::of_this_build());
    only_our_files_are_new(host, &before);
    scene.local_accounts_work("installed");

    scene.enrol();
    host.write("/etc/sudoers.d/alice", "alice ALL=(ALL) ALL\n");
    every_door(&scene, &key);
    scene.local_accounts_work("enrolled");
    let known = host.ok("id alice; getent passwd alice");
    runs_something_of_alice_at_boot(host);

    let sshd = host.ok(&format!("echo {}", host.process_of(Service::Sshd)));
    host.install_packages(&Packages::of_a_later_version());
    let after = host.ok(&format!("echo {}", host.process_of(Service::Sshd)));
    assert_eq!(after, sshd, "sshd is not started anew");
    every_door(&scene, &key);
    scene.local_accounts_work("upgraded");

    scene.directory.kill();
    host.reboot();
    ran_as_alice_at_boot(host);
    every_door(&scene, &key);
    scene.local_accounts_work("booted without the directory");
    assert_eq!(host.ok("id alice; getent passwd alice"), known);

    linger(host, "disable");
    host.ok("rm /etc/sudoers.d/alice");
    host.remove_early_unit();
    goes(&scene, &before);
}

/// The packages are removed, then purged.
fn goes(scene: &Installation, before: &str) {
    let host = &scene.host;
    let uid = host.ok("id -u alice");
    let removed = host.apt(&format!("remove {HOST_PACKAGES}"));
    assert!(removed.succeeded(), "{removed:?}");
    for file in ["/etc/nsswitch.conf", "/etc/pam.d", "/etc/ssh"] {
        let left = host.run(&format!("grep -r cloudid {file}"));
        assert!(!left.succeeded(), "{left:?}");
    }
    scene.local_accounts_work("removed");
    scene.alice_is_refused();
    assert_eq!(host.ok("stat -c %u /home/alice"), uid, "homes stay");

    let purged = host.apt(&format!("purge {HOST_PACKAGES}"));
    assert!(purged.succeeded(), "{purged:?}");
    host.etc_is(before);
    host.reboot();
    scene.local_accounts_work("booted after the purge");
    assert_eq!(host.run("getent passwd alice").code, 2);
}

/// Installing makes files and accounts, and changes nothing that was there.
fn only_our_files_are_new(host: &Host, before: &str) {
    let installed = host.etc();
    let of_accounts = ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"];
    let changed: Vec<&str> = before
        .lines()
        .filter(|line| !installed.contains(line) && !line.contains("cloudid"))
        .filter(|line| !of_accounts.iter().any(|file| line.starts_with(file)))
        .collect();
    assert_eq!(changed, Vec::<&str>::new(), "installing changes nothing");
    assert!(!host.run("systemctl is-active cloudid-cacher").succeeded());
}

fn key_of_alice(scene: &Installation) -> std::path::PathBuf {
    let key = scene.laptop.new_key("alice-key");
    scene.directory.add_key("alice", &key);
    key
}

/// sshd by password and by key, login, su, sudo.
fn every_door(scene: &Installation, key: &Path) {
    let host = &scene.host;
    scene.alice_logs_in();
    let ssh = scene.laptop.ssh(host).user("alice");
    let session = ssh.clone().key(key).run("loginctl show-user alice -p Name");
    assert_eq!(session.succeeds(), "Name=alice");
    ssh.password("wrong").run("id -un").is_refused();
    let mut login = host.terminal("login");
    login.expect("login: ").answer("alice");
    login.expect("(?i)password: ").answer(PASSWORD);
    login.expect(r"\$ ").answer("id -un; exit");
    assert!(login.finish().text().contains("alice"), "login");
    let mut su = host.terminal_of(LOCAL_USER, "su alice -c whoami");
    su.expect("(?i)password: ").answer(PASSWORD);
    assert!(su.finish().text().ends_with("alice"), "su");
    let mut sudo = host.terminal_of("alice", "sudo -k id -un");
    sudo.expect("(?i)password.*: ").answer(PASSWORD);
    assert!(sudo.finish().text().ends_with("root"), "sudo");
}

/// A unit before the daemon, a job of cron, a lingering user manager.
fn runs_something_of_alice_at_boot(host: &Host) {
    host.add_early_unit_of("alice");
    host.ok("echo '@reboot id -un > ~/by-cron' | crontab -u alice -");
    linger(host, "enable");
}

/// Asked by a process that systemd started: to logind of Debian 13 others are strangers.
fn linger(host: &Host, verb: &str) {
    host.ok(&format!(
        "systemd-run --quiet --wait loginctl {verb}-linger alice"
    ));
}

fn ran_as_alice_at_boot(host: &Host) {
    host.until("test -s /run/early/name");
    assert_eq!(host.read("/run/early/name"), "alice", "a unit");
    assert_eq!(host.ok("systemctl is-active early.service"), "active");
    host.until("test -s /home/alice/by-cron");
    assert_eq!(host.read("/home/alice/by-cron"), "alice", "cron");
    host.until("systemctl is-active user@$(id -u alice).service");
    host.until("loginctl list-users --no-legend | grep -w alice");
}

/// Every PAM stack that a server has, and whether a password alone opens it when root asks.
const STACKS: [(&str, bool); 8] = [
    ("sshd", true),
    ("sudo", true),
    ("login", true),
    ("polkit-1", true),
    // root need not prove anything to these
    ("su", false),
    ("passwd", false),
    ("cron", false),
    ("systemd-user", false),
];

fn refused_when_we_cannot_answer(release: Release) {
    let Some(scene) = scene(release) else { return };
    let host = &scene.host;
    let key = key_of_alice(&scene);
    host.install_packages(&Packages::of_this_build());
    scene.enrol();
    for (stack, asks) in STACKS {
        let account = host.pam(stack, "alice", PASSWORD, "acct_mgmt");
        assert!(account.succeeded(), "{stack}: {account:?}");
        let proof = host.pam(stack, "alice", PASSWORD, "authenticate");
        assert!(!asks || proof.succeeded(), "{stack}: {proof:?}");
    }
    let by_key = || scene.laptop.ssh(host).user("alice").key(&key).run("id -un");
    by_key().succeeds();

    let module = host.ok("ls /usr/lib/*/security/pam_cloudid.so");
    host.ok(&format!("mv {module} /root/module"));
    refused_in_every_stack(host, "module missing", true);
    by_key().is_refused();
    scene.alice_is_refused();
    host.ok(&format!("mv /root/module {module}"));

    host.ok("systemctl mask --runtime --now cloudid-cacher.service");
    refused_in_every_stack(host, "module without an answer", true);
    by_key().is_refused();
    host.ok("systemctl unmask --runtime cloudid-cacher.service");
    host.ok("systemctl start cloudid-cacher.service");
    by_key().succeeds();

    scene.directory.ok(&["user", "suspend", "alice", "--yes"]);
    host.until(&format!(
        "! echo {PASSWORD} | pamtester sshd alice acct_mgmt"
    ));
    refused_in_every_stack(host, "suspended", false);
    by_key().is_refused();
    scene.local_accounts_work("alice refused everywhere");
}

fn refused_in_every_stack(host: &Host, when: &str, also_her_proof: bool) {
    for (stack, asks) in STACKS {
        let account = host.pam(stack, "alice", PASSWORD, "acct_mgmt");
        assert!(!account.succeeded(), "{when}, {stack}: {account:?}");
        if asks && also_her_proof {
            let proof = host.pam(stack, "alice", PASSWORD, "authenticate");
            assert!(!proof.succeeded(), "{when}, {stack}: {proof:?}");
        }
        let local = host.pam(stack, LOCAL_USER, LOCAL_PASSWORD, "acct_mgmt");
        assert!(local.succeeded(), "{when}, {stack}: {local:?}");
    }
}
