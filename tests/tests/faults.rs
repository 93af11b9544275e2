//! What a host endures: full disks, crowds on its sockets, hostile text. People and local accounts
//! log in all the same, and what was broken mends itself.

use std::time::Duration;
use system_tests::{
    Disk, LOCAL_PASSWORD, LOCAL_USER, PASSWORD, Service, Site, Stopwatch, eventually,
};

const SMALL: Disk = Disk::Small {
    megabytes: 400,
    inodes: 4000,
};

#[test]
fn syn_21_a_full_disk_leaves_the_last_good_bundle_and_mends_itself() {
    let site = Site::with_disk(SMALL);
    let web = &site.web;
    site.alice().run("id -un").succeeds();
    web.fill_disk();
    site.directory.add_person("bob", PASSWORD, &["web"]);
    assert_eq!(site.alice().run("id -un").succeeds(), "alice", "full");
    assert_eq!(
        site.person("alice", PASSWORD).run("id -un").succeeds(),
        "alice",
        "full"
    );

    site.directory.hang();
    web.restart(Service::Cacher);
    web.until("test -S /run/cloudid/pam.sock");
    assert_eq!(
        site.alice().run("id -un").succeeds(),
        "alice",
        "restarted while full"
    );
    web.reboot();
    assert_eq!(
        site.alice().run("id -un").succeeds(),
        "alice",
        "rebooted while full"
    );
    let empty = web.ok("find /var/lib/cloudid/bundle /var/lib/cloudid/identity.map -type f -empty");
    assert_eq!(empty, "", "no empty files");

    site.directory.unhang();
    web.free_disk();
    web.until("id bob");
    assert_eq!(site.person("bob", PASSWORD).run("id -un").succeeds(), "bob");
}

#[test]
fn syn_22_without_inodes_or_with_a_wrong_owner_logins_go_on_from_the_last_good_bundle() {
    let site = Site::with_disk(SMALL);
    let web = &site.web;
    site.alice().run("id -un").succeeds();
    web.use_up_inodes();
    site.directory.add_person("bob", PASSWORD, &["web"]);
    web.restart(Service::Cacher);
    assert!(
        eventually(Duration::from_secs(10), || site
            .alice()
            .run("id -un")
            .worked()),
        "no inodes"
    );
    web.free_disk();
    web.until("id bob");

    web.stop(Service::Cacher);
    web.ok("chown -R root:root /var/lib/cloudid/bundle && chmod -R go= /var/lib/cloudid/bundle");
    web.start(Service::Cacher);
    web.until("grep -i bundle /var/log/cacher.log");
    assert_eq!(
        site.person(LOCAL_USER, LOCAL_PASSWORD)
            .run("id -un")
            .succeeds(),
        LOCAL_USER
    );
    assert!(
        web.run("id alice").succeeded(),
        "the map is still published"
    );
    web.ok("chown -R cloudid:cloudid /var/lib/cloudid/bundle");
    web.restart(Service::Cacher);
    assert!(
        eventually(Duration::from_secs(10), || site
            .alice()
            .run("id -un")
            .worked()),
        "mended"
    );
}

/// Opens as many connections as it can, and sends a byte on each of them every second.
const CROWD: &str = r#"
use Socket;
$SIG{PIPE} = 'IGNORE';
my @crowd;
for (1 .. 1000) {
    socket(my $s, AF_UNIX, SOCK_STREAM, 0) or last;
    connect($s, pack_sockaddr_un('/run/cloudid/pam.sock')) or last;
    push @crowd, $s;
}
$| = 1;
print scalar(@crowd), "\n";
for (1 .. 60) { syswrite($_, "\x01") for @crowd; sleep 1 }
"#;

