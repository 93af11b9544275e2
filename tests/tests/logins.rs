//! Every door of a host, by real programs: ssh in its three ways, scp, sftp, su, login, sudo, cron
//! and passwd.

use std::time::Duration;
use system_tests::{
    Client, LOCAL_PASSWORD, LOCAL_USER, PASSWORD, ROOT_PASSWORD, Service, Site, eventually,
};

#[test]
fn alice_logs_in_by_ssh_in_every_way() {
    let site = Site::new();
    assert_eq!(
        site.alice().run("id -un; pwd").succeeds(),
        "alice\n/home/alice"
    );
    let by_password = site.person("alice", PASSWORD);
    assert_eq!(by_password.run("id -un").succeeds(), "alice");
    let interactive = site
        .laptop
        .ssh(&site.web)
        .user("alice")
        .keyboard_interactive(PASSWORD);
    assert_eq!(interactive.run("id -un").succeeds(), "alice");

    site.person("alice", "wrong").run("id -un").is_refused();
    let wrong = site
        .laptop
        .ssh(&site.web)
        .user("alice")
        .keyboard_interactive("wrong");
    wrong.run("id -un").is_refused();
    let other_key = site.laptop.new_key("other");
    site.laptop
        .ssh(&site.web)
        .user("alice")
        .key(&other_key)
        .run("id -un")
        .is_refused();
}

#[test]
fn alice_copies_files_with_scp_and_sftp() {
    let site = Site::new();
    let file = site.laptop.home().join("alice-key.pub");
    site.alice().copy_to(&file, "copied").succeeds();
    assert_eq!(
        site.web.read("/home/alice/copied"),
        Client::public_key(&site.key)
    );
    site.alice()
        .sftp("put /etc/os-release over-sftp\n")
        .succeeds();
    assert!(site.web.has("/home/alice/over-sftp"));
    assert_eq!(site.web.ok("stat -c %U:%a /home/alice"), "alice:700");
}

#[test]
fn alice_logs_in_on_the_console_and_by_su() {
    let site = Site::new();
    let mut login = site.web.terminal("login");
    login.expect("login: ").answer("alice");
    login.expect("(?i)password: ").answer(PASSWORD);
    login.expect(r"\$ ").answer("id -un; tty; exit");
    assert!(login.finish().text().contains("/dev/pts/"));

    let mut su = site.web.terminal_of(LOCAL_USER, "su - alice -c pwd");
    su.expect("(?i)password: ").answer(PASSWORD);
    assert_eq!(su.finish().text(), "/home/alice");
    let mut wrong = site.web.terminal_of(LOCAL_USER, "su - alice -c pwd");
    wrong.expect("(?i)password: ").answer("wrong");
    assert!(!wrong.finish().succeeded());
    assert_eq!(
        site.web.ok("su - alice -c 'id -un'"),
        "alice",
        "root needs no password"
    );
}

#[test]
fn sudo_knows_that_alice_has_no_rights_here() {
    let site = Site::new();
    let said = site.web.run("sudo -l -U alice");
    assert!(
        said.stdout
            .contains("alice is not allowed to run sudo on web-1"),
        "{said:?}"
    );
    let mut sudo = site.alice().terminal_running("sudo id");
    while sudo.shows("(?i)password") {
        sudo.answer(PASSWORD);
    }
    assert!(!sudo.finish().succeeded());
}

#[test]
fn a_cron_job_of_alice_runs() {
    let site = Site::new();
    site.alice()
        .run("echo '* * * * * id -un > /tmp/ran' | crontab -")
        .succeeds();
    assert!(eventually(Duration::from_secs(65), || site
        .web
        .has("/tmp/ran")));
    assert_eq!(site.web.read("/tmp/ran"), "alice");
}

#[test]
fn alice_changes_her_password_with_passwd() {
    const CHANGED: &str = "seven-quiet-lanterns";
    let site = Site::new();
    let mut passwd = site.alice().terminal_running("passwd");
    passwd.expect("(?i)current.*password: ").answer(PASSWORD);
    passwd.expect("(?i)new.*password: ").answer(CHANGED);
    passwd.expect("(?i)once more: ").answer(CHANGED);
    let said = passwd.finish();
    assert!(said.succeeded(), "{said:?}");
    let arrived = || {
        site.person("alice", CHANGED)
            .run("id -un")
            .outcome
            .succeeded()
    };
    assert!(eventually(Duration::from_secs(15), arrived));
    site.person("alice", PASSWORD).run("id -un").is_refused();
}

#[test]
fn without_the_directory_passwd_says_so_and_changes_nothing() {
    let site = Site::new();
    site.directory.kill();
    let mut passwd = site.alice().terminal_running("passwd");
    while passwd.shows("(?i)password: ") {
        passwd.answer(PASSWORD);
    }
    let said = passwd.finish();
    assert!(!said.succeeded(), "{said:?}");
    let all = format!("{}{}", said.stderr, said.stdout);
    assert!(
        all.to_lowercase().contains("director"),
        "says what is away: {all}"
    );
    assert_eq!(
        site.person("alice", PASSWORD).run("id -un").succeeds(),
        "alice"
    );
}

