//! A second factor through real programs: a policy and an authenticator made by the API, a real
//! sshd, su, sudo and cron, and a person at a terminal.

#[cfg(test)]
#[expect(
    dead_code,
    reason = "its ways to misbehave are tested with the directory"
)]
#[path = "../../directory-server/tests/it/validation_server.rs"]
mod validation_server;

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use system_tests::{
    Enrolled, Host, LOCAL_PASSWORD, LOCAL_USER, Outcome, PASSWORD, Service, Site, Terminal,
    eventually,
};
use tokio::runtime::{Builder, Runtime};
use validation_server::{CLIENT, ValidationServer, password as touch};

const PASSWORD_PROMPT: &str = "(?i)password[^:\n]*: ";
const CODE_PROMPT: &str = "(?i)code[^\n]*: ";
const ARRIVAL: Duration = Duration::from_secs(20);

/// A site where a policy with these options is in force; alice, who has a key, and bob, who has
/// none, have an authenticator and backup codes each.
struct Guarded {
    site: Site,
    alice: Enrolled,
    bob: Enrolled,
}

fn guarded(policy: &[&str]) -> Guarded {
    let site = Site::new();
    site.directory.add_person("bob", PASSWORD, &["web"]);
    site.web.until("id bob");
    let enrol = |person| {
        // The code that confirms must not grow too old on its way.
        let early = || site.web.number("date +%s") % 30 < 20;
        assert!(eventually(ARRIVAL, early));
        let now = site.web.number("date +%s");
        site.directory.enrol_factors(person, PASSWORD, now)
    };
    let (alice, bob) = (enrol("alice"), enrol("bob"));
    change(&site, &[&["policy", "add", "all"], policy].concat());
    Guarded { site, alice, bob }
}

/// A change that is in force on the host before the story goes on: whoever is added afterwards
/// arrives there in a bundle that has it.
fn change(site: &Site, words: &[&str]) {
    static MARKS: AtomicU32 = AtomicU32::new(0);
    let mark = format!("mark{}", MARKS.fetch_add(1, Ordering::Relaxed));
    site.directory.ok(&[words, &["--yes"]].concat());
    site.directory
        .ok(&["user", "add", &mark, "--active", "--group", "web", "--yes"]);
    site.web.until(&format!("id {mark}"));
}

/// The code that the authenticator shows so many steps from now.
fn code(site: &Site, enrolled: &Enrolled, steps: i64) -> String {
    let now = site.web.number("date +%s");
    enrolled.authenticator.code(now, steps)
}

/// Answers the prompts as they come and hears how it ends.
fn told(mut terminal: Terminal, answers: &[(&str, &str)]) -> Outcome {
    for (prompt, answer) in answers {
        if !terminal.shows(prompt) {
            break;
        }
        terminal.answer(answer);
    }
    terminal.finish()
}

/// A validation server for YubiKeys on the machine of the directory, until the runtime ends.
#[cfg(test)]
fn validation_server(site: &Site) -> (ValidationServer, Runtime) {
    let door = site.directory.door();
    let beside = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(move || door.enter())
        .build()
        .unwrap();
    let started = beside.spawn(ValidationServer::start());
    let server = beside.block_on(started).unwrap();
    let secret = ValidationServer::secret();
    site.directory
        .validate_yubikeys(CLIENT, &secret, &server.url);
    (server, beside)
}

fn by_password(site: &Site, password: &str, code: &str) -> Outcome {
    let ssh = site.laptop.ssh(&site.web).user("bob").asked(None);
    let terminal = ssh.conversation("ssh", &["{}", "id -un"]);
    told(
        terminal,
        &[(PASSWORD_PROMPT, password), (CODE_PROMPT, code)],
    )
}

fn by_key(site: &Site, code: &str) -> Outcome {
    let ssh = site.laptop.ssh(&site.web).user("alice");
    let terminal = ssh
        .asked(Some(&site.key))
        .conversation("ssh", &["{}", "id -un"]);
    told(terminal, &[(CODE_PROMPT, code)])
}

/// What sudo says to somebody who types a code once and then nothing more.
fn sudo(host: &Host, person: &str, code: &str) -> String {
    let terminal = host.terminal_of(person, "sudo -k id -un");
    let nothing = [(PASSWORD_PROMPT, ""); 5];
    let first = [(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code)];
    let said = told(terminal, &[&first[..], &nothing].concat());
    all(&said).trim().to_owned()
}

fn all(outcome: &Outcome) -> String {
    format!("{}{}", outcome.stderr, outcome.stdout)
}

