//! Enrolments that go wrong late, or are cut short, or are followed by edits of an administrator:
//! the host is never left half-way, and never loses what is not ours.

use system_tests::{Directory, Host, Lab, Outcome};

/// Everything enrolment may touch, with owner, mode and content.
fn fingerprint(host: &Host) -> String {
    host.ok("find /etc /var/lib/pam -type f ! -path '/etc/cloudid/*' \
         -printf '%p %u:%g %m ' -exec sha256sum {} \\; | sort; \
         find /etc/cloudid /var/lib/cloudid | sort")
}

struct Scene {
    host: Host,
    directory: Directory,
    before: String,
    _lab: Lab,
}

impl Scene {
    fn new() -> Self {
        let lab = Lab::new();
        let directory = lab.directory();
        directory.add_group_with_access("web", "env=dev");
        directory.add_person("alice", system_tests::PASSWORD, &["web"]);
        let host = lab.host("web-1");
        host.install();
        let before = fingerprint(&host);
        Self {
            host,
            directory,
            before,
            _lab: lab,
        }
    }

    /// Enrols by a fresh token and under a fresh name.
    fn enrol(&self, name: &str) -> Outcome {
        self.enrol_with(name, "--yes")
    }

    fn enrol_with(&self, name: &str, options: &str) -> Outcome {
        let token = self.directory.new_token(name, &["env=dev"]);
        self.host.write("/root/token", &token);
        let url = self.directory.url();
        self.host.run(&format!(
            "cloudid enroll {url} --token-file /root/token --name {name} {options}"
        ))
    }

    /// Somebody types it, and answers the question whether logins work.
    fn enrol_at_a_terminal(&self, name: &str, logins_work: &str) -> Outcome {
        let token = self.directory.new_token(name, &["env=dev"]);
        self.host.write("/root/token", &token);
        let url = self.directory.url();
        let mut terminal = self.host.terminal(&format!(
            "cloudid enroll {url} --token-file /root/token --name {name}"
        ));
        terminal.expect("enrol this host").answer("y");
        terminal.expect("Do both logins work");
        terminal.answer(logins_work);
        terminal.finish()
    }

    #[track_caller]
    fn is_as_before(&self, what: &str) {
        let now = fingerprint(&self.host);
        let differing: Vec<&str> = now
            .lines()
            .filter(|line| !self.before.contains(line))
            .collect();
        assert_eq!(differing, Vec::<&str>::new(), "{what}");
        assert_eq!(now, self.before, "{what}");
    }
}

#[test]
fn pkg_02_an_enrolment_that_fails_late_is_taken_back_byte_for_byte() {
    let scene = Scene::new();
    let host = &scene.host;
    let nss = "/lib/x86_64-linux-gnu/libnss_cloudid.so.2";
    let include = "/etc/ssh/sshd_config";
    let breakages = [
        (
            "directory users cannot be looked up",
            format!("mv {nss} {nss}.away"),
            format!("mv {nss}.away {nss}"),
        ),
        (
            "pam-auth-update could not enable the profiles",
            "dpkg-divert --quiet --rename --add /usr/sbin/pam-auth-update && \
             printf '#!/bin/sh\\nexit 1\\n' > /usr/sbin/pam-auth-update && \
             chmod 755 /usr/sbin/pam-auth-update"
                .to_owned(),
            "rm /usr/sbin/pam-auth-update && \
             dpkg-divert --quiet --rename --remove /usr/sbin/pam-auth-update"
                .to_owned(),
        ),
        (
            "sshd does not apply the drop-in to alice",
            format!("cp -p {include} /root/sshd && sed -i '/^Include/d' {include}"),
            format!("cp -p /root/sshd {include}"),
        ),
    ];
    for (number, (what, break_it, mend)) in breakages.iter().enumerate() {
        host.ok(break_it);
        let failed = scene.enrol(&format!("web-{number}"));
        assert_eq!(failed.code, 1, "{what}: {failed:?}");
        for told in [what, &"Everything is as it was"] {
            assert!(failed.stderr.contains(told), "{told}: {failed:?}");
        }
        host.ok(mend);
        scene.is_as_before(what);
    }
    let enrolled = scene.enrol("web-9");
    assert!(enrolled.succeeded(), "{enrolled:?}");
    host.until("id alice");
}

