//! The life of a host by its Debian packages: installed, enrolled, booted, removed, purged. Nothing
//! of its own files is changed before it is enrolled, and everything is put back afterwards; root and
//! a local user log in at every step.

use system_tests::{
    Directory, Host, LOCAL_PASSWORD, LOCAL_USER, Lab, PASSWORD, Packages, ROOT_PASSWORD,
};

/// Every file below /etc with owner, mode and content. Copies that the tools for accounts keep of
/// what they edit, and the list of groups for each, follow any account that came and went.
fn etc(host: &Host) -> String {
    let listed = "find /etc ! -name '*-' ! -name .pwd.lock ! -name ld.so.cache \
                  -printf '%p %u:%g %m %l ' \\( -type f -exec sha256sum {} \\; -o -printf '\\n' \\)";
    host.ok(&format!("{listed} | sort"))
}

#[track_caller]
fn is_as_before(host: &Host, before: &str) {
    let now = etc(host);
    let gone = before.lines().filter(|line| !now.contains(*line));
    let come = now.lines().filter(|line| !before.contains(*line));
    let differing: Vec<&str> = gone.chain(come).collect();
    assert!(differing.is_empty(), "not as before: {differing:#?}");
}

/// Root on the console, a local user by ssh with a password, both by su.
#[track_caller]
fn local_accounts_work(site: &Scene, when: &str) {
    let host = &site.host;
    let mut login = host.terminal("login");
    login.expect("login: ").answer("root");
    login.expect("Password: ").answer(ROOT_PASSWORD);
    login.expect("# ").answer("id -un; exit");
    assert!(login.finish().text().contains("root"), "{when}");
    let client = site.lab.client();
    let ssh = client.ssh(host).user(LOCAL_USER).password(LOCAL_PASSWORD);
    assert_eq!(ssh.run("id -un").succeeds(), LOCAL_USER, "{when}");
    for (user, password) in [("root", ROOT_PASSWORD), (LOCAL_USER, LOCAL_PASSWORD)] {
        let mut su = host.terminal_of(LOCAL_USER, &format!("su {user} -c whoami"));
        su.expect("(?i)password: ").answer(password);
        assert!(su.finish().text().ends_with(user), "{when}: {user}");
    }
}

struct Scene {
    host: Host,
    directory: Directory,
    lab: Lab,
}

impl Scene {
    /// A clean host that boots, and a directory where alice may log in to it.
    fn new() -> Self {
        let lab = Lab::new();
        let directory = lab.directory();
        directory.add_group_with_access("web", "env=dev");
        directory.add_person("alice", PASSWORD, &["web"]);
        let host = lab.booted_host("web-1");
        Self {
            host,
            directory,
            lab,
        }
    }

    #[track_caller]
    fn alice_logs_in(&self) {
        let client = self.lab.client();
        let ssh = client.ssh(&self.host).user("alice").password(PASSWORD);
        assert_eq!(ssh.run("id -un").succeeds(), "alice");
    }

    #[track_caller]
    fn alice_is_refused(&self) {
        let client = self.lab.client();
        let ssh = client.ssh(&self.host).user("alice").password(PASSWORD);
        ssh.run("id -un").is_refused();
    }
}

#[test]
fn pkg_02_a_host_is_installed_enrolled_booted_and_removed_and_etc_is_as_before() {
    let scene = Scene::new();
    let (host, packages) = (&scene.host, Packages::of_this_build());
    let before = etc(host);
    host.install_packages(&packages);
    let ours = |line: &&str| line.contains("cloudid");
    let installed = etc(host);
    let changed: Vec<&str> = before
        .lines()
        .filter(|line| !installed.contains(line) && !ours(line))
        .filter(|line| !line.contains("/etc/passwd") && !line.contains("/etc/group"))
        .filter(|line| !line.contains("shadow"))
        .collect();
    assert_eq!(changed, Vec::<&str>::new(), "installing changes nothing");
    local_accounts_work(&scene, "installed");
    assert!(!host.run("systemctl is-active cloudid-cacher").succeeded());

    scene.directory.enrol_installed(host, &["env=dev"]);
    host.until("id alice");
    scene.alice_logs_in();
    local_accounts_work(&scene, "enrolled");
    let uid = host.ok("id -u alice");

    scene.directory.kill();
    host.reboot();
    scene.alice_logs_in();
    local_accounts_work(&scene, "booted without the directory");

    let removed = host.apt("remove cloudid-cacher libnss-cloudid libpam-cloudid cloudid");
    assert!(removed.succeeded(), "{removed:?}");
    for file in ["/etc/nsswitch.conf", "/etc/pam.d", "/etc/ssh"] {
        let left = host.run(&format!("grep -r cloudid {file}"));
        assert!(!left.succeeded(), "{left:?}");
    }
    local_accounts_work(&scene, "removed");
    scene.alice_is_refused();
    assert!(host.has("/home/alice"), "homes stay");

    let purged = host.apt("purge cloudid-cacher libnss-cloudid libpam-cloudid cloudid");
    assert!(purged.succeeded(), "{purged:?}");
    local_accounts_work(&scene, "purged");
    is_as_before(host, &before);
    assert_eq!(host.ok("stat -c %u /home/alice"), uid);
    host.reboot();
    local_accounts_work(&scene, "booted after the purge");
}

#[test]
fn pkg_03_a_purge_leaves_no_secret_and_a_new_enrolment_gives_the_same_ids() {
    let scene = Scene::new();
    let (host, packages) = (&scene.host, Packages::of_this_build());
    host.install_packages(&packages);
    scene.directory.enrol_installed(host, &["env=dev"]);
    scene.alice_logs_in();
    let known = host.ok("id alice");
    let purged = host.apt("purge cloudid-cacher libnss-cloudid libpam-cloudid cloudid");
    assert!(purged.succeeded(), "{purged:?}");
    let left = host.ok(
        "find / -xdev ! -path '/root/packages*' ! -path '/proc/*' ! -path '/sys/*' \
         ! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/run/log/*' -name '*cloudid*'; \
         find /run -name '*cloudid*'; grep -E '^cloudid' /etc/passwd /etc/group || true",
    );
    assert_eq!(left, "", "left behind");
    assert!(host.run("getent passwd alice").code == 2);

    scene.directory.ok(&["host", "retire", "web-1", "--yes"]);
    host.ok("hostname web-2");
    host.install_packages(&packages);
    scene.directory.enrol_installed(host, &["env=dev"]);
    host.until("id alice");
    assert_eq!(host.ok("id alice"), known);
    scene.alice_logs_in();
}

#[test]
fn packages_are_as_debian_wants_them() {
    assert_eq!(Packages::of_this_build().lintian(), "");
}