fn refused(outcome: &Outcome) {
    assert_ne!(outcome.code, 0, "{outcome:?}");
}

#[test]
fn mfa_password_and_code_open_the_door_and_no_other_code_does() {
    let Guarded { site, bob, .. } = guarded(&["--offline-code-tries", "10"]);
    let log_in = |code: &str| by_password(&site, PASSWORD, code);
    let first = code(&site, &bob, 0);
    assert_eq!(log_in(&first).text(), "bob");
    refused(&log_in(&first));
    for steps in [-4, 4] {
        refused(&log_in(&code(&site, &bob, steps)));
    }
    let now = site.web.number("date +%s");
    refused(&log_in(&bob.authenticator.wrong_code(now)));
    let wide = |digit: u8| char::from_u32(0xff10 + u32::from(digit.wrapping_sub(b'0')));
    let full_width: String = code(&site, &bob, 1).bytes().filter_map(wide).collect();
    refused(&log_in(&full_width));
    refused(&log_in(""));
    let next = code(&site, &bob, 1);
    refused(&by_password(&site, "wrong", &next));
    let burnt_by_nobody = log_in(&next);
    assert_eq!(burnt_by_nobody.text(), "bob");
    // A client that can only send a password has no way to send a code.
    site.person("bob", PASSWORD).run("id -un").is_refused();
}

#[test]
fn pam_10_no_way_through_sshd_without_the_code_and_every_way_with_it() {
    let Guarded { site, alice, .. } = guarded(&[]);
    site.web.until("id alice | grep -q cloudid-key-code");
    let file = site.laptop.home().join("alice-key.pub");
    let local = file.display().to_string();
    let config = site.laptop.home().join("config");
    let jump = format!(
        "Host jump\nHostName {}\nUser alice\nHost *\nIdentityFile {}\nIdentitiesOnly yes\n\
         StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n\
         PreferredAuthentications publickey,keyboard-interactive\n",
        site.web.address(),
        site.key.display()
    );
    fs::write(&config, jump).unwrap();
    let config = config.display().to_string();
    let ways: [(&str, &[&str]); 6] = [
        ("ssh", &["{}", "id -un"]),
        ("scp", &[&local, "{}:copied"]),
        ("sftp", &["{}"]),
        ("ssh", &["-N", "-L", "127.0.0.1:7022:127.0.0.1:22", "{}"]),
        ("ssh", &["-W", "127.0.0.1:22", "{}"]),
        (
            "ssh",
            &["-F", &config, "-J", "jump", "alice@127.0.0.1", "id -un"],
        ),
    ];
    let with_code = site
        .laptop
        .ssh(&site.web)
        .user("alice")
        .asked(Some(&site.key));
    for (program, arguments) in ways {
        let silent = told(site.alice().conversation(program, arguments), &[]);
        assert_eq!(silent.code, 255, "{silent:?}");
        let wrong = told(
            with_code.conversation(program, arguments),
            &[(CODE_PROMPT, "12")],
        );
        assert_eq!(wrong.code, 255, "{wrong:?}");
        assert!(all(&wrong).to_lowercase().contains("code"), "{wrong:?}");
    }
    assert!(!site.web.has("/home/alice/copied"));

    let mut codes = alice.backup_codes.iter();
    let mut talk = |way: usize| {
        let (program, arguments) = ways[way];
        let mut terminal = with_code.conversation(program, arguments);
        terminal.expect(CODE_PROMPT).answer(codes.next().unwrap());
        terminal
    };
    assert_eq!(talk(0).finish().text(), "alice");
    assert!(talk(1).finish().succeeded());
    assert!(site.web.has("/home/alice/copied"));
    let mut sftp = talk(2);
    sftp.expect("sftp> ").answer("rename copied renamed");
    sftp.expect("sftp> ").answer("bye");
    assert!(sftp.finish().succeeded());
    assert!(site.web.has("/home/alice/renamed"));
    let forwarding = talk(3);
    let through = "read -t 2 line < /dev/tcp/127.0.0.1/7022 && [[ $line == SSH-* ]]";
    assert!(eventually(ARRIVAL, || site
        .laptop
        .shell(through)
        .succeeded()));
    drop(forwarding);
    talk(4).expect("SSH-2.0");
    let mut jumping = talk(5);
    jumping.expect(CODE_PROMPT).answer(codes.next().unwrap());
    assert_eq!(jumping.finish().text(), "alice");
}

