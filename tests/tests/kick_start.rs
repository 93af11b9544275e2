//! One line makes a machine a host: packages from the directory, compared with their digests, and an
//! enrolment by a token that nobody else on the machine sees.

use system_tests::{
    FETCHING, Host, Installation, LOCAL_PASSWORD, LOCAL_USER, Packages, booting_is_impossible,
    eventually, say,
};

const TAGS: &[&str] = &["env=dev"];

/// A clean host, and a directory that has packages for it; none where nothing can boot.
fn scene() -> Option<Installation> {
    if let Some(why) = booting_is_impossible() {
        say(&why);
        return None;
    }
    let scene = Installation::on(&FETCHING);
    scene.directory.offer(&Packages::of_this_build());
    Some(scene)
}

/// The part of a token that is secret.
fn seed(token: &str) -> String {
    let seed = token.trim().split('.').nth(2).unwrap_or_default();
    assert!(seed.len() > 20, "{token}");
    seed.to_owned()
}

/// The command that the line runs: from `sh` to its end.
fn command_of(line: &str) -> &str {
    line.split_once("sudo ")
        .map_or(line, |(_, command)| command)
}

#[test]
fn pkg_09_one_line_makes_a_host_and_nobody_sees_the_token() {
    let Some(scene) = scene() else { return };
    let host = &scene.host;
    let (token, line) = scene.directory.token_and_line("web-1", TAGS);
    let secret = seed(&token);
    assert!(!line.contains(&secret), "the line is no secret: {line}");
    // what every process shows, looked at while the line runs
    host.write_program(
        "/root/watch",
        "#!/bin/sh\ntouch /root/watching\nwhile [ ! -e /root/done ]; do\n\
         cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ; done 2> /dev/null > /root/seen\n",
    );
    host.ok("setsid /root/watch > /dev/null 2>&1 &");
    host.until("test -e /root/watching");

    let mut shell = host.terminal_of(LOCAL_USER, "bash -i");
    shell.expect(r"\$ ").answer("HISTCONTROL=ignorespace");
    shell
        .expect(r"\$ ")
        .answer(&line.replace("TOKEN", token.trim()));
    shell
        .expect("(?i)password for local: ")
        .answer(LOCAL_PASSWORD);
    for step in [
        "fetching libpam-cloudid",
        "Setting up",
        "web-1 is enrolled",
        "PAM asks",
    ] {
        shell.expect(step);
    }
    shell.expect(r"\$ ").answer("echo remembered; exit");
    let _ended = shell.finish();
    host.ok("touch /root/done");
    scene.alice_logs_in();
    scene.local_accounts_work("enrolled by one line");

    let seen = host.run(&format!("grep -a -q -e '{secret}' /root/seen"));
    assert!(!seen.succeeded(), "arguments or environment show the token");
    assert!(host.run("grep -a -q cloudid-cacher /root/seen").succeeded());
    let history = host.read("/home/local/.bash_history");
    assert!(history.contains("echo remembered"), "{history}");
    let left = host.run(&format!(
        "journalctl --all --no-pager | grep -e '{secret}'; \
         grep -r -l -a -e '{secret}' /etc /home /opt /run /tmp /usr/local /var"
    ));
    assert_eq!(left.stdout, "", "the token is left behind");
    let folders = host.run("ls -d /var/cache/cloudid-install* /tmp/* /var/tmp/* /run/*install*");
    assert!(!folders.stdout.contains("install"), "{folders:?}");

    let again = host.run(&format!("{} < /dev/null", command_of(&line)));
    assert!(
        again.succeeded() && again.stdout.contains("already"),
        "{again:?}"
    );
    scene.alice_logs_in();

    host.ok("cloudid unenroll --yes");
    let before = host.etc();
    host.write("/root/token", &token);
    let used = host.run(&format!("{} < /root/token", command_of(&line)));
    assert_eq!(used.code, 1, "{used:?}");
    for told in ["refused to enrol this host", "is not enrolled"] {
        assert!(used.stderr.contains(told), "{told}: {used:?}");
    }
    host.etc_is(&before);
    scene.local_accounts_work("after a used token");
}

/// Runs the line's command with a token on standard input; it must fail and say so.
#[track_caller]
fn refused(host: &Host, command: &str, token: &str, told: &str) {
    host.write("/root/token", token);
    let ended = host.run(&format!("{command} < /root/token"));
    assert!(ended.stderr.contains(told), "{told}: {ended:?}");
    assert!(
        !host.has("/usr/bin/cloudid"),
        "{told}: something is installed"
    );
    assert!(!host.has("/var/cache/cloudid-install"), "{told}");
    let left = host.run("ls -d /var/cache/cloudid-install*");
    assert_eq!(left.stdout, "", "{told}: left behind");
}

