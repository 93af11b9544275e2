//! A second factor through real programs: a policy and an authenticator made by the API, a real
//! sshd, su and sudo, and a person at a terminal.

use std::time::Duration;
use system_tests::{
    CODE_PROMPT, Guarded, LOCAL_USER, PASSWORD, PASSWORD_PROMPT, ScriptKey, Service, Site,
    eventually,
};

const ARRIVAL: Duration = Duration::from_secs(20);

#[test]
fn mfa_password_and_code_open_the_door_and_no_other_code_does() {
    let Guarded { site, bob, .. } = Guarded::new(&["--offline-code-tries", "10"]);
    let log_in = |code: &str| site.bob_by_password(PASSWORD, code);
    let first = site.code(&bob, 0);
    assert_eq!(log_in(&first).text(), "bob");
    log_in(&first).refused();
    for steps in [-4, 4] {
        log_in(&site.code(&bob, steps)).refused();
    }
    let now = site.web.number("date +%s");
    log_in(&bob.authenticator.wrong_code(now)).refused();
    let wide = |digit: u8| char::from_u32(0xff10 + u32::from(digit.wrapping_sub(b'0')));
    let full_width: String = site.code(&bob, 1).bytes().filter_map(wide).collect();
    log_in(&full_width).refused();
    log_in("").refused();
    let next = site.code(&bob, 1);
    site.bob_by_password("wrong", &next).refused();
    let burnt_by_nobody = log_in(&next);
    assert_eq!(burnt_by_nobody.text(), "bob");
    // A client that can only send a password has no way to send a code.
    site.person("bob", PASSWORD).run("id -un").is_refused();
}

#[test]
fn mfa_19_codes_count_with_the_directory_dead_until_the_horizon_and_the_host_says_so() {
    let Guarded { site, alice, bob } = Guarded::new(&[]);
    let web = &site.web;
    web.until("id alice | grep -q cloudid-key-code");
    site.add_sudoer("bob");
    let machine = site.lab.script_host("automation");
    let hardware = machine.hardware_key(site.laptop.home());
    site.directory.kill();
    web.reboot();
    let typed = site.code(&bob, 1);
    let alone = site.bob_by_password(PASSWORD, &typed);
    assert_eq!(alone.text(), "bob");
    assert!(alone.stderr.contains("codes count until"), "{alone:?}");
    site.bob_by_password(PASSWORD, &typed).refused();
    web.kill(Service::Cacher);
    web.until("cloudid host-status");
    site.bob_by_password(PASSWORD, &typed).refused();
    let with_key = site.code(&alice, 1);
    assert_eq!(site.alice_by_key(&with_key).text(), "alice");
    site.alice_by_key(&with_key).refused();
    let spare = &alice.backup_codes;
    assert_eq!(site.alice_by_key(&spare[0]).text(), "alice");
    site.alice_by_key(&spare[0]).refused();
    let sudo = |code: &str| site.sudo("bob", code);
    let bits = sudo(&site.code(&bob, 1));
    assert!(!bits.contains("root"), "ten bits never elevate: {bits}");
    assert!(sudo(&bob.backup_codes[0]).ends_with("root"));

    // A horizon that is over as soon as the directory is gone again.
    site.directory.start();
    web.restart(Service::Cacher);
    web.until("cloudid host-status");
    site.directory.add_key("bob", &hardware);
    site.change(&["policy", "edit", "all", "--offline-horizon", "1s"]);
    site.directory.kill();
    web.restart(Service::Cacher);
    web.until("cloudid host-status");
    let over = || site.alice_by_key("").stderr.contains("codes counted until");
    assert!(eventually(ARRIVAL, over), "the prompt says that it is over");
    let late = site.alice_by_key(&site.code(&alice, 0));
    late.refused();
    assert!(late.stderr.contains("codes counted until"), "{late:?}");
    assert_eq!(
        site.alice_by_key(&spare[1]).text(),
        "alice",
        "backup codes go on"
    );
    let by_hardware = machine.logs_in((web, "bob"), ScriptKey::Hardware, &[""]);
    assert_eq!(by_hardware.text(), "bob", "and hardware keys");
}

