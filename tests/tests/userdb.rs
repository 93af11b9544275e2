//! People for programs that know no NSS module: systemd's own tools, and static programs of musl,
//! which speak to nscd. And that whoever knows NSS is not disturbed by either.

use std::time::Duration;
use system_tests::{
    Host, LOCAL_PASSWORD, LOCAL_USER, Layer, PASSWORD, SYSTEMD, Service, Site, Stopwatch, say,
};

/// systemd's user database with its tools, and the module that asks it for every program.
const USERDB: Layer = Layer {
    name: "userdb",
    packages: &[
        "systemd",
        "systemd-sysv",
        "systemd-container",
        "dbus",
        "libpam-systemd",
        "libnss-systemd",
        "systemd-userdbd",
    ],
    setup: SYSTEMD.setup,
};

const ALL_SOURCES: &str = "/run/systemd/userdb";
const OUR_SOURCE: &str = "/run/systemd/userdb/io.cloudid.UserDatabase";

fn site() -> Site {
    let site = Site::around(|lab| lab.booted_host_with("web-1", &USERDB));
    site.web.until(&format!("test -S {OUR_SOURCE}"));
    site
}

/// How long something may take that must not wait for anybody: far below the 45 seconds for which
/// systemd's clients are patient, far above what a busy machine adds.
const AT_ONCE: Duration = Duration::from_secs(8);

fn within(limit: Duration, what: &str, work: impl FnOnce()) {
    let watch = Stopwatch::start();
    work();
    assert!(watch.elapsed() < limit, "{what} took {:?}", watch.elapsed());
}

