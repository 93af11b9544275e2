//! The promise the whole project stands for: the network is gone, and the host still knows its
//! people.

use system_tests::{LOCAL_PASSWORD, LOCAL_USER, Lab};

const PASSWORD: &str = "sunny-tables-sing";

#[test]
fn a_person_who_never_logged_in_here_logs_in_with_the_network_cut() {
    let lab = Lab::new();
    let laptop = lab.client();
    let directory = lab.directory();
    let web = lab.host("web-1");
    directory.enrol(&web, &["env=dev"]);
    let key = laptop.new_key("alice-key");
    directory.add_group_with_access("web", "env=dev");
    directory.add_person("alice", PASSWORD, &["web"]);
    directory.add_key("alice", &key);
    web.until("id alice");

    directory.kill();
    web.reboot();

    let alice = laptop.ssh(&web).user("alice");
    assert_eq!(alice.clone().key(&key).run("id -un").succeeds(), "alice");
    assert_eq!(
        alice.clone().password(PASSWORD).run("id -un").succeeds(),
        "alice"
    );
    let local = laptop.ssh(&web).user(LOCAL_USER).password(LOCAL_PASSWORD);
    assert_eq!(local.run("id -un").succeeds(), LOCAL_USER);

    web.cut_network();
    web.reboot();
    let mut login = web.terminal("login");
    login.expect("login: ").answer("alice");
    login.expect("(?i)password: ").answer(PASSWORD);
    login.expect(r"\$ ").answer("id -un; exit");
    assert!(login.finish().text().contains("alice"));
}
