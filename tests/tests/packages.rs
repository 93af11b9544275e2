//! What Debian packages leave on a host and what they take away; root and a local user log in whatever
//! happens to them. The whole life of a host is in `releases.rs`.

use std::time::Duration;
use system_tests::{
    HOST_PACKAGES, Installation, LOCAL_PASSWORD, LOCAL_USER, Packages, ROOT_PASSWORD, Service,
    Stopwatch,
};

#[test]
fn pkg_03_a_purge_leaves_no_secret_and_a_new_enrolment_gives_the_same_ids() {
    let scene = Installation::enrolled();
    let host = &scene.host;
    scene.alice_logs_in();
    let known = host.ok("id alice");
    let purged = host.apt(&format!("purge {HOST_PACKAGES}"));
    assert!(purged.succeeded(), "{purged:?}");
    let left = host.ok(
        "find / -xdev ! -path '/root/packages*' ! -path '/proc/*' ! -path '/sys/*' \
         ! -path '/var/log/*' ! -path '/var/cache/*' ! -path '/run/log/*' -name '*cloudid*'; \
         find /run -name '*cloudid*'; grep -E '^cloudid' /etc/passwd /etc/group || true",
    );
    assert_eq!(left, "", "left behind");
    assert_eq!(host.run("getent passwd alice").code, 2);

    scene.directory.ok(&["host", "retire", "web-1", "--yes"]);
    host.ok("hostname web-2");
    host.install_packages(&Packages::of_this_build());
    scene.enrol();
    assert_eq!(host.ok("id alice"), known);
    scene.alice_logs_in();
}

/// Longest time a local account may wait beyond what it waits without cloudid: in a lab that is busy.
const NO_DELAY: Duration = Duration::from_millis(1500);

#[test]
fn pkg_01_local_accounts_do_not_notice_packages_nor_a_masked_cacher() {
    let scene = Installation::new();
    let host = &scene.host;
    let key = scene.laptop.new_key("local-key");
    let public = system_tests::Client::public_key(&key);
    host.write("/home/local/.ssh/authorized_keys", &public);
    host.ok("chown -R local: /home/local/.ssh && chmod 700 /home/local/.ssh");
    let every_way = |when: &str| {
        scene.local_accounts_work(when);
        let watch = Stopwatch::start();
        let ssh = scene.laptop.ssh(host).user(LOCAL_USER).key(&key);
        assert_eq!(ssh.run("id -un").succeeds(), LOCAL_USER, "{when}");
        assert!(
            watch.elapsed() < NO_DELAY * 2,
            "{when}: {:?}",
            watch.elapsed()
        );
        let mut sudo = host.terminal_of(LOCAL_USER, "sudo -k id -un");
        sudo.expect("(?i)password").answer(LOCAL_PASSWORD);
        assert!(sudo.finish().text().ends_with("root"), "{when}: sudo");
        let mut passwd = host.terminal_of(LOCAL_USER, "passwd");
        passwd
            .expect("(?i)current password: ")
            .answer(LOCAL_PASSWORD);
        passwd
            .expect("(?i)new password: ")
            .answer("another-Passw0rd-4711");
        passwd
            .expect("(?i)new password: ")
            .answer("another-Passw0rd-4711");
        assert!(passwd.finish().succeeded(), "{when}: passwd");
        host.ok(&format!("echo {LOCAL_USER}:{LOCAL_PASSWORD} | chpasswd"));
        let watch = Stopwatch::start();
        let root = host.pam("login", "root", ROOT_PASSWORD, "authenticate acct_mgmt");
        assert!(root.succeeded(), "{when}: {root:?}");
        assert!(watch.elapsed() < NO_DELAY, "{when}: {:?}", watch.elapsed());
    };
    host.install_packages(&Packages::of_this_build());
    every_way("installed, never enrolled");
    host.reboot();
    every_way("booted, never enrolled");
    scene.enrol();
    host.ok("systemctl mask --now cloudid-cacher.service");
    every_way("enrolled, cacher masked");
    host.reboot();
    assert!(!host.runs(Service::Cacher));
    every_way("booted, cacher masked");
    scene.alice_is_refused();
}