#[test]
fn local_users_change_their_passwords_as_ever() {
    let site = Site::new();
    let mut passwd = site.web.terminal_of(LOCAL_USER, "passwd");
    passwd
        .expect("(?i)current.*password: ")
        .answer(LOCAL_PASSWORD);
    passwd
        .expect("(?i)new.*password: ")
        .answer("changed-local-password-1");
    passwd
        .expect("(?i)retype.*password: ")
        .answer("changed-local-password-1");
    let said = passwd.finish();
    assert!(said.succeeded(), "{said:?}");
    let local = site.person(LOCAL_USER, "changed-local-password-1");
    assert_eq!(local.run("id -un").succeeds(), LOCAL_USER);
}

#[test]
fn pam_08_a_session_has_no_descriptors_of_ours() {
    let site = Site::new();
    let look = "ls /proc/self/fd | tr '\\n' ' '";
    let of_local = site.person(LOCAL_USER, LOCAL_PASSWORD).run(look).succeeds();
    assert_eq!(
        site.person("alice", PASSWORD).run(look).succeeds(),
        of_local
    );
    assert_eq!(site.alice().run(look).succeeds(), of_local);
    let mut sudo = site.web.terminal_of(LOCAL_USER, "sudo ls /proc/self/fd");
    sudo.expect("(?i)password.*: ").answer(LOCAL_PASSWORD);
    // 3 is the folder that ls itself reads
    assert_eq!(
        sudo.finish().text().split_whitespace().collect::<Vec<_>>(),
        ["0", "1", "2", "3"]
    );
}

#[test]
fn load_07_fifty_passwords_at_once_are_compared_a_few_at_a_time() {
    const PEAK_KIB_MAX: u64 = 256 * 1024;
    let site = Site::new();
    let web = &site.web;
    let process = web.ok(&format!("echo {}", web.process_of(Service::Cacher)));
    web.ok(&format!(
        "echo {PASSWORD} > /root/password; for one in $(seq 50); do
           (timeout 30 pamtester login alice authenticate < /root/password > /tmp/said.$one 2>&1
            echo $? > /tmp/code.$one) &
         done; wait"
    ));
    assert_eq!(web.number("ls /tmp/code.* | wc -l"), 50);
    assert!(web.number("cat /tmp/code.* | grep -c '^0$'") >= 2);
    let now = web.ok(&format!("echo {}", web.process_of(Service::Cacher)));
    assert_eq!(now, process, "it was not killed");
    let peak = web.number(&format!(
        "awk '/VmHWM/ {{ print $2 }}' /proc/{process}/status"
    ));
    assert!(peak < PEAK_KIB_MAX, "{peak} KiB");
    assert!(
        web.pam("login", "alice", PASSWORD, "authenticate")
            .succeeded()
    );
}

#[test]
fn pam_11_the_environment_of_a_caller_changes_nothing() {
    let site = Site::new();
    site.web
        .ok("useradd -m other && echo other:other-password | chpasswd");
    let hostile = "env LD_PRELOAD=/tmp/none.so LD_LIBRARY_PATH=/tmp GLIBC_TUNABLES=glibc.malloc.check=3 \
                   CLOUDID_SOCKET=/tmp/evil.sock CLOUDID_URL=https://evil RUST_LOG=trace \
                   RUST_BACKTRACE=full XDG_RUNTIME_DIR=/tmp TZ=/etc/shadow LC_ALL=garbage HOME=/tmp";
    for (user, password) in [
        ("alice", PASSWORD),
        ("root", ROOT_PASSWORD),
        ("other", "other-password"),
    ] {
        let mut su = site
            .web
            .terminal_of(LOCAL_USER, &format!("{hostile} su {user} -c whoami"));
        su.expect("(?i)password: ").answer(password);
        assert!(su.finish().text().ends_with(user), "{user}");
        let mut wrong = site
            .web
            .terminal_of(LOCAL_USER, &format!("{hostile} su {user} -c whoami"));
        wrong.expect("(?i)password: ").answer("wrong");
        assert!(!wrong.finish().succeeded(), "{user}");
    }
}

#[test]
fn pam_14_the_module_talks_to_one_socket_and_to_nothing_else() {
    let site = Site::new();
    let web = &site.web;
    site.alice().run("id -un").succeeds();
    let trace = "strace -f -qq -e trace=network,execve,openat,open -o /tmp/trace";
    let steps = "authenticate acct_mgmt";
    web.ok(&format!(
        "echo {PASSWORD} | {trace} pamtester sshd alice {steps}"
    ));
    let seen = web.read("/tmp/trace");
    let connects = seen.lines().filter(|line| line.contains("connect("));
    // glibc looks for nscd by itself before it asks any name service
    let others = connects.filter(|line| !line.contains("nscd/socket"));
    let others: Vec<&str> = others
        .filter(|line| !line.contains("\"/run/cloudid/pam.sock\""))
        .collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(seen.contains("\"/run/cloudid/pam.sock\""));
    assert!(!seen.contains("AF_INET"), "no network");
    assert_eq!(
        seen.matches("execve(").count(),
        1,
        "nothing but the program itself is started"
    );
    assert!(!seen.contains("\"/home/"), "no file of the user");
}