#[test]
fn mfa_08_a_key_and_a_touch_of_ones_own_yubikey_open_the_door_once() {
    const ALICES: &str = "cccccccccccc";
    const BOBS: &str = "cccccccccccd";
    let site = Site::new();
    site.directory.add_person("bob", PASSWORD, &["web"]);
    let (server, beside) = validation_server(&site);
    let enrol = |person, key| {
        site.directory
            .enrol_yubikey(person, PASSWORD, &touch(key, 1))
    };
    let backup_codes = enrol("alice", ALICES);
    let _ = enrol("bob", BOBS);
    change(&site, &["policy", "add", "all"]);
    site.web.until("id alice | grep -q cloudid-key-code");

    let log_in = |code: &str| by_key(&site, code);
    assert_eq!(log_in(&touch(ALICES, 2)).text(), "alice");
    refused(&log_in(&touch(ALICES, 2)));
    let asked = server.asked();
    refused(&log_in(&touch(BOBS, 2)));
    assert_eq!(server.asked(), asked, "it is not even asked about");
    assert_eq!(log_in(&touch(ALICES, 3)).text(), "alice");

    drop(beside);
    refused(&log_in(&touch(ALICES, 4)));
    let spare = log_in(&backup_codes[0]);
    assert_eq!(spare.text(), "alice");
    assert!(
        !spare.stderr.contains("Directory unreachable"),
        "nobody else goes by the mirror for that: {spare:?}"
    );
}

#[test]
fn pam_10_su_and_sudo_ask_by_policy_and_cron_never() {
    let Guarded { site, alice, .. } = guarded(&["--service", "sudo"]);
    let web = &site.web;
    web.write("/etc/sudoers.d/alice", "alice ALL=(ALL) ALL\n");
    web.ok("chmod 440 /etc/sudoers.d/alice");
    web.ok("echo '* * * * * id -un > /tmp/ran' | crontab -u alice -");
    let mut codes = alice.backup_codes.iter();
    let mut next = || codes.next().unwrap().as_str();
    let sudo = |code: &str| sudo(web, "alice", code);
    let su = || web.terminal_of(LOCAL_USER, "su - alice -c pwd");
    assert_eq!(
        site.alice().run("id -un").succeeds(),
        "alice",
        "sshd is not named"
    );
    assert_eq!(
        told(su(), &[(PASSWORD_PROMPT, PASSWORD)]).text(),
        "/home/alice"
    );
    assert!(sudo(next()).ends_with("root"));
    assert!(!sudo("123456").contains("root"));

    change(&site, &["policy", "edit", "all", "--service", "none"]);
    let code = next();
    let asked = told(su(), &[(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code)]);
    assert!(asked.text().ends_with("/home/alice"));
    let again = told(su(), &[(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code)]);
    assert!(!again.succeeded(), "each backup code is good once");
    site.alice().run("id -un").is_refused();
    let local = web.terminal_of(LOCAL_USER, "sudo -k id -un");
    assert!(
        told(local, &[("(?i)password", LOCAL_PASSWORD)])
            .text()
            .ends_with("root")
    );
    web.ok("rm -f /tmp/ran");
    assert!(eventually(Duration::from_secs(65), || web.has("/tmp/ran")));
    assert_eq!(web.read("/tmp/ran"), "alice");
}

#[test]
fn mfa_19_codes_count_with_the_directory_dead_until_the_horizon_and_the_host_says_so() {
    let Guarded { site, alice, bob } = guarded(&[]);
    let web = &site.web;
    web.until("id alice | grep -q cloudid-key-code");
    web.write("/etc/sudoers.d/bob", "bob ALL=(ALL) ALL\n");
    web.ok("chmod 440 /etc/sudoers.d/bob");
    site.directory.kill();
    web.reboot();
    let typed = code(&site, &bob, 1);
    let alone = by_password(&site, PASSWORD, &typed);
    assert_eq!(alone.text(), "bob");
    assert!(alone.stderr.contains("codes count until"), "{alone:?}");
    refused(&by_password(&site, PASSWORD, &typed));
    web.kill(Service::Cacher);
    web.until("cloudid host-status");
    refused(&by_password(&site, PASSWORD, &typed));
    let with_key = code(&site, &alice, 1);
    assert_eq!(by_key(&site, &with_key).text(), "alice");
    refused(&by_key(&site, &with_key));
    let spare = &alice.backup_codes;
    assert_eq!(by_key(&site, &spare[0]).text(), "alice");
    refused(&by_key(&site, &spare[0]));
    let sudo = |code: &str| sudo(web, "bob", code);
    let bits = sudo(&code(&site, &bob, 1));
    assert!(!bits.contains("root"), "ten bits never elevate: {bits}");
    assert!(sudo(&bob.backup_codes[0]).ends_with("root"));

    // A horizon that is over as soon as the directory is gone again.
    site.directory.start();
    web.restart(Service::Cacher);
    web.until("cloudid host-status");
    change(&site, &["policy", "edit", "all", "--offline-horizon", "1s"]);
    site.directory.kill();
    web.restart(Service::Cacher);
    web.until("cloudid host-status");
    let over = || by_key(&site, "").stderr.contains("codes counted until");
    assert!(eventually(ARRIVAL, over), "the prompt says that it is over");
    let late = by_key(&site, &code(&site, &alice, 0));
    refused(&late);
    assert!(late.stderr.contains("codes counted until"), "{late:?}");
    assert_eq!(
        by_key(&site, &spare[1]).text(),
        "alice",
        "backup codes go on"
    );
}

