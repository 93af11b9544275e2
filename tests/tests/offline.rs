//! The promise the whole project stands for: the network is gone, and the host still knows its
//! people.

use system_tests::{DIRECTORY_PORT, LOCAL_PASSWORD, LOCAL_USER, PASSWORD, Service, Site};

#[test]
fn a_person_who_never_logged_in_here_logs_in_with_the_network_cut() {
    let site = Site::new();
    let web = &site.web;

    site.directory.kill();
    web.reboot();
    assert_eq!(site.alice().run("id -un").succeeds(), "alice");
    assert_eq!(
        site.person("alice", PASSWORD).run("id -un").succeeds(),
        "alice"
    );
    assert_eq!(
        site.person(LOCAL_USER, LOCAL_PASSWORD)
            .run("id -un")
            .succeeds(),
        LOCAL_USER
    );

    web.cut_network();
    web.reboot();
    web.restart(Service::Cacher);
    let mut login = web.terminal("login");
    login.expect("login: ").answer("alice");
    login.expect("(?i)password: ").answer(PASSWORD);
    login.expect(r"\$ ").answer("id -un; exit");
    assert!(login.finish().text().contains("alice"));
}

#[test]
fn the_host_catches_up_by_itself_when_the_network_is_back() {
    let site = Site::new();
    site.web.cut_network();
    site.directory.add_person("bob", PASSWORD, &["web"]);
    assert!(!site.web.run("id bob").succeeded());
    site.web.restore_network();
    site.web.until("id bob");
    assert_eq!(site.person("bob", PASSWORD).run("id -un").succeeds(), "bob");
}

#[test]
fn syn_15_a_bad_network_does_not_slow_a_login_down() {
    let site = Site::new();
    let web = &site.web;
    let login = || {
        let login = site.person("alice", PASSWORD).run("id -un");
        assert_eq!(login.succeeds(), "alice");
        login.took
    };
    login();
    let usual = login();
    let faults: [(&str, &dyn Fn()); 5] = [
        ("refused", &|| {
            web.refuse_connections_to_port(DIRECTORY_PORT)
        }),
        ("dropped", &|| web.drop_packets_to_port(DIRECTORY_PORT)),
        ("30 of 100 packets lost", &|| {
            web.lose_packets_to_port(DIRECTORY_PORT, 30)
        }),
        ("seconds late", &|| site.directory.answer_late()),
        ("hung", &|| site.directory.hang()),
    ];
    for (name, fault) in faults {
        fault();
        web.restart(Service::Cacher);
        web.until("test -S /run/cloudid/pam.sock");
        for _ in 0..2 {
            let took = login();
            assert!(
                took.as_millis() < usual.as_millis() + 1000,
                "{name}: {took:?}, not {usual:?}"
            );
        }
        web.restore_network();
        site.directory.answer_in_time();
    }
    site.directory.unhang();
}
