//! `cloudid doctor` on a host that was installed by packages: nothing to complain of at first, every
//! planted fault found by its name, and what is ours mended.

use std::time::Duration;
use system_tests::{Host, Installation, eventually};

/// Check, commands that plant a fault it must find, commands that take it away.
type Fault = (&'static str, &'static str, &'static str);

const NSS: &str = "/usr/lib/x86_64-linux-gnu/libnss_cloudid.so.2";

/// The site's to mend, or not safe to mend unasked. Those of one round do not hide each other.
const EXPLAINED: [&[Fault]; 3] = [
    &[
        ("nss-module", "mv $NSS /root/nss", "mv /root/nss $NSS"),
        (
            "programs",
            "chmod 777 /usr/libexec/cloudid/cloudid-authorized-keys",
            "chmod 755 /usr/libexec/cloudid/cloudid-authorized-keys",
        ),
        (
            "settings",
            "echo 'nonsense = 1' > /etc/cloudid/conf.d/99-x.toml",
            "rm /etc/cloudid/conf.d/99-x.toml",
        ),
        (
            "nsswitch-shadow",
            "sed -i '/^shadow/s/files/files cloudid/' /etc/nsswitch.conf",
            "sed -i '/^shadow/s/files cloudid/files/' /etc/nsswitch.conf",
        ),
        (
            "pam-lockout",
            "cp -p $AUTH /root/auth && sed -i '/pam_cloudid/s/default=ignore/default=die/' $AUTH",
            "cp -p /root/auth $AUTH",
        ),
        (
            "sshd-test",
            "echo 'Nonsense yes' > /etc/ssh/sshd_config.d/99-x.conf",
            "rm /etc/ssh/sshd_config.d/99-x.conf",
        ),
        (
            "sudoers",
            "echo 'this is no rule' > /etc/sudoers.d/broken",
            "rm /etc/sudoers.d/broken",
        ),
        (
            "id-overlap",
            "echo 'old:x:70042:100::/:/bin/false' >> /etc/passwd",
            "sed -i '/^old:/d' /etc/passwd",
        ),
        (
            "login-defs",
            "cp -p /etc/login.defs /root/login.defs && \
         sed -i 's/^UID_MAX.*/UID_MAX 80000/' /etc/login.defs",
            "cp -p /root/login.defs /etc/login.defs",
        ),
    ],
    &[
        (
            "pam-module",
            "cp -p $PAM /root/pam && : > $PAM",
            "cp -p /root/pam $PAM",
        ),
        (
            "nsswitch-order",
            "sed -i 's/files cloudid/cloudid files/' /etc/nsswitch.conf",
            "sed -i 's/cloudid files/files cloudid/' /etc/nsswitch.conf",
        ),
        (
            "pam-order",
            "cp -p $AUTH /root/auth && sed -i '/pam_cloudid/{h;d};/pam_unix/G' $AUTH",
            "cp -p /root/auth $AUTH",
        ),
        (
            "pam-services",
            "cp -p /etc/pam.d/su /root/su && sed -i '/common-account/d' /etc/pam.d/su",
            "cp -p /root/su /etc/pam.d/su",
        ),
        (
            "sshd-directory-user",
            "printf 'Match Group cloudid-users\\nAuthorizedKeysFile .ssh/x\\nMatch all\\n' \
         > /etc/ssh/sshd_config.d/10-x.conf",
            "rm /etc/ssh/sshd_config.d/10-x.conf",
        ),
        (
            "name-clashes",
            "echo 'alice:x:1500:100::/:/bin/false' >> /etc/passwd",
            "sed -i '/^alice:/d' /etc/passwd",
        ),
        (
            "nscd",
            "printf '[Service]\\nExecStart=/bin/sleep 1000\\n' > /run/systemd/system/nscd.service && \
         systemctl daemon-reload && systemctl start nscd",
            "systemctl stop nscd && rm /run/systemd/system/nscd.service && systemctl daemon-reload",
        ),
    ],
    &[(
        "sshd-root",
        "printf 'AuthorizedKeysCommand /usr/libexec/cloudid/cloudid-authorized-keys %%u\\n\
         AuthorizedKeysCommandUser cloudid-keys\\n' > /etc/ssh/sshd_config.d/10-x.conf",
        "rm /etc/ssh/sshd_config.d/10-x.conf",
    )],
];

/// Ours: `--fix` mends them. All are planted at once.
const MENDED: [(&str, &str); 13] = [
    ("settings-folder", "chmod 777 /etc/cloudid/conf.d"),
    ("directory-certificate", "chmod 600 /etc/cloudid/ca.pem"),
    ("state-folder", "chmod 777 /var/lib/cloudid"),
    ("secrets", "chmod 644 /var/lib/cloudid/host.key"),
    ("token-left", "touch /var/lib/cloudid/enrollment.token"),
    ("nsswitch", "sed -i 's/ cloudid//' /etc/nsswitch.conf"),
    ("pam-stacks", "pam-auth-update --disable cloudid"),
    ("sshd-drop-in", "rm /etc/ssh/sshd_config.d/20-cloudid.conf"),
    ("at-boot", "systemctl disable cloudid-helper.socket"),
    ("helper-socket", "chmod 666 /run/cloudid/helper.sock"),
    ("sockets", "chmod 600 /run/cloudid/pam.sock"),
    ("run-folder", "chmod 777 /run/cloudid"),
    (
        "user-database-link",
        "rm /run/systemd/userdb/io.cloudid.UserDatabase",
    ),
];

/// What doctor says that is not `ok`: a line for each, `state check`.
#[track_caller]
fn complaints(host: &Host, options: &str) -> Vec<String> {
    let told = host.run(&format!("cloudid doctor {options} -o csv"));
    assert!(told.stdout.contains("settings-folder"), "{told:?}");
    told.stdout
        .lines()
        .filter(|line| line.starts_with("fail,") || line.starts_with("warn,"))
        .filter(|line| !line.contains(",time-synchronised,"))
        .map(|line| line.replace(',', " "))
        .collect()
}

#[track_caller]
fn plant(host: &Host, commands: &str) {
    host.ok(&format!(
        "NSS={NSS} PAM=/usr/lib/x86_64-linux-gnu/security/pam_cloudid.so \
         AUTH=/etc/pam.d/common-auth; {commands}"
    ));
}

/// Waits until there is nothing to complain of: a cacher that has just started is not online yet.
#[track_caller]
fn all_is_well(host: &Host) {
    let well = eventually(Duration::from_secs(30), || complaints(host, "").is_empty());
    assert!(well, "{:#?}", complaints(host, ""));
}

fn names(complaints: &[String], check: &str) -> bool {
    let second = |line: &String| line.split(' ').nth(1) == Some(check);
    complaints.iter().any(second)
}

#[test]
fn doctor_finds_more_than_thirty_planted_faults_by_name_and_mends_what_is_ours() {
    let scene = Installation::enrolled();
    let host = &scene.host;
    all_is_well(host);
    for round in EXPLAINED {
        for (_, commands, _) in round {
            plant(host, commands);
        }
        let found = complaints(host, "");
        for (check, _, _) in round {
            assert!(names(&found, check), "{check} was planted: {found:#?}");
        }
        for (_, _, undo) in round {
            plant(host, undo);
        }
    }
    all_is_well(host);

    for (_, commands) in MENDED {
        plant(host, commands);
    }
    let found = complaints(host, "");
    for (check, _) in MENDED {
        assert!(
            names(&found, check),
            "{check} was planted, told: {found:#?}"
        );
    }
    let _mended = host.run("cloudid doctor --fix");
    all_is_well(host);
    scene.alice_logs_in();
    scene.local_accounts_work("mended");

    host.ok("systemctl stop cloudid-cacher cloudid-lookups");
    let found = complaints(host, "");
    for check in ["cacher", "cacher-unit", "lookups-unit"] {
        assert!(names(&found, check), "{check}: {found:#?}");
    }
    let mended = host.run("cloudid doctor --fix; cloudid doctor --json");
    assert!(
        mended.stdout.contains("\"check\": \"cacher\""),
        "{mended:?}"
    );
    all_is_well(host);

    host.ok("printf '[offline]\\nhorizon = \"7h\"\\n' > /etc/cloudid/conf.d/99-x.toml");
    all_is_well(host);
    scene.directory.kill();
    host.until("cloudid doctor | grep -q '^warn.directory'");
    let found = complaints(host, "");
    assert!(names(&found, "codes-left"), "{found:#?}");
}

#[test]
fn doctor_says_that_a_machine_is_no_host() {
    let scene = Installation::new();
    let packages = system_tests::Packages::of_this_build();
    scene.host.install_packages(&packages);
    let told = scene.host.run("cloudid doctor");
    assert_eq!(told.code, 5, "{told:?}");
    assert!(told.stderr.contains("not enrolled"), "{told:?}");
}