#[test]
fn pkg_11_a_tampered_package_or_installer_is_refused_before_anything_is_installed() {
    let Some(scene) = scene() else { return };
    let (host, directory) = (&scene.host, &scene.directory);
    let (token, line) = directory.token_and_line("web-1", TAGS);
    let command = command_of(&line);
    let before = host.etc();

    // another key than the line names: an installer of somebody in between
    let (start, rest) = command.split_once("sha256//").unwrap();
    let other = format!("{start}sha256//AAAA{}", rest.get(4..).unwrap());
    refused(host, &other, &token, "pinned public key");
    let without_pin = command
        .replace(" --pinnedpubkey ", " --user-agent ")
        .replace("-fsSLk", "-fsSL");
    refused(host, &without_pin, &token, "certificate");

    refused(host, command, "not a token\n", "no enrolment token");
    refused(host, command, "", "no enrolment token");
    host.write("/root/token", &token);
    let somebody = host.run(&format!("setpriv --reuid nobody {command} < /root/token"));
    assert!(somebody.stderr.contains("must run as root"), "{somebody:?}");

    // a package that changes between script and fetch
    let fetched = command.replace("sh -c \"$(", "").replace(")\"", "");
    host.ok(&format!("{fetched} > /root/install.sh"));
    let packages = directory.offered_packages();
    let package = std::fs::read_dir(&packages)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_string_lossy().contains("libpam-cloudid"))
        .unwrap();
    let whole = std::fs::read(&package).unwrap();
    let mut tampered = whole.clone();
    *tampered.last_mut().unwrap() ^= 1;
    std::fs::write(&package, &tampered).unwrap();
    refused(host, "sh /root/install.sh", &token, "is not the package");
    std::fs::write(&package, &whole).unwrap();

    // half a script, as a connection leaves it that breaks
    host.ok("head -c -30 /root/install.sh > /root/half.sh");
    let half =
        host.run("sh /root/half.sh < /root/token; sh -c \"$(head -c 3000 /root/install.sh)\"");
    assert!(half.stdout.is_empty(), "{half:?}");

    // a set that is not whole, and none at all
    let elsewhere = packages.with_file_name("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    std::fs::rename(&package, elsewhere.join(package.file_name().unwrap())).unwrap();
    refused(host, command, &token, "libpam-cloudid is missing");
    std::fs::rename(elsewhere.join(package.file_name().unwrap()), &package).unwrap();

    host.ok("mv /usr/bin/sha256sum /usr/bin/sha256sum.away");
    refused(host, command, &token, "sha256sum is missing");
    host.ok("mv /usr/bin/sha256sum.away /usr/bin/sha256sum");
    host.ok(
        "cp -P /etc/os-release /root/ && rm /etc/os-release && echo ID=alpine > /etc/os-release",
    );
    refused(
        host,
        command,
        &token,
        "neither of Debian's nor of Red Hat's",
    );
    host.ok("cp -P /root/os-release /etc/os-release");
    host.etc_is(&before);

    // a machine with wget alone, as the manual says
    host.ok("mv /usr/bin/curl /usr/bin/curl.away");
    let by_wget = command
        .replace("curl -fsSLk", "wget -qO- --no-check-certificate")
        .replace("--pinnedpubkey ", "--pinnedpubkey=");
    let (start, rest) = by_wget.split_once("sha256//").unwrap();
    let other = format!("{start}sha256//AAAA{}", rest.get(4..).unwrap());
    host.write("/root/token", &token);
    let refused = host.run(&format!("{other} < /root/token"));
    assert!(!host.has("/usr/bin/cloudid"), "{refused:?}");
    let enrolled = host.run(&format!("{by_wget} < /root/token"));
    assert!(enrolled.succeeded(), "{enrolled:?}");
    assert!(eventually(std::time::Duration::from_secs(20), || {
        host.run("id alice").succeeded()
    }));
    scene.alice_logs_in();
}

#[test]
fn somebody_at_a_terminal_is_asked_for_the_token_and_it_is_not_shown() {
    let Some(scene) = scene() else { return };
    let host = &scene.host;
    let (token, line) = scene.directory.token_and_line("web-1", TAGS);
    host.write("/root/line", command_of(&line));
    let mut terminal = host.terminal("sh /root/line");
    terminal.expect("Enrolment token .*: ").answer(token.trim());
    terminal.expect("is enrolled");
    let ended = terminal.finish();
    assert!(ended.succeeded(), "{ended:?}");
    assert!(!ended.stderr.contains(&seed(&token)), "{ended:?}");
    scene.alice_logs_in();
}