#[test]
fn mfa_05_a_code_that_was_compared_is_burnt_even_if_the_daemon_dies_before_it_answers() {
    let Guarded { site, bob, .. } = Guarded::new(&[]);
    let web = &site.web;
    site.directory.kill();
    web.restart(Service::Cacher);
    web.until("cloudid host-status");
    let folder = "/var/lib/cloudid/factors";
    let process = web.process_of(Service::Cacher);
    // Each change there takes a second longer until it is durable, and the daemon dies in the second
    // of that change which burns the code.
    web.ok(&format!(
        "daemon={process}
         setsid strace -f -qq -y -o /tmp/trace -p $daemon -e trace=fsync -P {folder} \
           -e inject=fsync:delay_enter=1000000 > /tmp/strace.log 2>&1 < /dev/null &
         while grep -L 'TracerPid:.*[1-9]' /proc/$daemon/task/*/status | grep -q .; do
           sleep 0.1; done
         setsid sh -c \"until grep -qs 'ever.:true' {folder}/*; do sleep 0.02; done
           kill -9 $daemon\" > /dev/null 2>&1 < /dev/null &"
    ));
    let typed = site.code(&bob, 1);
    let ssh = site.laptop.ssh(&site.web).user("bob").asked(None);
    let dying = ssh.conversation("ssh", &["{}", "id -un"]);
    let first = [(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, &typed)];
    // The next module asks, and refuses: it knows no password of his.
    let said = dying.told(&[&first[..], &[(PASSWORD_PROMPT, PASSWORD)]].concat());
    assert_eq!(said.code, 255, "{said:?}");
    let trace = web.read("/tmp/trace");
    assert!(trace.contains("killed by SIGKILL"), "{trace}");
    web.until("cloudid host-status");
    site.bob_by_password(PASSWORD, &typed).refused();
    let kept = web.ok(&format!("cat {folder}/*"));
    assert!(kept.contains("\"ever\":true"), "{kept}");
    let after = site.bob_by_password(PASSWORD, &bob.backup_codes[0]);
    assert_eq!(after.text(), "bob");
}

#[test]
fn auth_test_asks_as_a_login_does_and_lets_nobody_in() {
    let Guarded { site, alice, .. } = Guarded::new(&[]);
    let ask = |person: &str, code: &str| {
        let command = format!("cloudid auth-test {person} --service login");
        let answers = [(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code)];
        site.web.terminal(&command).told(&answers)
    };
    let right = ask("alice", &alice.backup_codes[0]);
    assert!(right.succeeded(), "{right:?}");
    assert!(right.said().contains("account: yes"), "{right:?}");
    let again = ask("alice", &alice.backup_codes[0]);
    assert_eq!(again.code, 4, "{again:?}");
    assert!(
        again
            .said()
            .contains("authentication: a wrong password or code")
    );
    assert!(
        ask(LOCAL_USER, "")
            .said()
            .contains("not a person of the directory")
    );
}

#[test]
fn mfa_17_who_has_no_factor_is_refused_excused_or_let_pass_as_the_policy_says() {
    let site = Site::new();
    site.directory.add_person("bob", PASSWORD, &["web"]);
    site.web.until("id bob");
    site.change(&["policy", "add", "all", "--unenrolled", "deny"]);
    // sshd swallows what is said before it refuses; su shows it.
    let bob = || {
        let su = site.web.terminal_of(LOCAL_USER, "su - bob -c id");
        su.told(&[(PASSWORD_PROMPT, PASSWORD)])
    };
    let denied = bob();
    assert!(!denied.succeeded(), "{denied:?}");
    assert!(
        denied.said().contains("/me"),
        "says where to enrol: {denied:?}"
    );
    site.bob_by_password(PASSWORD, "123456").refused();
    site.change(&["policy", "edit", "all", "--unenrolled", "grace:2"]);
    for left in ["1 left", "0 left"] {
        let excused = bob();
        assert!(excused.succeeded(), "{excused:?}");
        assert!(excused.said().contains(left), "{excused:?}");
    }
    assert!(!bob().succeeded());
    site.bob_by_password(PASSWORD, "123456").refused();
    site.change(&["policy", "edit", "all", "--unenrolled", "allow"]);
    assert!(bob().succeeded());
    assert!(site.bob_by_password(PASSWORD, "").succeeded());
}

#[test]
fn mfa_17_a_policy_of_hardware_keys_serves_them_alone_and_wants_their_owner() {
    let Guarded { site, .. } = Guarded::new(&["--auth-method", "hardware-key"]);
    let hardware = site.laptop.hardware_key(&site.key);
    site.directory.add_key("alice", &hardware);
    let command = "/usr/libexec/cloudid/cloudid-authorized-keys";
    let as_sshd = "setpriv --reuid cloudid-keys --regid cloudid-keys --clear-groups";
    let served = |key: &std::path::Path| {
        let line = system_tests::Client::public_key(key);
        let mut words = line.split(' ');
        let (kind, key) = (words.next().unwrap(), words.next().unwrap());
        site.web
            .run(&format!("{as_sshd} {command} alice {kind} {key}"))
            .stdout
    };
    assert!(eventually(ARRIVAL, || served(&hardware).contains("sk-ssh-ed25519")));
    assert!(
        served(&hardware).starts_with("verify-required"),
        "{}",
        served(&hardware)
    );
    assert_eq!(served(&site.key), "");
    site.alice().run("id -un").is_refused();
    site.bob_by_password(PASSWORD, "123456").refused();
}
