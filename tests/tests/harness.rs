//! The harness itself, before any cloudid: what a local account can do on a throw-away host, and
//! that each fault has its effect.

use std::time::Duration;
use system_tests::{
    Client, Disk, LOCAL_PASSWORD, LOCAL_USER, Lab, ROOT_PASSWORD, Service, eventually,
};

#[test]
fn a_local_user_logs_in_by_password_and_by_key() {
    let lab = Lab::new();
    let host = lab.host("web-1");
    let laptop = lab.client();

    let by_password = laptop
        .ssh(&host)
        .user(LOCAL_USER)
        .password(LOCAL_PASSWORD)
        .run("id -un");
    assert_eq!(by_password.succeeds(), LOCAL_USER);
    laptop
        .ssh(&host)
        .user(LOCAL_USER)
        .password("wrong")
        .run("id -un")
        .is_refused();

    let key = laptop.new_key("key");
    laptop
        .ssh(&host)
        .user(LOCAL_USER)
        .key(&key)
        .run("id -un")
        .is_refused();
    host.write(
        "/home/local/.ssh/authorized_keys",
        &Client::public_key(&key),
    );
    let by_key = laptop.ssh(&host).user(LOCAL_USER).key(&key);
    assert_eq!(by_key.run("id -un").succeeds(), LOCAL_USER);

    let file = laptop.home().join("key.pub");
    by_key.copy_to(&file, "copied").succeeds();
    by_key
        .sftp("get copied /dev/null\nput /etc/hostname over-sftp\n")
        .succeeds();
    assert!(host.has("/home/local/over-sftp"));
    assert!(host.has("/home/local/copied"));
}

#[test]
fn su_sudo_and_login_ask_for_passwords_on_a_terminal() {
    let lab = Lab::new();
    let host = lab.host("web-1");

    let mut su = host.terminal_of(LOCAL_USER, "su -c whoami");
    su.expect("(?i)password: ").answer(ROOT_PASSWORD);
    assert_eq!(su.finish().text(), "root");

    let mut sudo = host.terminal_of(LOCAL_USER, "sudo whoami");
    sudo.expect("(?i)password.*: ").answer(LOCAL_PASSWORD);
    assert_eq!(sudo.finish().text(), "root");

    let mut login = host.terminal("login");
    login.expect("login: ").answer(LOCAL_USER);
    login.expect("Password: ").answer(LOCAL_PASSWORD);
    login.expect(r"\$ ").answer("tty; exit");
    assert!(login.finish().text().contains("/dev/pts/"));
}

#[test]
fn cron_runs_a_job_of_a_local_user() {
    let lab = Lab::new();
    let host = lab.host("web-1");
    host.ok("echo '* * * * * id -un > /tmp/ran' | crontab -u local -");
    assert!(eventually(Duration::from_secs(65), || host.has("/tmp/ran")));
    assert_eq!(host.read("/tmp/ran"), LOCAL_USER);
}

#[test]
fn a_network_is_cut_and_restored() {
    let lab = Lab::new();
    let (host, laptop) = (lab.host("web-1"), lab.client());
    assert!(laptop.reaches(&host));
    host.cut_network();
    assert!(!laptop.reaches(&host));
    host.restore_network();
    assert!(eventually(Duration::from_secs(5), || laptop.reaches(&host)));
}

#[test]
fn packets_are_dropped_and_connections_refused() {
    let lab = Lab::new();
    let (near, far) = (lab.host("near"), lab.host("far"));
    let look = format!("timeout 2 bash -c 'echo > /dev/tcp/{}/22'", far.address());
    assert!(near.run(&look).succeeded());
    near.drop_packets_to_port(22);
    assert_eq!(near.run(&look).code, 124, "no answer at all");
    near.refuse_connections_to_port(22);
    assert!(near.run(&look).stderr.contains("refused"));
    near.restore_network();
    assert!(near.run(&look).succeeded());
}

#[test]
fn a_reboot_keeps_the_disk_and_throws_run_away() {
    let lab = Lab::new();
    let host = lab.host("web-1");
    host.ok("echo kept > /var/lib/kept; echo lost > /run/lost");
    host.reboot();
    assert_eq!(host.read("/var/lib/kept"), "kept");
    assert!(!host.has("/run/lost"));
    host.cut_power();
    host.switch_on();
    assert_eq!(host.read("/var/lib/kept"), "kept");
}

#[test]
fn a_service_is_stopped_killed_hung_and_crashed() {
    let lab = Lab::new();
    let (host, laptop) = (lab.host("web-1"), lab.client());
    let limit = Duration::from_secs(5);
    host.kill(Service::Sshd);
    assert!(
        eventually(limit, || laptop.reaches(&host)),
        "started again after a kill"
    );
    host.hang(Service::Sshd);
    assert!(!laptop.reaches(&host), "hung");
    host.unhang(Service::Sshd);
    assert!(laptop.reaches(&host));
    host.stop(Service::Sshd);
    assert!(!laptop.reaches(&host), "stopped");
    host.start(Service::Sshd);
    assert!(eventually(limit, || laptop.reaches(&host)));
    host.crash_again_and_again(Service::Sshd);
    let mut processes = Vec::new();
    let crashed_three_times = eventually(limit, || {
        let id = host.run("cat /run/lab/sshd.pid").stdout;
        if !id.is_empty() && !processes.contains(&id) {
            processes.push(id);
        }
        processes.len() > 3
    });
    assert!(crashed_three_times);
}

#[test]
fn a_disk_is_full_or_out_of_inodes() {
    let lab = Lab::new();
    let host = lab.host_switched_off(
        "web-1",
        Disk::Small {
            megabytes: 24,
            inodes: 400,
        },
    );
    host.switch_on();
    host.fill_disk();
    let full = host.run("cp /usr/bin/dash /var/x");
    assert!(full.stderr.contains("No space left"), "{full:?}");
    host.free_disk();
    host.use_up_inodes();
    let no_more_files = host.run(": > /var/y");
    assert!(
        no_more_files.stderr.contains("No space left"),
        "{no_more_files:?}"
    );
    host.free_disk();
    host.ok("echo x > /var/x");
    host.reboot();
    assert_eq!(host.read("/var/x"), "x");
}

#[test]
fn a_clock_is_shifted_for_setuid_programs_too() {
    let lab = Lab::new();
    let host = lab.host("web-1");
    host.shift_clock("-10y");
    assert_ne!(host.ok("date +%Y"), this_year());
    assert_ne!(host.ok("su - local -c 'date +%Y'"), this_year());
    host.real_clock();
    assert_eq!(host.ok("date +%Y"), this_year());
}

fn this_year() -> String {
    let lab_free = std::process::Command::new("date").arg("+%Y").output();
    lab_free
        .map(|year| String::from_utf8_lossy(&year.stdout).trim().to_owned())
        .unwrap_or_default()
}

#[test]
fn two_labs_exist_at_once_with_the_same_addresses() {
    let (one, two) = (Lab::new(), Lab::new());
    let (here, there) = (one.host("web-1"), two.host("web-1"));
    assert_eq!(here.address(), there.address());
    there.cut_network();
    assert!(one.client().reaches(&here));
    assert!(!two.client().reaches(&there));
}
