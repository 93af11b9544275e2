//! Root and the accounts of the host itself never depend on cloudid, whatever happens to it; and
//! people of the directory are let in by nobody else.

use std::time::Duration;
use system_tests::{
    Host, LOCAL_PASSWORD, LOCAL_USER, PASSWORD, ROOT_PASSWORD, Service, Site, Stopwatch,
};

/// Longest time a local account may wait: a password check of pam_unix and nothing else.
const WITHOUT_DELAY: Duration = Duration::from_millis(1500);

/// What happens to the cacher, and how it is mended.
type State = (&'static str, fn(&Host), fn(&Host));

const STATES: [State; 4] = [
    (
        "absent",
        |host| host.stop(Service::Cacher),
        |host| host.start(Service::Cacher),
    ),
    (
        "hung",
        |host| host.hang(Service::Cacher),
        |host| host.unhang(Service::Cacher),
    ),
    (
        "crash-looping",
        |host| host.crash_again_and_again(Service::Cacher),
        |host| host.start(Service::Cacher),
    ),
    (
        "of a wrong owner",
        |host| drop(host.ok("chown local /run/cloudid /run/cloudid/*.sock")),
        |host| {
            host.ok("chown cloudid /run/cloudid");
            host.restart(Service::Cacher);
        },
    ),
];

#[test]
fn pam_02_local_users_are_never_refused_by_us_and_people_never_let_in_by_others() {
    let site = Site::new();
    let web = &site.web;
    let steps = "authenticate acct_mgmt";
    assert!(web.pam("sshd", "alice", PASSWORD, steps).succeeded(), "up");
    for (state, happen, mend) in STATES {
        happen(web);
        for (user, password) in [("root", ROOT_PASSWORD), (LOCAL_USER, LOCAL_PASSWORD)] {
            let watch = Stopwatch::start();
            let right = web.pam("sshd", user, password, steps);
            assert!(right.succeeded(), "{user}, cacher {state}: {right:?}");
            assert!(watch.elapsed() < WITHOUT_DELAY, "{user}, cacher {state}");
            assert!(
                !web.pam("sshd", user, "wrong", steps).succeeded(),
                "{user}, cacher {state}"
            );
        }
        // in a crash loop the cacher may be up at this moment, and then alice is let in by us
        if state != "crash-looping" {
            for phase in ["authenticate", "acct_mgmt"] {
                let answer = web.pam("sshd", "alice", PASSWORD, phase);
                assert!(
                    !answer.succeeded(),
                    "alice, {phase}, cacher {state}: {answer:?}"
                );
            }
        }
        let unknown = web.pam("sshd", "nobody-knows-me", PASSWORD, steps);
        assert!(!unknown.succeeded(), "cacher {state}: {unknown:?}");
        mend(web);
        web.until(&format!(
            "echo {PASSWORD} | timeout 20 pamtester sshd alice {}",
            "authenticate"
        ));
    }
}

#[test]
fn pam_20_a_hung_cacher_delays_neither_root_nor_local_users() {
    let site = Site::new();
    let web = &site.web;
    web.hang(Service::Cacher);
    let local = site.person(LOCAL_USER, LOCAL_PASSWORD).run("id -un");
    assert_eq!(local.succeeds(), LOCAL_USER);
    assert!(local.took < Duration::from_secs(2), "{:?}", local.took);
    for (user, password) in [("root", ROOT_PASSWORD), (LOCAL_USER, LOCAL_PASSWORD)] {
        let watch = Stopwatch::start();
        let mut su = web.terminal_of(LOCAL_USER, &format!("su {user} -c whoami"));
        su.expect("(?i)password: ").answer(password);
        assert!(su.finish().succeeded());
        assert!(
            watch.elapsed() < Duration::from_secs(2),
            "{user}: {:?}",
            watch.elapsed()
        );
    }
    let watch = Stopwatch::start();
    assert!(!web.pam("login", "alice", PASSWORD, "acct_mgmt").succeeded());
    assert!(
        watch.elapsed() < Duration::from_secs(3),
        "{:?}",
        watch.elapsed()
    );

    let mut login = web.terminal("login");
    login.expect("login: ").answer("alice");
    login.interrupt();
    let watch = Stopwatch::start();
    let _ended = login.finish();
    assert!(
        watch.elapsed() < Duration::from_secs(3),
        "Ctrl-C works: {:?}",
        watch.elapsed()
    );
}

#[test]
fn a_local_name_is_never_shadowed_by_the_directory() {
    let site = Site::new();
    let web = &site.web;
    let before = web.ok("getent passwd local");
    site.directory.add_person("bob", PASSWORD, &["web"]);
    web.until("id bob");
    // useradd refuses the name, since the host knows a bob; somebody writes the file by hand
    web.ok("echo 'bob:x:1500:100::/tmp:/bin/sh' >> /etc/passwd && pwconv");
    web.ok("echo bob:local-bob-password | chpasswd");
    assert!(web.ok("id -u bob").parse::<u32>().unwrap() < 70_000);
    site.person("bob", PASSWORD).run("id -un").is_refused();
    assert_eq!(
        site.person("bob", "local-bob-password")
            .run("id -un")
            .succeeds(),
        "bob"
    );
    assert_eq!(web.ok("getent passwd local"), before);
}
