//! Every way into a host, by real programs, where a policy asks for a second factor (PAM-10):
//!
//! | way | with the first factor alone |
//! |---|---|
//! | `ssh` with a command, `scp`, `sftp`, `-N -L`, `-W`, `-J`, `-X`, `-Y` | asked for a code; refused where nobody can type one |
//! | `login` on the console, `su`, `sudo` | asked for a code |
//! | `cron`, `at`, `systemd-run --user` | exempt: nobody is there to type |
//!
//! VNC servers are not tried: they ask PAM as `login` does, and what they ask a person is up to them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use system_tests::{
    CODE_PROMPT, DOORS, Guarded, LOCAL_PASSWORD, LOCAL_USER, Outcome, PASSWORD, PASSWORD_PROMPT,
    Site, Terminal, eventually,
};

const ARRIVAL: Duration = Duration::from_secs(20);

/// `ssh` of somebody who sits before a display.
#[cfg(test)]
fn ssh_with_a_display(site: &Site) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let program = site.laptop.home().join("ssh-with-a-display");
    fs::write(
        &program,
        "#!/bin/sh\nDISPLAY=127.0.0.1:10 exec ssh \"$@\"\n",
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    program
}

/// Settings of ssh with the host as `jump`.
#[cfg(test)]
fn config_with_a_jump(site: &Site) -> PathBuf {
    let file = site.laptop.home().join("config");
    let config = format!(
        "Host jump\nHostName {}\nUser alice\nHost *\nIdentityFile {}\nIdentitiesOnly yes\n\
         StrictHostKeyChecking no\nUserKnownHostsFile /dev/null\nLogLevel ERROR\n\
         PreferredAuthentications publickey,keyboard-interactive\n",
        site.web.address(),
        site.key.display()
    );
    fs::write(&file, config).unwrap();
    file
}

#[test]
fn pam_10_no_way_through_sshd_without_the_code_and_every_way_with_it() {
    let site = Site::around(|lab| lab.booted_host_with("web-1", &DOORS));
    let Guarded { site, alice, .. } = Guarded::at(site, &[]);
    site.web.until("id alice | grep -q cloudid-key-code");
    let display = ssh_with_a_display(&site).display().to_string();
    let file = site.laptop.home().join("alice-key.pub");
    let local = file.display().to_string();
    let config = config_with_a_jump(&site).display().to_string();
    let ways: [(&str, &[&str]); 8] = [
        ("ssh", &["{}", "id -un"]),
        ("scp", &[&local, "{}:copied"]),
        ("sftp", &["{}"]),
        ("ssh", &["-N", "-L", "127.0.0.1:7022:127.0.0.1:22", "{}"]),
        ("ssh", &["-W", "127.0.0.1:22", "{}"]),
        (
            "ssh",
            &["-F", &config, "-J", "jump", "alice@127.0.0.1", "id -un"],
        ),
        (&display, &["-X", "{}", "id -un"]),
        (&display, &["-Y", "{}", "xauth list $DISPLAY"]),
    ];
    let with_code = site
        .laptop
        .ssh(&site.web)
        .user("alice")
        .asked(Some(&site.key));
    for (program, arguments) in ways {
        let silent = site.alice().conversation(program, arguments).told(&[]);
        assert_eq!(silent.code, 255, "{silent:?}");
        let wrong = with_code
            .conversation(program, arguments)
            .told(&[(CODE_PROMPT, "12")]);
        assert_eq!(wrong.code, 255, "{wrong:?}");
        assert!(wrong.said().to_lowercase().contains("code"), "{wrong:?}");
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
    let cookie = talk(7).finish().text();
    assert!(
        cookie.contains("web-1/unix:10  MIT-MAGIC-COOKIE-1"),
        "{cookie}"
    );
    let mut jumping = talk(5);
    jumping.expect(CODE_PROMPT).answer(codes.next().unwrap());
    assert_eq!(jumping.finish().text(), "alice");
}

#[test]
fn pam_10_su_and_sudo_ask_by_policy_and_cron_never() {
    let Guarded { site, alice, .. } = Guarded::new(&["--service", "sudo"]);
    let web = &site.web;
    site.add_sudoer("alice");
    web.ok("echo '* * * * * id -un > /tmp/ran' | crontab -u alice -");
    let mut codes = alice.backup_codes.iter();
    let mut next = || codes.next().unwrap().as_str();
    let sudo = |code: &str| site.sudo("alice", code);
    let su = || web.terminal_of(LOCAL_USER, "su - alice -c pwd");
    assert_eq!(
        site.alice().run("id -un").succeeds(),
        "alice",
        "sshd is not named"
    );
    assert_eq!(
        su().told(&[(PASSWORD_PROMPT, PASSWORD)]).text(),
        "/home/alice"
    );
    assert!(sudo(next()).ends_with("root"));
    assert!(!sudo("123456").contains("root"));

    site.change(&["policy", "edit", "all", "--service", "none"]);
    let code = next();
    let asked = su().told(&[(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code)]);
    assert!(asked.text().ends_with("/home/alice"));
    let again = su().told(&[(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code)]);
    assert!(!again.succeeded(), "each backup code is good once");
    site.alice().run("id -un").is_refused();
    let local = web.terminal_of(LOCAL_USER, "sudo -k id -un");
    assert!(
        local
            .told(&[("(?i)password", LOCAL_PASSWORD)])
            .text()
            .ends_with("root")
    );
    web.ok("rm -f /tmp/ran");
    assert!(eventually(Duration::from_secs(65), || web.has("/tmp/ran")));
    assert_eq!(web.read("/tmp/ran"), "alice");
}

/// How somebody is met who has the first factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Met {
    /// A code is asked for, and nothing happens without it.
    Asked,
    /// Nobody asks.
    Exempt,
}

