//! What packages and enrolment leave alone: folders that anybody may write to, and what an
//! administrator wrote.

use system_tests::{HOST_PACKAGES, Host, Installation, Lab, OLD_RELEASE, Packages};

const NAMES: [&str; 4] = [
    "cloudid",
    "cloudid-cacher",
    "libnss-cloudid",
    "libpam-cloudid",
];

/// Runs a command as root and answers the paths in folders for everybody that it, or anything it
/// started, named to the kernel.
#[track_caller]
fn named_in_shared_folders(host: &Host, command: &str) -> String {
    host.ok(&format!(
        "cd / && strace -f -qq -s 4096 -e trace=%file -e signal=none -o /root/trace {command}"
    ));
    host.ok("test $(grep -c execve /root/trace) -ge 1");
    host.ok("grep -hoE '\"(/tmp|/var/tmp|/dev/shm)(/[^\"]*)?\"' /root/trace | sort -u || true")
}

#[test]
fn pkg_08_root_uses_no_folder_that_others_write_to() {
    let scene = Installation::new();
    let host = &scene.host;
    let looked = named_in_shared_folders(host, "/bin/sh -c ': > /tmp/known'");
    assert_eq!(looked, "\"/tmp/known\"", "this test sees what it looks for");

    host.receive(&Packages::of_this_build(), &NAMES);
    let token = scene.directory.new_token("web-1", &["env=dev"]);
    host.write("/root/token", &token);
    let enrol = format!(
        "cloudid enroll {} --token-file /root/token --yes",
        scene.directory.url()
    );
    let again = "dpkg --install /root/packages/*.deb".to_owned();
    for command in [
        again.clone(),
        enrol,
        "cloudid doctor --fix".to_owned(),
        again,
        format!("dpkg --remove {HOST_PACKAGES}"),
        format!("dpkg --purge {HOST_PACKAGES}"),
    ] {
        let looked = named_in_shared_folders(host, &command);
        assert_eq!(looked, "", "{command}");
    }
}

/// What an administrator had written before, and what after the host was enrolled.
const BEFORE: &str = "printf '# ours\\n' >> /etc/nsswitch.conf; \
    printf 'Banner none\\n' > /etc/ssh/sshd_config.d/10-ours.conf; \
    printf '# ours\\n' >> /etc/ssh/sshd_config; \
    sed -i '1i # ours' /etc/pam.d/sshd";
const IN_A_STACK: &str = "sed -i '0,/^auth/s//auth optional pam_faildelay.so delay=1000\\nauth/' \
    /etc/pam.d/common-auth";

#[test]
fn pkg_06_an_administrators_stacks_and_settings_are_not_overwritten() {
    let scene = Installation::new();
    let host = &scene.host;
    host.ok(BEFORE);
    host.install_packages(&Packages::of_this_build());
    let untouched = host.read("/etc/pam.d/common-auth");
    host.ok(IN_A_STACK);
    let before = host.etc();
    let token = scene.directory.new_token("web-1", &["env=dev"]);
    host.write("/root/token", &token);
    let url = scene.directory.url();
    let refused = host.run(&format!(
        "cloudid enroll {url} --token-file /root/token --yes"
    ));
    assert!(!refused.succeeded(), "{refused:?}");
    for told in [
        "edited by hand",
        "/usr/share/pam-configs/cloudid",
        "--no-pam",
    ] {
        assert!(refused.stderr.contains(told), "{told}: {refused:?}");
    }
    host.etc_is(&before);
    scene.local_accounts_work("an edited stack");

    host.write("/etc/pam.d/common-auth", &format!("{untouched}\n"));
    host.ok("hostname web-2");
    scene.enrol();
    host.ok(IN_A_STACK);
    host.install_packages(&Packages::of_a_later_version());
    let stack = host.read("/etc/pam.d/common-auth");
    assert!(stack.contains("pam_faildelay") && stack.contains("pam_cloudid"));
    for file in [
        "/etc/nsswitch.conf",
        "/etc/ssh/sshd_config",
        "/etc/pam.d/sshd",
    ] {
        assert!(host.read(file).contains("# ours"), "{file}");
    }
    scene.alice_logs_in();
    scene.local_accounts_work("edited and upgraded");

    let removed = host.apt(&format!("remove {HOST_PACKAGES}"));
    assert!(removed.succeeded(), "{removed:?}");
    let told = "the edited one is /etc/pam.d/common-auth.before-unenroll";
    assert!(removed.stdout.contains(told), "{removed:?}");
    let edited = host.read("/etc/pam.d/common-auth.before-unenroll");
    assert_eq!(edited, stack);
    assert_eq!(host.read("/etc/pam.d/common-auth"), untouched);
    scene.local_accounts_work("removed");
}

#[test]
fn nss_23_debian_11_refuses_packages_that_need_a_newer_glibc_and_stays_as_it_was() {
    const STATE: &str = "cd /srv/bullseye && find etc usr lib var/lib/dpkg/info -printf '%p %s %T@\\n' \
                         | sort | sha256sum";
    let lab = Lab::new();
    let host = lab.host_with("web-1", &OLD_RELEASE);
    host.receive(&Packages::of_this_build(), &NAMES);
    host.ok(
        "mkdir /srv/bullseye/root/packages && cp /root/packages/* /srv/bullseye/root/packages/",
    );
    let before = host.ok(STATE);
    let refused = host.run(
        "DEBIAN_FRONTEND=noninteractive chroot /srv/bullseye \
         /bin/sh -c 'apt-get -y --no-install-recommends install /root/packages/*.deb'",
    );
    assert!(!refused.succeeded(), "{refused:?}");
    let why = "Depends: libc6 (>= 2.3";
    assert!(refused.stdout.contains(why), "{refused:?}");
    assert_eq!(host.ok(STATE), before, "nothing is changed");
}
