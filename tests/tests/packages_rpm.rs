//! The RPM packages, as far as a Debian root can tell: what they hold, and what their scriptlets do when
//! they are installed, upgraded and erased.

use system_tests::{Host, Lab, PACKAGING, Recipe, gather_programs, rpm_packages};

fn rpm(host: &Host, arguments: &str) -> String {
    host.ok(&format!("rpm --force-debian --nodeps {arguments}"))
}

#[test]
fn rpm_packages_install_upgrade_and_erase_and_keep_what_an_administrator_wrote() {
    let lab = Lab::new();
    let programs = lab.folder().join("programs");
    gather_programs(&programs);
    let recipe = Recipe::quick(&programs);
    let files = rpm_packages(&recipe, &["1", "2"], &lab.folder().join("rpm"));
    assert_eq!(files.len(), 12, "{files:?}");
    let host = lab.host_with("web-1", &PACKAGING);
    host.receive_files(&files);
    host.ok("userdel cloudid; userdel cloudid-keys; rpm --initdb");
    let before = host.etc();
    let of = |release: &str| {
        format!(
            "/root/packages/cloudid-0*-{release}.*.rpm /root/packages/cloudid-cacher-*-{release}.*.rpm \
             /root/packages/libnss-*-{release}.*.rpm /root/packages/libpam-*-{release}.*.rpm"
        )
    };
    rpm(&host, &format!("-i {}", of("1")));
    rpm(&host, "-V cloudid libnss-cloudid libpam-cloudid");
    for file in [
        "/usr/lib64/libnss_cloudid.so.2",
        "/usr/lib64/security/pam_cloudid.so",
        "/usr/share/authselect/vendor/cloudid/system-auth",
        "/usr/lib/systemd/system/cloudid-cacher.service",
    ] {
        assert!(host.has(file), "{file}");
    }
    let modules = host.ok("stat -c '%U:%G %a' /usr/lib64/security/pam_cloudid.so");
    assert_eq!(modules, "root:root 644");

    host.ok("echo '# mine' >> /etc/cloudid/cloudid.toml");
    rpm(&host, &format!("-U {}", of("2")));
    assert!(host.read("/etc/cloudid/cloudid.toml").ends_with("# mine"));
    assert!(host.ok("rpm -q cloudid-cacher").contains("-2."));

    host.ok("mkdir -p /var/lib/cloudid/bundle && touch /var/lib/cloudid/host.key");
    rpm(
        &host,
        "-e cloudid-cacher libnss-cloudid libpam-cloudid cloudid",
    );
    assert!(!host.has("/var/lib/cloudid"), "nothing secret stays");
    host.ok("rm -rf /etc/cloudid");
    host.etc_is(&before);
}

#[test]
fn erasing_a_host_that_cannot_be_unenrolled_is_refused() {
    let spec = include_str!("../../packaging/rpm/cloudid.spec");
    let scriptlet = spec
        .split("%preun cacher\n")
        .nth(1)
        .and_then(|rest| rest.split("\n\n").next());
    let scriptlet = scriptlet.unwrap_or_default();
    let lab = Lab::new();
    let host = lab.host("web-1");
    host.write("/root/preun", scriptlet);
    host.ok(
        "mkdir /var/lib/cloudid-enroll-backup && touch /var/lib/cloudid-enroll-backup/journal.json",
    );
    host.write_program(
        "/usr/bin/cloudid",
        "#!/bin/sh\necho \"$*\" > /root/asked\nexit 1\n",
    );
    assert!(
        host.run("sh /root/preun 1").succeeded(),
        "an upgrade goes on"
    );
    assert!(!host.has("/root/asked"));
    assert!(
        !host.run("sh /root/preun 0").succeeded(),
        "an erasure does not"
    );
    assert_eq!(host.read("/root/asked"), "unenroll --yes");
}