#[test]
fn userdbctl_and_loginctl_show_alice_and_root_sees_her_keys() {
    let site = site();
    let web = &site.web;
    assert!(
        web.ok("grep ^group: /etc/nsswitch.conf")
            .contains("systemd")
    );
    let shown = web.ok("userdbctl --with-nss=no user alice");
    for part in [
        "alice",
        "io.cloudid.UserDatabase",
        "/home/alice",
        "/bin/bash",
        "web",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let record = web.ok("userdbctl --with-nss=no --output=json user alice");
    let uid = web.ok("id -u alice");
    assert!(record.contains(&uid), "{record}");
    assert_eq!(
        web.ok(&format!("userdbctl --with-nss=no user {uid}")),
        shown
    );
    assert!(
        web.ok("userdbctl --with-nss=no group web")
            .contains("alice")
    );
    assert!(
        web.ok("userdbctl --with-nss=no groups-of-user alice")
            .contains("web")
    );
    assert!(
        web.ok("userdbctl --with-nss=no users-in-group web")
            .contains("alice")
    );
    assert!(
        !web.run("userdbctl --with-nss=no user nobody-knows-me")
            .succeeded()
    );
    let keys = web.ok("userdbctl --with-nss=no ssh-authorized-keys alice");
    assert!(keys.contains("ssh-ed25519 "), "{keys}");
    let as_local = web.run("su local -c 'userdbctl --with-nss=no ssh-authorized-keys alice'");
    assert!(!as_local.stdout.contains("ssh-ed25519"), "{as_local:?}");
    site.directory.ok(&["user", "suspend", "alice"]);
    web.until("! userdbctl --with-nss=no ssh-authorized-keys alice | grep -q ssh-");

    site.directory.ok(&["user", "activate", "alice"]);
    let session = site.person("alice", PASSWORD);
    let shown = session.run("loginctl user-status alice").succeeds();
    assert!(shown.contains("alice"), "{shown}");
}

#[test]
fn nss_15_with_systemd_beside_us_lookups_stay_the_same_and_no_group_is_told_twice() {
    let site = site();
    let web = &site.web;
    web.ok("printf '[nss]\\nenumerate = true\\n' > /etc/cloudid/conf.d/50-list.toml");
    web.ok("systemctl reload cloudid-cacher");
    web.until("getent passwd | grep -q ^alice:");
    assert!(web.ok("userdbctl --with-nss=no user").contains("alice"));
    // Once by our module, once by systemd's: the manual says so.
    assert_eq!(web.ok("getent passwd | grep -c ^alice:"), "2");
    let id = web.ok("id alice");
    let groups = web.ok("id -G alice");
    let mut once: Vec<_> = groups.split_whitespace().collect();
    once.sort_unstable();
    let all = once.len();
    once.dedup();
    assert_eq!(once.len(), all, "{groups}");
    for service in ["systemd-userdbd.socket systemd-userdbd", "cloudid-lookups"] {
        web.ok(&format!("systemctl restart {service}"));
        assert_eq!(web.ok("id alice"), id);
    }
    web.ok("systemctl stop cloudid-lookups");
    within(AT_ONCE, "without our service", || {
        assert_eq!(web.ok("id alice"), id)
    });
}

#[test]
fn nss_20_nobody_waits_at_boot_for_a_user_database_that_is_not_there_yet() {
    let site = site();
    let web = &site.web;
    web.cut_network();
    web.reboot();
    web.run("systemctl is-system-running --wait");
    let failed = web.ok("systemctl list-units --failed --plain --no-legend 'cloudid*'");
    assert_eq!(failed, "");
    let since = |unit: &str| -> u64 {
        let moment = |name: &str| -> u64 {
            let show = format!("systemctl show {unit} --property={name} --value");
            web.ok(&show).parse().unwrap()
        };
        moment("ActiveEnterTimestampMonotonic") - moment("InactiveExitTimestampMonotonic")
    };
    for unit in ["cloudid-identity-map", "cloudid-cacher", "cloudid-lookups"] {
        let micros = since(&format!("{unit}.service"));
        assert!(
            micros < 10_000_000,
            "{unit} took {micros} microseconds to start"
        );
    }
    web.until(&format!("test -S {OUR_SOURCE}"));
    assert!(
        web.ok("userdbctl --with-nss=no user alice")
            .contains("alice")
    );
}

#[test]
fn pam_20_a_hung_lookup_service_is_ended_and_a_hung_cacher_delays_nobody() {
    let site = site();
    let web = &site.web;
    let id = web.ok("id local");
    web.hang(Service::Cacher);
    within(AT_ONCE, "local users", || {
        assert_eq!(web.ok("id local"), id)
    });
    within(AT_ONCE, "alice", || {
        assert!(
            web.ok("userdbctl --with-nss=no user alice")
                .contains("alice")
        );
    });
    within(AT_ONCE, "a login of a local user", || {
        let login = web.pam(
            "login",
            LOCAL_USER,
            LOCAL_PASSWORD,
            "authenticate acct_mgmt",
        );
        assert!(login.succeeded(), "{login:?}");
    });
    web.unhang(Service::Cacher);
    web.hang(Service::Lookups);
    // Whoever asks meanwhile waits until the watchdog has ended it, not for systemd's patience.
    let hung = Stopwatch::start();
    assert_eq!(web.ok("id local"), id);
    say(&format!("with a hung service: {:?}", hung.elapsed()));
    assert!(
        hung.elapsed() < Duration::from_secs(20),
        "{:?}",
        hung.elapsed()
    );
    web.until("userdbctl --with-nss=no user alice");
}

/// What the program of tests/programs says to every question, built with either C library.
fn answers(host: &Host, program: &str) -> Vec<String> {
    let uid = host.ok("id -u alice");
    let gid = host.ok("getent group web | cut -d: -f3");
    let questions = [
        "user alice".to_owned(),
        format!("uid {uid}"),
        "group web".to_owned(),
        format!("gid {gid}"),
        "groups alice".to_owned(),
        format!("user {LOCAL_USER}"),
        "uid 0".to_owned(),
        "group audio".to_owned(),
        "gid 0".to_owned(),
        format!("groups {LOCAL_USER}"),
        "user nobody-knows-me".to_owned(),
        "uid 4321".to_owned(),
        "group nobody-knows-me".to_owned(),
        "groups nobody-knows-me".to_owned(),
    ];
    questions
        .iter()
        .map(|question| host.ok(&format!("timeout 3 {program} {question}")))
        .collect()
}

fn switch_nscd_on(host: &Host) {
    host.write(
        "/etc/cloudid/conf.d/60-nscd.toml",
        "[nscd]\nenabled = true\n",
    );
    host.restart(Service::Lookups);
    host.until("test -S /run/cloudid-lookups/nscd/socket");
    host.ok("mkdir -p /run/nscd && ln -sT /run/cloudid-lookups/nscd/socket /run/nscd/socket");
}

#[test]
fn a_static_musl_program_resolves_alice_and_a_local_user_by_the_nscd_socket() {
    let site = Site::new();
    let web = &site.web;
    web.ok("adduser --quiet local audio && adduser --quiet local users || usermod -aG audio local");
    web.install_c_program("lookups");
    web.install_static_c_program("lookups");
    assert_eq!(
        web.ok("lookups-musl user alice"),
        "no user",
        "musl knows no NSS"
    );
    assert!(
        !web.has("/run/cloudid-lookups/nscd/socket"),
        "off unless switched on"
    );
    let by_nss = answers(web, "lookups");
    assert!(by_nss[0].starts_with("alice:x:"), "{by_nss:?}");
    switch_nscd_on(web);
    assert_eq!(answers(web, "lookups-musl"), by_nss);
    assert_eq!(answers(web, "lookups"), by_nss, "glibc by the socket");

    // glibc with nothing but the files, and our socket: local users as before.
    web.ok("sed -i 's/^\\(passwd\\|group\\):.*/\\1: files/' /etc/nsswitch.conf");
    assert_eq!(answers(web, "lookups")[5..10], by_nss[5..10]);

    // Without the service nobody waits, and everybody knows what they knew before.
    web.stop(Service::Lookups);
    assert_eq!(web.ok("timeout 1 lookups-musl user alice"), "no user");
    assert!(
        web.ok("timeout 1 lookups-musl user local")
            .starts_with("local:x:")
    );
    assert_eq!(web.ok("timeout 1 id -un local"), "local");
}

#[test]
fn a_container_with_nothing_but_the_socket_knows_alice_and_its_own_users() {
    let site = Site::new();
    let web = &site.web;
    web.install_static_c_program("lookups");
    switch_nscd_on(web);
    let root = "/srv/container";
    web.ok(&format!(
        "mkdir -p {root}/etc {root}/bin {root}/var/run/nscd && cp /usr/local/bin/lookups-musl \
         {root}/bin/ && echo 'app:x:500:500::/:/bin/sh' > {root}/etc/passwd && \
         echo 'tools:x:501:app,alice' > {root}/etc/group"
    ));
    let inside = |question: &str| {
        web.ok(&format!(
            "unshare --mount --pid --ipc --fork sh -c 'mount --bind /run/cloudid-lookups/nscd \
             {root}/var/run/nscd && exec timeout 3 chroot {root} /bin/lookups-musl {question}'"
        ))
    };
    assert!(inside("user alice").starts_with("alice:x:"));
    assert!(inside("groups alice").contains("501"));
    assert!(inside("user app").starts_with("app:x:500:"));
    assert_eq!(inside("groups app"), "501 60000");
    web.restart(Service::Lookups);
    assert!(
        inside("user alice").starts_with("alice:x:"),
        "after a restart"
    );
}

#[test]
fn nss_15_our_nscd_socket_never_takes_the_place_of_another() {
    let site = site();
    let web = &site.web;
    web.write(
        "/etc/cloudid/conf.d/60-nscd.toml",
        "[nscd]\nenabled = true\n",
    );
    web.ok("systemctl restart cloudid-lookups");
    web.ok("mkdir -p /run/nscd && touch /run/nscd/socket");
    assert!(!web.run("systemctl start cloudid-nscd").succeeded());
    assert!(web.run("test -f /run/nscd/socket").succeeded());
    web.ok("rm /run/nscd/socket && systemctl reset-failed cloudid-nscd");
    web.ok("systemctl start cloudid-nscd");
    web.until("test -S /run/nscd/socket");
    web.install_static_c_program("lookups");
    web.install_c_program("lookups");
    assert!(web.ok("lookups-musl user alice").starts_with("alice:x:"));
    // systemd is a source here, so glibc programs are told to ask it themselves.
    assert_eq!(answers(web, "lookups")[10], "no user");
    let transient = "systemd-run --quiet --wait --pipe --property=DynamicUser=yes \
                     --unit=transient id -un";
    assert_eq!(web.ok(transient), "transient");
    web.ok("systemctl stop cloudid-nscd");
    assert!(!web.has("/run/nscd/socket"));
    assert!(web.run(&format!("ls {ALL_SOURCES}")).succeeded());
}