#[test]
fn pf_03_a_crowd_on_the_socket_keeps_neither_root_nor_others_out() {
    let site = Site::new();
    let web = &site.web;
    site.alice().run("id -un").succeeds();
    let usual = site.alice().run("id -un").took;
    web.write("/tmp/crowd.pl", CROWD);
    web.ok("install -d -m 777 /tmp/crowds");
    for uid in 30_001..=30_020 {
        let who = format!("setpriv --reuid {uid} --regid {uid} --clear-groups");
        web.ok(&format!(
            "{who} perl /tmp/crowd.pl > /tmp/crowds/{uid} 2>&1 &"
        ));
    }
    web.until("test $(find /tmp/crowds -type f -size +0 | wc -l) = 20");
    for _ in 0..3 {
        let alice = site.alice().run("id -un");
        assert_eq!(alice.succeeds(), "alice");
        let slower = alice.took.saturating_sub(usual);
        assert!(
            slower < Duration::from_millis(1500),
            "{:?}, not {usual:?}",
            alice.took
        );
        let watch = Stopwatch::start();
        assert!(
            web.pam("sshd", "alice", PASSWORD, "authenticate acct_mgmt")
                .succeeded()
        );
        assert!(
            watch.elapsed() < Duration::from_secs(2),
            "{:?}",
            watch.elapsed()
        );
    }
    let descriptors = "ls -l /proc/$(cat /run/lab/cacher.pid)/fd | grep -c socket:";
    let held: u32 = web.ok(descriptors).parse().unwrap();
    assert!(held < 560, "512 places and the cacher's own: {held}");
    let tried: u32 = web
        .ok("cat /tmp/crowds/* | awk '{n += $1} END {print n}'")
        .parse()
        .unwrap();
    assert!(tried > 1000, "there was a crowd: {tried}");
}

#[test]
fn pf_07_hostile_text_starts_no_shell() {
    let site = Site::new();
    let web = &site.web;
    let trace = "strace -f -qq -e trace=execve -o /tmp/trace";
    for service in ["cacher", "helper"] {
        web.ok(&format!(
            "{trace}.{service} -p $(cat /run/lab/{service}.pid) > /dev/null 2>&1 &"
        ));
    }
    let hostile = "$(touch /tmp/injected);reboot|-o ProxyCommand=touch /tmp/injected %0a`id`";
    site.directory.ok(&[
        "user",
        "edit",
        "alice",
        "--name",
        hostile,
        "--description",
        hostile,
    ]);
    site.directory
        .ok(&["user", "suspend", "alice", "--reason", hostile]);
    let refused = || !web.pam("sshd", "alice", PASSWORD, "acct_mgmt").succeeded();
    assert!(eventually(Duration::from_secs(10), refused));
    site.directory
        .ok(&["user", "activate", "alice", "--reason", hostile]);
    let back = || site.alice().run("id -un").worked();
    assert!(eventually(Duration::from_secs(10), back));
    for name in ["-oProxyCommand=id", "$(id)", ";reboot", "a|b", "%0a"] {
        assert!(
            !site
                .directory
                .cloudid(&["user", "add", "--", name])
                .succeeded(),
            "{name}"
        );
        assert!(
            !web.run(&format!("cloudid explain '{name}'")).succeeded(),
            "{name}"
        );
    }
    assert!(!web.has("/tmp/injected"));
    let started = web.run("grep -h execve /tmp/trace.* | grep -E '\"(/usr)?/bin/(sh|bash|dash)\"'");
    assert_eq!(started.stdout, "", "a shell was started");
}

#[test]
fn syn_24_one_cacher_is_active_whatever_else_is_started() {
    let site = Site::new();
    let web = &site.web;
    site.alice().run("id -un").succeeds();
    let second = web.run(
        "timeout 5 setpriv --reuid cloudid --regid cloudid --init-groups --inh-caps=-all \
         /usr/libexec/cloudid/cloudid-cacher",
    );
    assert!(
        !second.succeeded() && second.code != 124,
        "a second one gives way: {second:?}"
    );
    assert_eq!(site.alice().run("id -un").succeeds(), "alice");

    web.kill(Service::Cacher);
    let answers = || web.pam("sshd", "alice", PASSWORD, "acct_mgmt").succeeded();
    assert!(
        eventually(Duration::from_secs(2), answers),
        "a stale socket is no obstacle"
    );
    for _ in 0..10 {
        web.kill(Service::Cacher);
        let known = web.run("timeout 1 getent passwd alice");
        assert!(
            known.succeeded(),
            "people are known in a restart storm: {known:?}"
        );
    }
    assert!(
        eventually(Duration::from_secs(2), answers),
        "after a restart storm"
    );
}
