//! Directories, daemons and modules of this edition and of those before, mixed: whoever upgrades a
//! fleet has all of these for a while, and a process keeps the module it has loaded for as long as it
//! lives.

use Edition::{Older, Previous, This};
use std::time::Duration;
use system_tests::{Edition, LOCAL_PASSWORD, LOCAL_USER, PASSWORD, Service, Site, eventually, say};

/// A site of such parts; none where the earlier programs cannot be had.
fn site(directory: Edition, daemons: Edition, modules: Edition) -> Option<Site> {
    if let Some(why) = Edition::earlier_are_missing() {
        say(&format!("SKIPPED: there is no earlier edition here: {why}"));
        return None;
    }
    Some(Site::of_editions(directory, daemons, modules))
}

/// What a host is for: people come in, a new one is known, one who is suspended is out at once, and
/// all of that holds without the directory.
fn lives(site: &Site) {
    let web = &site.web;
    site.directory.add_person("bob", PASSWORD, &["web"]);
    people_get_in(site, &["alice", "bob"]);
    // a process that looks up much asks the daemon for the map, and each has another way for that
    let often = format!("getent passwd {}", ["alice"; 200].join(" "));
    let right = [web.ok("getent passwd alice").as_str(); 200].join("\n");
    assert_eq!(web.ok(&often), right);
    let mut session = site
        .person("bob", PASSWORD)
        .terminal_running("echo here; exec sleep 1000");
    session.expect("here");
    site.directory.ok(&["user", "suspend", "bob", "--yes"]);
    let out = || !web.run("pgrep -u bob sleep").succeeded();
    assert!(
        eventually(Duration::from_secs(10), out),
        "the session goes on\n{}",
        web.logs()
    );
    let _ended = session.finish();
    site.person("bob", PASSWORD).run("id -un").is_refused();
    let proof = site
        .directory
        .ok(&["user", "enforcement", "bob", "-o", "json"]);
    assert!(proof.contains("web-1"), "{proof}");
    goes_on_alone(site);
}

/// By key and by password; nobody by a wrong one.
fn people_get_in(site: &Site, people: &[&str]) {
    for name in people {
        site.web.until(&format!("id {name}"));
        site.person(name, PASSWORD).until_it_works("id -un");
        site.person(name, "wrong").run("id -un").is_refused();
    }
    assert_eq!(site.alice().run("id -un").succeeds(), "alice");
    let local = site.person(LOCAL_USER, LOCAL_PASSWORD).run("id -un");
    assert_eq!(local.succeeds(), LOCAL_USER);
}

/// Without the directory, after a boot: alice is known and comes in, bob does not.
fn goes_on_alone(site: &Site) {
    let web = &site.web;
    let known = web.ok("getent passwd alice; id alice; getent group web");
    site.directory.kill();
    web.reboot();
    assert_eq!(
        web.ok("getent passwd alice; id alice; getent group web"),
        known
    );
    people_get_in(site, &["alice"]);
    site.person("bob", PASSWORD).run("id -un").is_refused();
    web.cut_network();
    let alone = web.pam("sshd", "alice", PASSWORD, "authenticate acct_mgmt");
    assert!(alone.succeeded(), "{alone:?}");
}

#[test]
fn upg_01_daemons_of_today_between_a_directory_and_modules_of_before() {
    if let Some(site) = site(Older, This, Previous) {
        lives(&site);
    }
}

#[test]
fn upg_01_daemons_of_before_between_a_directory_and_modules_of_today() {
    if let Some(site) = site(This, Previous, This) {
        lives(&site);
    }
}

#[test]
fn upg_01_a_host_of_today_with_a_directory_of_before() {
    if let Some(site) = site(Older, This, This) {
        lives(&site);
    }
}

#[test]
fn upg_01_a_host_of_before_with_a_directory_of_today() {
    if let Some(site) = site(This, Older, Older) {
        lives(&site);
    }
}

/// Answers for as long as it lives how often it finds a person, and as whom, with the module it loaded
/// at its first question.
const OLD_PROCESS: &str = r#"
while (1) {
    open(my $asked, '<', '/root/asked') or die $!;
    # to the end: who has asked may not have gone yet, and would be taken for the next to ask
    my ($name) = <$asked>;
    next unless defined $name;
    chomp($name);
    my %found;
    $found{join(':', (getpwnam($name))[0, 2, 3, 7, 8])}++ for 1 .. 100;
    open(my $answer, '>', '/root/answer.new') or die $!;
    print $answer join("\n", map { "$found{$_} $_" } sort keys %found);
    close($answer);
    rename('/root/answer.new', '/root/answer') or die $!;
}
"#;

/// What the old process says about somebody, and what it must say.
fn old_process_knows(site: &Site, name: &str, when: &str) {
    let web = &site.web;
    web.ok(&format!("rm -f /root/answer; echo {name} > /root/asked"));
    web.until("test -e /root/answer");
    let record = "{print $1 \":\" $3 \":\" $4 \":\" $6 \":\" $7}";
    let record = web.ok(&format!("getent passwd {name} | awk -F: '{record}'"));
    let answer = web.read("/root/answer");
    // fields 0, 2, 3, 7, 8 of Perl are name, uid, gid, home and shell
    assert_eq!(answer, format!("100 {record}"), "{when}\n{}", web.logs());
}

#[test]
fn upg_01_a_process_keeps_the_module_of_before_while_directory_and_host_are_upgraded() {
    let Some(site) = site(Older, Previous, Previous) else {
        return;
    };
    let web = &site.web;
    web.write("/root/old.pl", OLD_PROCESS);
    web.ok("mkfifo /root/asked && (setsid perl /root/old.pl > /root/old.log 2>&1 & echo $! > /root/old.pid)");
    // it holds the map in memory that the daemon of before gives it, if not at the first time
    let holds = || {
        old_process_knows(&site, "alice", "before");
        web.run("grep -q 'memfd:identity.map' /proc/$(cat /root/old.pid)/maps")
            .succeeded()
    };
    assert!(eventually(Duration::from_secs(20), holds), "no map");

    site.directory.upgrade();
    site.directory.add_person("carol", PASSWORD, &["web"]);
    people_get_in(&site, &["alice", "carol"]);
    old_process_knows(&site, "carol", "directory upgraded");

    web.install_editions(This, This);
    for service in [Service::Helper, Service::Cacher, Service::Lookups] {
        web.restart(service);
    }
    site.directory.add_person("dave", PASSWORD, &["web"]);
    people_get_in(&site, &["alice", "dave"]);
    let replaced = "grep -q 'libnss_cloudid.so.2 (deleted)' /proc/$(cat /root/old.pid)/maps";
    web.ok(replaced);
    old_process_knows(&site, "dave", "host upgraded");
    old_process_knows(&site, "alice", "host upgraded");
    lives(&site);
}