#[test]
fn pkg_04_nobody_reads_a_secret_and_nothing_is_setuid_or_writable_for_all() {
    let scene = Installation::enrolled();
    let host = &scene.host;
    scene.alice_logs_in();
    let places = "/etc/cloudid /var/lib/cloudid /var/lib/cloudid-enroll-backup /run/cloudid \
                  /run/cloudid-lookups /usr/libexec/cloudid";
    let as_nobody = "setpriv --reuid nobody --regid nogroup --clear-groups";
    let readable = host.run(&format!(
        "cd / && {as_nobody} find {places} -type f -readable ! -path '/usr/*' 2> /dev/null | sort"
    ));
    let public = [
        "/etc/cloudid/ca.pem",
        "/etc/cloudid/cloudid.toml",
        "/etc/cloudid/conf.d/10-directory.toml",
        "/run/cloudid/identity.map",
        "/var/lib/cloudid/identity.map",
    ];
    for file in readable.stdout.lines() {
        assert!(public.contains(&file), "nobody can read {file}");
    }
    assert!(readable.stdout.contains("/run/cloudid/identity.map"));
    let writable = host.run(&format!(
        "cd / && {as_nobody} find {places} -writable ! -type s ! -type l 2> /dev/null"
    ));
    assert_eq!(writable.stdout, "", "nobody can write");
    let files = format!(
        "dpkg -L {HOST_PACKAGES} | sort -u | while read -r file; do [ -f \"$file\" ] && \
         [ ! -L \"$file\" ] && echo \"$file\"; done"
    );
    let dangerous = host.ok(&format!(
        "for file in $({files}); do find \"$file\" \\( -perm /6000 -o -perm /022 -o ! -user root \
         \\) ! -path '/etc/cloudid/*'; getcap \"$file\" 2> /dev/null || true; done"
    ));
    assert_eq!(dangerous, "", "setuid, writable, or not root's");
    // who may ask what on the others is decided by kernel credentials; root's helper has only one user
    let helper = host.ok("stat -c '%U:%G %a' /run/cloudid/helper.sock");
    assert_eq!(helper, "root:cloudid 660");
}

/// What may be wrong with a module: a name, and commands that make it so; `$1` is the module.
const BROKEN: [(&str, &str); 4] = [
    ("deleted", "rm -f \"$1\""),
    ("empty", ": > \"$1\""),
    (
        "of another architecture",
        "printf '\\267\\000' | dd of=\"$1\" bs=1 seek=18 conv=notrunc status=none",
    ),
    (
        "something else altogether",
        "cp /lib/x86_64-linux-gnu/libcrypt.so.1 \"$1\"",
    ),
];

#[test]
fn pkg_10_root_and_local_users_log_in_whatever_happens_to_the_modules() {
    let scene = Installation::enrolled();
    let host = &scene.host;
    let modules = [
        "/usr/lib/x86_64-linux-gnu/libnss_cloudid.so.2",
        "/usr/lib/x86_64-linux-gnu/security/pam_cloudid.so",
    ];
    for (what, make) in BROKEN {
        for module in modules {
            host.ok(&format!("cp -p {module} {module}.saved"));
            host.write("/root/break", make);
            host.ok(&format!("sh /root/break {module}"));
        }
        host.reboot();
        scene.local_accounts_work(what);
        scene.alice_is_refused();
        for module in modules {
            host.ok(&format!("rm -f {module} && mv {module}.saved {module}"));
        }
    }
    scene.alice_logs_in();
}

#[test]
fn packages_are_as_debian_wants_them() {
    assert_eq!(Packages::of_this_build().lintian(), "");
}
