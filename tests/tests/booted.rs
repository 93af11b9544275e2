//! Hosts that boot as servers do: systemd, the units of the package, early boot, no network. What
//! must hold is the same as on any other host, from the first moment on.

use std::time::Duration;
use system_tests::{
    Host, LOCAL_PASSWORD, LOCAL_USER, PASSWORD, ROOT_PASSWORD, Service, Site, Stopwatch,
    eventually, say,
};

fn root_and_local_log_in(host: &Host) {
    let mut login = host.terminal("login");
    login.expect("login: ").answer("root");
    login.expect("Password: ").answer(ROOT_PASSWORD);
    login.expect("# ").answer("id -un; exit");
    assert!(login.finish().text().contains("root"));
    let local = host.pam(
        "login",
        LOCAL_USER,
        LOCAL_PASSWORD,
        "authenticate acct_mgmt",
    );
    assert!(local.succeeded(), "{local:?}");
}

/// Waits until systemd has started everything; answers its verdict.
fn booted(host: &Host) -> String {
    host.run("systemctl is-system-running --wait").stdout
}

#[test]
fn nss_20_a_unit_and_a_job_of_alice_start_at_boot_with_the_network_down() {
    let site = Site::booted();
    let web = &site.web;
    site.alice().run("id -un").succeeds();
    web.add_early_unit_of("alice");
    web.ok("echo '@reboot id -un > /tmp/cron-of-alice' | crontab -u alice -");
    web.ok("loginctl enable-linger alice");
    let known = web.ok("id alice");
    site.directory.kill();
    web.cut_network();
    web.reboot();
    booted(web);
    assert_eq!(web.read("/run/early/name"), "alice", "a unit at early boot");
    assert_eq!(web.ok("systemctl is-active early.service"), "active");
    assert_eq!(web.ok("id alice"), known);
    web.until("test -s /tmp/cron-of-alice");
    assert_eq!(web.read("/tmp/cron-of-alice"), "alice");
    web.until("loginctl list-users --no-legend | grep -w alice");
    web.until("systemctl is-active user@$(id -u alice).service");
    assert_eq!(web.ok("su - alice -c 'id -un'"), "alice");
    root_and_local_log_in(web);
    web.restore_network();
    assert_eq!(site.alice().run("id -un").succeeds(), "alice");
    let by_password = site.person("alice", PASSWORD);
    let session = by_password.run("loginctl show-user alice --property=Name");
    assert_eq!(session.succeeds(), "Name=alice");
    say(&web.ok("systemd-analyze blame --no-pager | head -8"));
    say(&web.ok("systemd-analyze critical-chain --no-pager"));
}

#[test]
fn nss_20_people_are_known_at_boot_without_the_cacher() {
    let site = Site::booted();
    let web = &site.web;
    web.add_early_unit_of("alice");
    let usual = boot_time(web);
    web.ok("systemctl mask cloudid-cacher.service");
    site.directory.kill();
    web.cut_network();
    web.reboot();
    booted(web);
    assert_eq!(web.read("/run/early/name"), "alice");
    assert!(web.run("id alice").succeeded());
    assert!(!web.runs(Service::Cacher));
    root_and_local_log_in(web);
    assert!(!web.pam("login", "alice", PASSWORD, "acct_mgmt").succeeded());
    let without = boot_time(web);
    assert!(
        without < usual + Duration::from_secs(2),
        "{without:?}, not {usual:?}"
    );
}

/// From the start of process 1 to the last unit.
fn boot_time(host: &Host) -> Duration {
    host.run("systemctl is-system-running --wait");
    let finished = host.number("systemctl show --property=FinishTimestampMonotonic --value");
    let began = host.number("systemctl show --property=UserspaceTimestampMonotonic --value");
    Duration::from_micros(finished.saturating_sub(began))
}

