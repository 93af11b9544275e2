//! A host before it is enrolled, after it was, and when enrolling fails: nothing of its own files
//! is changed that is not put back, byte for byte.

use system_tests::{Host, LOCAL_PASSWORD, LOCAL_USER, Lab, ROOT_PASSWORD, Site};

/// Every file below /etc with owner, mode and content, but for what the host keeps about itself.
fn etc(host: &Host) -> String {
    let listed = "find /etc ! -path '/etc/cloudid*' -printf '%p %u:%g %m %l ' \
                  \\( -type f -exec sha256sum {} \\; -o -printf '\\n' \\)";
    host.ok(&format!("{listed} | sort"))
}

fn local_accounts_work(host: &Host) {
    for (user, password) in [("root", ROOT_PASSWORD), (LOCAL_USER, LOCAL_PASSWORD)] {
        let mut su = host.terminal_of(LOCAL_USER, &format!("su {user} -c whoami"));
        su.expect("(?i)password: ").answer(password);
        assert!(su.finish().text().ends_with(user), "{user}");
    }
}

#[test]
fn installing_changes_nothing_until_a_host_is_enrolled() {
    let lab = Lab::new();
    let host = lab.host("web-1");
    let before = etc(&host);
    host.install();
    assert_eq!(etc(&host), before);
    local_accounts_work(&host);
    assert!(host.run("cloudid --version").succeeded());
}

#[test]
fn an_enrolment_that_fails_puts_everything_back() {
    let lab = Lab::new();
    let host = lab.host("web-1");
    host.install();
    let before = etc(&host);
    host.write("/root/token", "cloudid1.not.a.token");
    let refused =
        host.run("cloudid enroll https://10.77.0.200:8443 --token-file /root/token --yes");
    assert!(!refused.succeeded(), "{refused:?}");
    assert_eq!(etc(&host), before);
    assert!(!host.has("/var/lib/cloudid/identity.json"));
    local_accounts_work(&host);
}

#[test]
fn unenrolling_puts_every_file_back_and_leaves_homes() {
    let site = Site::new();
    let web = &site.web;
    site.alice().run("echo kept > file").succeeds();
    assert!(web.read("/etc/nsswitch.conf").contains("cloudid"));
    web.ok("cloudid unenroll --yes");
    assert!(!web.has("/var/lib/cloudid/identity.json"));
    assert!(!web.read("/etc/nsswitch.conf").contains("cloudid"));
    assert!(!web.run("grep -r cloudid /etc/pam.d /etc/ssh").succeeded());
    assert_eq!(web.run("getent passwd alice").code, 2);
    assert_eq!(web.read("/home/alice/file"), "kept");
    local_accounts_work(web);

    let fresh = site.lab.host("web-2");
    fresh.install();
    let (here, there) = (etc(web), etc(&fresh));
    let differing: Vec<&str> = here.lines().filter(|line| !there.contains(line)).collect();
    let own = |line: &&str| line.contains("hostname") || line.contains("/etc/hosts");
    assert!(differing.iter().all(own), "not as before: {differing:?}");
}
