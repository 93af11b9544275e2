//! sshd asks our key command, and nothing else, which keys a person of the directory has.

use std::time::Duration;
use system_tests::{LOCAL_PASSWORD, LOCAL_USER, PASSWORD, Service, Site};

const COMMAND: &str = "/usr/libexec/cloudid/cloudid-authorized-keys";

#[test]
fn ssh_10_keys_fail_closed_when_the_command_cannot_run() {
    let site = Site::new();
    let web = &site.web;
    site.alice().run("id -un").succeeds();
    assert!(
        web.ok("sshd -T -C user=alice,host=x,addr=10.77.0.9 | grep -i ^authorizedkeysfile")
            .to_lowercase()
            .ends_with("none")
    );
    for harm in ["chmod 700", "mv -t /root", "rm -f"] {
        web.ok(&format!("cp -p {COMMAND} /root/kept; {harm} {COMMAND}"));
        site.alice().run("id -un").is_refused();
        assert_eq!(
            site.person("alice", PASSWORD).run("id -un").succeeds(),
            "alice",
            "{harm}"
        );
        web.ok(&format!("cp -p /root/kept {COMMAND}; chmod 755 {COMMAND}"));
        site.alice().run("id -un").succeeds();
    }
    web.ok(&format!(
        "cp {COMMAND} /usr/local/bin/real; install -m 666 /dev/null /tmp/who-asks"
    ));
    let spy = "#!/bin/sh\nid > /tmp/who-asks\nexec /usr/local/bin/real \"$@\"\n";
    web.write_program(COMMAND, spy);
    site.alice().run("id -un").succeeds();
    let asked = web.read("/tmp/who-asks");
    assert!(asked.contains("(cloudid-keys)"), "{asked}");
    assert_eq!(
        asked.matches("cloudid-keys").count(),
        3,
        "no other groups: {asked}"
    );
}

#[test]
fn ssh_11_a_hung_cacher_holds_nobody_up_and_nothing_is_injected() {
    let site = Site::new();
    let web = &site.web;
    for hostile in [
        "$(touch /tmp/injected)",
        "a b",
        "-oProxyCommand=id",
        "../../etc/passwd",
        "%u",
    ] {
        let said = web.run(&format!(
            "su -s /bin/sh cloudid-keys -c \"{COMMAND} -- '{hostile}'\""
        ));
        assert!(said.stdout.is_empty(), "{hostile}: {said:?}");
    }
    assert!(!web.has("/tmp/injected"));
    let closed_early = web.ok(&format!(
        "{COMMAND} alice | true; echo ${{PIPESTATUS:-done}}"
    ));
    assert_eq!(closed_early, "done");

    web.hang(Service::Cacher);
    let login = site.alice().run("id -un");
    login.is_refused();
    assert!(login.took < Duration::from_secs(5), "{:?}", login.took);
    let watch = system_tests::Stopwatch::start();
    web.run(&format!("su -s /bin/sh cloudid-keys -c '{COMMAND} alice'"));
    assert!(
        watch.elapsed() < Duration::from_secs(2),
        "{:?}",
        watch.elapsed()
    );
    let local = site.person(LOCAL_USER, LOCAL_PASSWORD).run("id -un");
    assert_eq!(local.succeeds(), LOCAL_USER);
}