#[test]
fn an_enrolment_at_a_terminal_stays_only_when_somebody_says_that_logins_work() {
    let scene = Scene::new();
    let taken_back = scene.enrol_at_a_terminal("web-1", "n");
    assert_eq!(taken_back.code, 1, "{taken_back:?}");
    scene.is_as_before("not confirmed");
    let kept = scene.enrol_at_a_terminal("web-2", "y");
    assert!(kept.succeeded(), "{kept:?}");
    scene.host.until("id alice");
}

#[test]
fn an_enrolment_killed_half_way_is_taken_back_by_the_next_one() {
    let scene = Scene::new();
    let host = &scene.host;
    host.ok(
        "dpkg-divert --quiet --rename --add /usr/sbin/pam-auth-update && \
         printf '#!/bin/sh\\nkill -KILL $PPID\\nexit 1\\n' > /usr/sbin/pam-auth-update && \
         chmod 755 /usr/sbin/pam-auth-update",
    );
    assert!(!scene.enrol("web-1").succeeded());
    assert!(host.read("/etc/nsswitch.conf").contains("cloudid"));
    host.ok("rm /usr/sbin/pam-auth-update && \
         dpkg-divert --quiet --rename --remove /usr/sbin/pam-auth-update");

    let second = scene.enrol("web-2");
    assert!(second.succeeded(), "{second:?}");
    assert!(second.stderr.contains("interrupted"), "{second:?}");
    host.until("id alice");
    host.ok("cloudid unenroll --yes");
    scene.is_as_before("after an interrupted and a whole enrolment");
}

#[test]
fn pkg_06_what_an_administrator_edits_meanwhile_is_kept() {
    let scene = Scene::new();
    let host = &scene.host;
    host.ok("printf '# ours\\n' >> /etc/nsswitch.conf");
    assert!(scene.enrol("web-1").succeeded());
    host.ok("sed -i 's/^shadow:.*/shadow: files # edited/' /etc/nsswitch.conf");
    host.ok("cloudid unenroll --yes");
    let left = host.read("/etc/nsswitch.conf");
    assert!(
        left.contains("shadow: files # edited") && left.contains("# ours"),
        "{left}"
    );
    assert!(!left.contains("cloudid"), "{left}");
}

#[test]
fn pkg_06_local_accounts_with_ids_of_the_directory_are_told_and_kept() {
    let scene = Scene::new();
    let host = &scene.host;
    host.ok("useradd --uid 70000 --no-create-home old");
    let refused = scene.enrol_with("web-1", "");
    assert_eq!(refused.code, 4, "{refused:?}");
    assert!(
        refused.stderr.contains("user old has id 70000"),
        "{refused:?}"
    );
    let enrolled = scene.enrol("web-2");
    assert!(enrolled.succeeded(), "{enrolled:?}");
    assert!(host.ok("id -un 70000").contains("old"));
}

#[test]
fn pkg_09_the_token_is_seen_by_nobody_else() {
    let scene = Scene::new();
    let host = &scene.host;
    let token = scene.directory.new_token("web-1", &["env=dev"]);
    host.write("/root/token", &token);
    // what every local user could see, looked at from the moment that the cacher is asked
    host.write_program(
        "/root/watch",
        "#!/bin/sh\nwhile [ ! -e /root/done ]; do cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; done \
         2> /dev/null > /root/seen\n",
    );
    let url = scene.directory.url();
    let enrolled = host.run(&format!(
        "/root/watch & cloudid enroll {url} --token-file - --yes < /root/token; code=$?; \
         touch /root/done; wait; exit $code"
    ));
    assert!(enrolled.succeeded(), "{enrolled:?}");
    let secret = token
        .trim()
        .split('.')
        .nth(2)
        .unwrap_or_default()
        .to_owned();
    assert!(secret.len() > 20);
    assert!(
        !host
            .run(&format!("grep -a -q -e '{secret}' /root/seen"))
            .succeeded()
    );
    assert!(host.run("grep -a -q cloudid-cacher /root/seen").succeeded());
    let left = host.run(&format!("grep -r -l -e '{secret}' /etc /var /run /tmp"));
    assert_eq!(left.stdout, "");
}