#[test]
fn mfa_05_a_code_that_was_compared_is_burnt_even_if_the_daemon_dies_before_it_answers() {
    let Guarded { site, bob, .. } = guarded(&[]);
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
    let typed = code(&site, &bob, 1);
    let ssh = site.laptop.ssh(&site.web).user("bob").asked(None);
    let dying = ssh.conversation("ssh", &["{}", "id -un"]);
    let first = [(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, &typed)];
    // The next module asks, and refuses: it knows no password of his.
    let said = told(
        dying,
        &[&first[..], &[(PASSWORD_PROMPT, PASSWORD)]].concat(),
    );
    assert_eq!(said.code, 255, "{said:?}");
    let trace = web.read("/tmp/trace");
    assert!(trace.contains("killed by SIGKILL"), "{trace}");
    web.until("cloudid host-status");
    refused(&by_password(&site, PASSWORD, &typed));
    let kept = web.ok(&format!("cat {folder}/*"));
    assert!(kept.contains("\"ever\":true"), "{kept}");
    let after = by_password(&site, PASSWORD, &bob.backup_codes[0]);
    assert_eq!(after.text(), "bob");
}

#[test]
fn auth_test_asks_as_a_login_does_and_lets_nobody_in() {
    let Guarded { site, alice, .. } = guarded(&[]);
    let ask = |person: &str, code: &str| {
        let command = format!("cloudid auth-test {person} --service login");
        let answers = [(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code)];
        told(site.web.terminal(&command), &answers)
    };
    let right = ask("alice", &alice.backup_codes[0]);
    assert!(right.succeeded(), "{right:?}");
    assert!(all(&right).contains("account: yes"), "{right:?}");
    let again = ask("alice", &alice.backup_codes[0]);
    assert_eq!(again.code, 4, "{again:?}");
    assert!(all(&again).contains("authentication: a wrong password or code"));
    assert!(all(&ask(LOCAL_USER, "")).contains("not a person of the directory"));
}

#[test]
fn mfa_17_who_has_no_factor_is_refused_excused_or_let_pass_as_the_policy_says() {
    let site = Site::new();
    site.directory.add_person("bob", PASSWORD, &["web"]);
    site.web.until("id bob");
    change(&site, &["policy", "add", "all", "--unenrolled", "deny"]);
    // sshd swallows what is said before it refuses; su shows it.
    let bob = || {
        let su = site.web.terminal_of(LOCAL_USER, "su - bob -c id");
        told(su, &[(PASSWORD_PROMPT, PASSWORD)])
    };
    let denied = bob();
    assert!(!denied.succeeded(), "{denied:?}");
    assert!(
        all(&denied).contains("/me"),
        "says where to enrol: {denied:?}"
    );
    refused(&by_password(&site, PASSWORD, "123456"));
    change(&site, &["policy", "edit", "all", "--unenrolled", "grace:2"]);
    for left in ["1 left", "0 left"] {
        let excused = bob();
        assert!(excused.succeeded(), "{excused:?}");
        assert!(all(&excused).contains(left), "{excused:?}");
    }
    assert!(!bob().succeeded());
    refused(&by_password(&site, PASSWORD, "123456"));
    change(&site, &["policy", "edit", "all", "--unenrolled", "allow"]);
    assert!(bob().succeeded());
    assert!(by_password(&site, PASSWORD, "").succeeded());
}

#[test]
fn mfa_17_a_policy_of_hardware_keys_serves_them_alone_and_wants_their_owner() {
    let Guarded { site, .. } = guarded(&["--auth-method", "hardware-key"]);
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
    refused(&by_password(&site, PASSWORD, "123456"));
}