#[test]
fn nss_20_a_host_boots_without_the_state_of_cloudid() {
    let site = Site::booted();
    let web = &site.web;
    let usual = boot_time(web);
    let known = web.ok("id alice");
    web.ok("cp /etc/fstab /root/fstab");
    web.ok("echo 'tmpfs /var/lib/cloudid tmpfs ro 0 0' >> /etc/fstab");
    web.reboot();
    let without = boot_time(web);
    assert!(
        without < usual + Duration::from_secs(2),
        "{without:?}, not {usual:?}"
    );
    assert!(!web.has("/var/lib/cloudid/identity.json") && !web.has("/run/cloudid/identity.map"));
    root_and_local_log_in(web);
    assert!(!web.run("timeout 2 getent passwd alice").succeeded());

    web.ok("cp /root/fstab /etc/fstab");
    web.ok("echo '/var/lib/cloudid /var/lib/cloudid none bind,ro 0 0' >> /etc/fstab");
    web.add_early_unit_of("alice");
    web.reboot();
    let read_only = boot_time(web);
    assert!(
        read_only < usual + Duration::from_secs(2),
        "{read_only:?}, not {usual:?}"
    );
    assert!(
        !web.run("touch /var/lib/cloudid/x").succeeded(),
        "read-only"
    );
    assert_eq!(web.read("/run/early/name"), "alice");
    assert_eq!(web.ok("id alice"), known);
    root_and_local_log_in(web);
}

#[test]
fn nss_20_a_cacher_that_hangs_at_its_start_holds_the_boot_up_for_seconds_only() {
    const HANGS: &str = "[Service]\nExecStart=\nExecStart=/bin/sleep 1000\nTimeoutStartSec=2\n";
    let site = Site::booted();
    let web = &site.web;
    assert!(
        web.read("/usr/lib/systemd/system/cloudid-cacher.service")
            .contains("TimeoutStartSec=10")
    );
    web.write(
        "/etc/systemd/system/cloudid-cacher.service.d/hangs.conf",
        HANGS,
    );
    web.reboot();
    web.until("systemctl is-active systemd-user-sessions.service cron.service");
    let reached = |unit: &str| {
        let shown = "systemctl show --property=ActiveEnterTimestampMonotonic --value";
        web.number(&format!("{shown} {unit}"))
    };
    let waited = reached("cron.service").saturating_sub(reached("basic.target"));
    assert!(waited < 5_000_000, "{waited} microseconds");
    assert!(web.run("id alice").succeeded());
    root_and_local_log_in(web);
}

#[test]
fn syn_24_systemd_keeps_one_cacher_whatever_else_is_started() {
    let site = Site::booted();
    let web = &site.web;
    let answers = || web.pam("sshd", "alice", PASSWORD, "acct_mgmt").succeeded();
    assert!(answers());
    let second = web.run(
        "timeout 5 setpriv --reuid cloudid --regid cloudid --init-groups --inh-caps=-all \
         /usr/libexec/cloudid/cloudid-cacher",
    );
    assert!(
        !second.succeeded() && second.code != 124,
        "a second one gives way: {second:?}"
    );
    assert!(answers());

    web.ok("touch /run/cloudid/stale.sock; systemctl stop cloudid-helper.socket");
    web.kill(Service::Cacher);
    web.ok(
        "for n in 1 2 3 4; do systemctl restart cloudid-cacher.service & done; \
            systemctl start cloudid-helper.socket; wait",
    );
    assert!(
        eventually(Duration::from_secs(5), answers),
        "after four at once"
    );
    for _ in 0..5 {
        web.kill(Service::Cacher);
        let known = web.run("timeout 1 getent passwd alice");
        assert!(known.succeeded(), "known in a restart storm: {known:?}");
    }
    let watch = Stopwatch::start();
    assert!(
        eventually(Duration::from_secs(10), answers),
        "after a restart storm"
    );
    say(&format!("answers again after {:?}", watch.elapsed()));
    assert_eq!(
        web.ok("pgrep --count --full --exact /usr/libexec/cloudid/cloudid-cacher"),
        "1"
    );
}

#[test]
fn pkg_12_a_cacher_that_hangs_is_started_anew_and_logins_go_on() {
    let site = Site::booted();
    let web = &site.web;
    site.alice().run("id -un").succeeds();
    let process = || web.run(&format!("echo {}", web.process_of(Service::Cacher)));
    let before = process().text();
    web.hang(Service::Cacher);
    assert!(web.run("timeout 1 getent passwd alice").succeeded());
    root_and_local_log_in(web);
    let watch = Stopwatch::start();
    let answers = || web.pam("sshd", "alice", PASSWORD, "acct_mgmt").succeeded();
    assert!(eventually(Duration::from_secs(40), answers), "up again");
    say(&format!("answers again after {:?}", watch.elapsed()));
    assert_ne!(process().text(), before);
    assert!(web.log(Service::Cacher).contains("Watchdog timeout"));
    site.alice().run("id -un").succeeds();
    site.person("alice", PASSWORD).run("id -un").succeeds();
}
