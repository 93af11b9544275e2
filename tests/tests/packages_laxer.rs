//! A host on which an earlier, laxer version has left wide modes and a setting that is no longer there:
//! the upgrade says so, and neither it nor the next boot locks anybody out.

use std::path::Path;
use system_tests::{Installation, Packages, Service};

const NAMES: [&str; 4] = [
    "cloudid",
    "cloudid-cacher",
    "libnss-cloudid",
    "libpam-cloudid",
];

/// Check of doctor, commands that leave what it complains of.
const LEFT: [(&str, &str); 3] = [
    (
        "settings-folder",
        "chmod 777 /etc/cloudid /etc/cloudid/conf.d && chgrp users /etc/cloudid/cloudid.toml && \
         chmod 664 /etc/cloudid/cloudid.toml && chown cloudid /etc/cloudid/ca.pem",
    ),
    (
        "secrets",
        "cd /var/lib/cloudid && chmod 644 host.key && chmod 640 sealing.key && chmod 755 bundle events",
    ),
    (
        "settings",
        "printf '[pam]\\nremember_for = \"1h\"\\n' > /etc/cloudid/conf.d/50-before.toml",
    ),
];

/// The upgrade puts these right without a word: nobody believes a map or a socket that others could
/// have put there.
const PUT_RIGHT: &str = "chmod 777 /var/lib/cloudid /run/cloudid && \
    chmod 666 /var/lib/cloudid/identity.map /run/cloudid/identity.map";

/// alice by password and by key and not by a wrong password; root and a local user.
fn everybody_gets_in(scene: &Installation, key: &Path, when: &str) {
    scene.alice_logs_in();
    let alice = scene.laptop.ssh(&scene.host).user("alice");
    assert_eq!(
        alice.clone().key(key).run("id -un").succeeds(),
        "alice",
        "{when}"
    );
    alice.password("wrong").run("id -un").is_refused();
    scene.local_accounts_work(when);
    let listed = scene.host.ok("getent passwd | grep -c ^alice:");
    assert_eq!(listed, "1", "{when}: a setting of before is in force");
}

#[test]
fn upg_06_what_was_let_pass_before_is_told_at_an_upgrade_and_locks_nobody_out() {
    let scene = Installation::enrolled();
    let host = &scene.host;
    let key = scene.laptop.new_key("alice-key");
    scene.directory.add_key("alice", &key);
    host.write(
        "/etc/cloudid/conf.d/40-ours.toml",
        "[nss]\nenumerate = true\n",
    );
    host.ok("systemctl reload cloudid-cacher");
    host.until("getent passwd | grep -q ^alice:");
    everybody_gets_in(&scene, &key, "before");

    for (_, commands) in LEFT {
        host.ok(commands);
    }
    host.receive(&Packages::of_a_later_version(), &NAMES);
    host.ok(PUT_RIGHT);
    let upgraded = host.apt("install /root/packages/*.deb");
    assert!(upgraded.succeeded(), "{upgraded:?}");
    for (check, _) in LEFT {
        let told = format!("cloudid doctor: {check}: ");
        assert!(upgraded.stdout.contains(&told), "{check}: {upgraded:?}");
    }
    assert!(upgraded.stdout.contains("pam.remember_for"), "{upgraded:?}");
    everybody_gets_in(&scene, &key, "upgraded");

    scene.directory.kill();
    host.reboot();
    everybody_gets_in(&scene, &key, "booted without the directory");
    let journal = host.log(Service::Cacher);
    assert!(journal.contains("no setting pam.remember_for"), "{journal}");

    host.ok("rm /etc/cloudid/conf.d/50-before.toml");
    let mended = host.run("cloudid doctor --fix");
    assert!(mended.succeeded(), "{mended:?}");
    host.ok("systemctl restart cloudid-cacher");
    everybody_gets_in(&scene, &key, "mended");
    let modes =
        host.ok("stat -c %a /etc/cloudid /var/lib/cloudid /run/cloudid /var/lib/cloudid/host.key");
    assert_eq!(modes, "755\n755\n755\n600");
}
