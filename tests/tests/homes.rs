//! The helper makes homes as root in places that others may write to: nothing of theirs may lead
//! it elsewhere.

use std::time::Duration;
use system_tests::{PASSWORD, Site};

/// Swaps the home between nothing, a link to a folder of root and a pipe, as fast as it can.
const ATTACKER: &str = "#!/bin/sh
cd /srv/homes || exit 1
end=$(($(date +%s) + 20))
while [ $(date +%s) -lt $end ]; do
    ln -sfn /srv/target alice; rm -f alice
    mkfifo alice 2> /dev/null; rm -f alice
    ln -sfn /etc/cloudid alice; rm -f alice
    mkdir alice 2> /dev/null; ln -sfn /srv/target/x alice/.profile 2> /dev/null
    rm -rf alice 2> /dev/null
done
";

#[test]
fn pam_16_a_home_is_made_where_it_belongs_or_not_at_all() {
    let site = Site::new();
    let web = &site.web;
    web.ok("mkdir -m 700 /srv/target && echo secret > /srv/target/file && echo x > /srv/target/x");
    // a skeleton with links in it, and a home folder that somebody else may write to
    web.ok("ln -s /srv/target/file /etc/skel/link && echo hello > /etc/skel/hello");
    web.ok("mkdir /srv/homes && chown local /srv/homes && mount --bind /srv/homes /home");
    web.write_program("/usr/local/bin/attack", ATTACKER);
    let before = web.ok("find /srv/target /etc/cloudid -printf '%p %u %g %m %T@\\n'");
    web.ok("setpriv --reuid local --regid local --clear-groups attack > /dev/null 2>&1 &");
    for _ in 0..40 {
        let login = web.run("echo | timeout 5 pamtester sshd alice open_session close_session");
        assert_ne!(login.code, 124, "a hostile home holds the login up");
    }
    assert_eq!(
        web.ok("find /srv/target /etc/cloudid -printf '%p %u %g %m %T@\\n'"),
        before
    );
    web.ok("pkill attack; true");
    web.until("! pgrep attack");
    web.ok("umount /home");

    let login = site.alice().run("stat -c %U:%G:%a . ; cat hello");
    let said = login.succeeds();
    assert!(said.starts_with("alice:"), "{said}");
    assert!(said.contains(":700\nhello"), "{said}");
    assert_eq!(web.read("/srv/target/file"), "secret");
}

#[test]
fn a_home_of_somebody_else_is_left_alone() {
    let site = Site::new();
    let web = &site.web;
    web.ok("mkdir -m 750 /home/alice && chown local:local /home/alice");
    let login = site.person("alice", PASSWORD).run("id -un");
    assert!(login.took < Duration::from_secs(5));
    assert_eq!(web.ok("stat -c %U:%G:%a /home/alice"), "local:local:750");
}

#[test]
fn the_flags_that_keep_the_helper_inside_are_used() {
    let site = Site::new();
    let web = &site.web;
    web.ok(
        "strace -f -qq -e trace=openat2,mkdirat,fchown,fchownat -o /tmp/trace \
            -p $(cat /run/lab/helper.pid) > /dev/null 2>&1 &",
    );
    web.until("test -e /tmp/trace");
    site.alice().run("id -un").succeeds();
    let trace = web.read("/tmp/trace");
    assert!(trace.contains("RESOLVE_NO_SYMLINKS"), "{trace}");
    assert!(trace.contains("RESOLVE_BENEATH"), "{trace}");
}