/// A way in, how somebody is met there, and what happens to whoever types this code.
type Door<'a> = (&'static str, Met, &'a dyn Fn(&str) -> Outcome);

#[test]
fn pam_10_the_console_su_and_sudo_ask_and_at_and_the_users_own_units_do_not() {
    const INSIDE: &str = "echo in-$((40 + 2))";
    let site = Site::around(|lab| lab.booted_host_with("web-1", &DOORS));
    let Guarded { site, alice, .. } = Guarded::at(site, &["--offline-code-tries", "10"]);
    let web = &site.web;
    site.add_sudoer("alice");
    // The console: a shell is told what to do; whoever is refused is asked for the name again.
    let console = |code: &str| -> Outcome {
        let mut login = web.terminal("timeout --foreground 12 login");
        login.expect("login: ").answer("alice");
        let at_the_shell = format!("{INSIDE}; exit");
        login.told(&[
            (PASSWORD_PROMPT, PASSWORD),
            (CODE_PROMPT, code),
            (r"\$ |login: ", &at_the_shell),
        ])
    };
    let typed = |terminal: Terminal, code: &str| {
        terminal.told(&[(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code)])
    };
    let su = |code: &str| {
        let command = format!("su - alice -c \"{INSIDE}\"");
        typed(web.terminal_of(LOCAL_USER, &command), code)
    };
    let sudo = |code: &str| {
        let command = format!("timeout --foreground 12 sudo -k sh -c \"{INSIDE}\"");
        typed(web.terminal_of("alice", &command), code)
    };
    let at = |_: &str| {
        web.ok("su - alice -c 'echo \"echo in-42 > /tmp/ran-at\" | at now'");
        web.until("test -s /tmp/ran-at");
        web.run("stat -c %U /tmp/ran-at; cat /tmp/ran-at")
    };
    let unit = |_: &str| {
        web.ok("loginctl enable-linger alice");
        web.until("systemctl is-active user@$(id -u alice).service");
        let run = "systemd-run --user --wait --pipe --quiet sh -c \"echo in-42\"";
        web.run(&format!("su - alice -c '{run}'"))
    };
    let table: [Door<'_>; 5] = [
        ("login", Met::Asked, &console),
        ("su", Met::Asked, &su),
        ("sudo", Met::Asked, &sudo),
        ("at", Met::Exempt, &at),
        ("systemd-run --user", Met::Exempt, &unit),
    ];
    let asks = |said: &Outcome| said.said().to_lowercase().contains("code");
    let inside = |said: &Outcome| said.said().contains("in-42");
    for ((way, expected, try_it), good) in table.iter().zip(&alice.backup_codes) {
        let said = try_it("123456");
        let met = match (asks(&said), inside(&said)) {
            (true, false) => Met::Asked,
            (false, true) => Met::Exempt,
            _ => panic!("{way}: {said:?}"),
        };
        assert_eq!(met, *expected, "{way}: {said:?}");
        if met == Met::Asked {
            let said = try_it(good);
            assert!(inside(&said), "{way}: {said:?}");
        }
    }
}
