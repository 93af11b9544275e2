//! sshd asks our key command, and nothing else, which keys a person of the directory has.

use std::time::Duration;
use system_tests::{Client, LOCAL_PASSWORD, LOCAL_USER, PASSWORD, Service, Site, Stopwatch};

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
    let public = Client::public_key(&site.key);
    let [kind, key, ..] = public.split(' ').collect::<Vec<_>>()[..] else {
        panic!("not a public key: {public}")
    };
    let ask = |user: &str, kind: &str, key: &str| {
        let as_sshd = "setpriv --reuid cloudid-keys --regid cloudid-keys --clear-groups";
        web.run(&format!("{as_sshd} {COMMAND} '{user}' '{kind}' '{key}'"))
    };
    assert!(ask("alice", kind, key).stdout.contains(key));
    for hostile in [
        "$(touch /tmp/injected)",
        "a b",
        "-oProxyCommand=id",
        "../../etc/passwd",
        "%u",
    ] {
        assert!(ask(hostile, kind, key).stdout.is_empty(), "user {hostile}");
        assert!(
            ask("alice", hostile, key).stdout.is_empty(),
            "type {hostile}"
        );
        assert!(
            ask("alice", kind, hostile).stdout.is_empty(),
            "key {hostile}"
        );
    }
    assert!(!web.has("/tmp/injected"));
    web.ok(&format!("{COMMAND} alice {kind} {key} | true"));
    site.alice().run("id -un").succeeds();

    web.hang(Service::Cacher);
    let login = site.alice().run("id -un");
    login.is_refused();
    assert!(login.took < Duration::from_secs(5), "{:?}", login.took);
    let watch = Stopwatch::start();
    assert!(ask("alice", kind, key).stdout.is_empty());
    assert!(
        watch.elapsed() < Duration::from_millis(2500),
        "{:?}",
        watch.elapsed()
    );
    let local = site.person(LOCAL_USER, LOCAL_PASSWORD).run("id -un");
    assert_eq!(local.succeeds(), LOCAL_USER);
}
