//! YubiKeys through real programs: enrolled by the API and by the pages, checked by a real
//! validation server, touched at a real sshd.

#[cfg(test)]
#[expect(
    dead_code,
    reason = "its ways to misbehave are tested with the directory"
)]
#[path = "../../directory-server/tests/it/validation_server.rs"]
mod validation_server;

use system_tests::{PASSWORD, Site};
use tokio::runtime::{Builder, Runtime};
use validation_server::{CLIENT, ValidationServer, password as touch};

/// A validation server for YubiKeys on the machine of the directory, until the runtime ends.
#[cfg(test)]
fn validation_server(site: &Site) -> (ValidationServer, Runtime) {
    let door = site.directory.door();
    let beside = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .on_thread_start(move || door.enter())
        .build()
        .unwrap();
    let started = beside.spawn(ValidationServer::start());
    let server = beside.block_on(started).unwrap();
    let secret = ValidationServer::secret();
    site.directory
        .validate_yubikeys(CLIENT, &secret, &server.url);
    (server, beside)
}

#[test]
fn mfa_08_a_key_and_a_touch_of_ones_own_yubikey_open_the_door_once() {
    const ALICES: &str = "cccccccccccc";
    const BOBS: &str = "cccccccccccd";
    let site = Site::new();
    site.directory.add_person("bob", PASSWORD, &["web"]);
    let (server, beside) = validation_server(&site);
    let enrol = |person, key| {
        site.directory
            .enrol_yubikey(person, PASSWORD, &touch(key, 1))
    };
    let backup_codes = enrol("alice", ALICES);
    let _ = enrol("bob", BOBS);
    site.change(&["policy", "add", "all"]);
    site.web.until("id alice | grep -q cloudid-key-code");

    let log_in = |code: &str| site.alice_by_key(code);
    assert_eq!(log_in(&touch(ALICES, 2)).text(), "alice");
    log_in(&touch(ALICES, 2)).refused();
    let asked = server.asked();
    log_in(&touch(BOBS, 2)).refused();
    assert_eq!(server.asked(), asked, "it is not even asked about");
    assert_eq!(log_in(&touch(ALICES, 3)).text(), "alice");

    drop(beside);
    log_in(&touch(ALICES, 4)).refused();
    let spare = log_in(&backup_codes[0]);
    assert_eq!(spare.text(), "alice");
    assert!(
        !spare.stderr.contains("Directory unreachable"),
        "nobody else goes by the mirror for that: {spare:?}"
    );
}
