//! Over real TLS with a directory that misbehaves. Every case ends with what was in force before.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use cacher_daemon::account;
use cacher_daemon::cacher::Cacher;
use cacher_daemon::daemon;
use cacher_daemon::disk::HostDisk;
use cacher_daemon::sync::round::round;
use local_protocol::{Login, Outcome};
use tokio::time::timeout;

use crate::directory::{FakeDirectory, Manner};
use crate::world::*;

struct Scene {
    organisation: Organisation,
    host: TestHost,
    directory: FakeDirectory,
    cacher: Arc<Cacher>,
}

/// Version 1 with user1 is in force.
async fn scene() -> Scene {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let directory = FakeDirectory::start().await;
    directory.certify(&host.paths);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    Scene {
        organisation,
        host,
        directory,
        cacher,
    }
}

impl Scene {
    fn offer(&self, version: u64, people: &[u32]) {
        let people = people.iter().map(|number| person(*number)).collect();
        let bundle = self.organisation.bundle(version, &slice(people));
        self.directory.change(|state| state.bundle = bundle);
    }

    async fn round(&self) -> Result<bool, String> {
        let client = self.cacher.directory().unwrap();
        round(&self.cacher, &client, Duration::ZERO, false)
            .await
            .map_err(|error| error.to_string())
    }

    async fn login(&self, user: &str) -> Outcome {
        let login = Login {
            user: user.to_owned(),
            service: "sshd".to_owned(),
            ..Login::default()
        };
        account::decide(&self.cacher, &login).await.outcome
    }
}

#[tokio::test]
async fn a_newer_bundle_is_fetched_applied_and_acknowledged() {
    let scene = scene().await;
    scene.offer(2, &[1, 2]);
    assert_eq!(scene.round().await, Ok(true));
    assert_eq!(scene.login("user2").await, Outcome::Allowed);
    assert_eq!(scene.round().await, Ok(false));
    let acks = scene.directory.change(|state| state.acks.clone());
    assert_eq!(acks.last().unwrap()["bundle_version"], 2);
    let chunks = scene.directory.change(|state| {
        state
            .requests
            .iter()
            .filter(|path| path.contains("/chunks/"))
            .count()
    });
    scene.offer(3, &[1, 2]);
    assert_eq!(scene.round().await, Ok(true));
    let again = scene.directory.change(|state| {
        state
            .requests
            .iter()
            .filter(|path| path.contains("/chunks/"))
            .count()
    });
    assert_eq!(chunks, again, "chunks that are here are not fetched again");
}

#[tokio::test]
async fn syn_01_a_body_cut_anywhere_changes_nothing() {
    let scene = scene().await;
    scene.offer(2, &[1, 2]);
    let length = scene.directory.change(|state| state.bundle.manifest.len());
    for only in ["/manifest", "/chunks/"] {
        for at in (0..length).step_by(1) {
            scene.directory.change(|state| {
                state.only = only;
                state.manner = Manner::CutAfter(at);
            });
            assert!(scene.round().await.is_err(), "{only} cut at {at}");
            assert_eq!(scene.cacher.tables().version, 1);
        }
    }
    scene
        .directory
        .change(|state| state.manner = Manner::Proper);
    assert_eq!(scene.round().await, Ok(true));
}

#[tokio::test]
async fn syn_02_endless_answers_and_redirects_end_by_themselves_while_logins_go_on() {
    let scene = scene().await;
    scene.offer(2, &[1, 2]);
    for only in ["/manifest", "/chunks/"] {
        for manner in [
            Manner::Endless,
            Manner::EndlessHeaders,
            Manner::Redirect,
            Manner::Silent,
        ] {
            scene.directory.change(|state| {
                state.only = only;
                state.manner = manner.clone();
            });
            let (ended, login) = tokio::join!(
                timeout(Duration::from_secs(8), scene.round()),
                timeout(Duration::from_secs(1), scene.login("user1")),
            );
            assert!(
                ended.expect("within the deadline").is_err(),
                "{only} {manner:?}"
            );
            assert_eq!(login, Ok(Outcome::Allowed), "{only} {manner:?}");
            assert_eq!(scene.cacher.tables().version, 1);
        }
    }
}

#[tokio::test]
async fn syn_14_wrong_answers_change_nothing_and_say_why() {
    let scene = scene().await;
    scene.offer(2, &[1, 2]);
    let html = "<html>Welcome to the hotel</html>";
    for status in [200, 204, 401, 403, 404, 418, 429, 500, 503] {
        scene
            .directory
            .change(|state| state.manner = Manner::Always(status, html));
        let error = scene.round().await.unwrap_err();
        assert!(!error.is_empty(), "status {status}");
        assert_eq!(
            scene.login("user1").await,
            Outcome::Allowed,
            "status {status}"
        );
        assert_eq!(scene.cacher.tables().version, 1);
    }
}

#[tokio::test]
async fn syn_14_a_server_with_another_certificate_is_not_spoken_to() {
    let scene = scene().await;
    let impostor = FakeDirectory::start().await;
    let settings = format!("[directory]\nurl = [\"{}\"]\n", impostor.address);
    std::fs::write(scene.host.paths.directory_drop_in(), settings).unwrap();
    let cacher = scene.host.cacher();
    let client = cacher.directory().unwrap();
    assert!(
        round(&cacher, &client, Duration::ZERO, false)
            .await
            .is_err()
    );
    assert!(
        impostor.change(|state| state.requests.is_empty()),
        "not a word was said to it"
    );
}

#[tokio::test]
async fn syn_15_after_the_first_failure_no_login_waits_for_the_directory() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let directory = FakeDirectory::start().await;
    directory.certify(&host.paths);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    directory.change(|state| state.manner = Manner::Silent);
    let client = cacher.directory().unwrap();
    assert!(
        round(&cacher, &client, Duration::ZERO, false)
            .await
            .is_err()
    );
    let before = directory.change(|state| state.requests.len());
    for _ in 0..20 {
        let login = Login {
            user: "user1".to_owned(),
            ..Login::default()
        };
        let decided = timeout(Duration::from_millis(500), account::decide(&cacher, &login)).await;
        assert_eq!(decided.unwrap().outcome, Outcome::Allowed);
    }
    assert_eq!(directory.change(|state| state.requests.len()), before);
}

#[tokio::test]
async fn syn_06_the_same_bundle_for_ever_is_served_until_its_age_ends_logins() {
    let scene = scene().await;
    scene.offer(1, &[1]);
    for hours in [12, 48, 167] {
        scene
            .host
            .clock
            .turn_to(noon() + jiff::SignedDuration::from_hours(hours));
        let _ = scene.round().await;
        scene.cacher.watch().await;
        assert_eq!(scene.login("user1").await, Outcome::Allowed, "{hours} h");
    }
    let events = std::fs::read_to_string(scene.host.paths.events().join("000000000001")).unwrap();
    assert_eq!(
        events.matches("host.stale").count(),
        1,
        "one alarm, not one per look"
    );
    let status = scene.cacher.health();
    assert!(
        status.last_error.contains("expired"),
        "{}",
        status.last_error
    );
    scene
        .host
        .clock
        .turn_to(noon() + jiff::SignedDuration::from_hours(169));
    assert_eq!(scene.login("user1").await, Outcome::Denied);
}

#[tokio::test]
async fn a_pushed_suspension_is_in_force_and_acknowledged() {
    let scene = scene().await;
    let (cacher, wishes) = scene.host.started(Arc::new(HostDisk));
    let running = daemon::start(&cacher, &scene.host.paths, wishes)
        .await
        .unwrap();
    until(|| cacher.online() && scene.directory.push.receiver_count() > 0).await;
    let message = BASE64_STANDARD.encode(scene.organisation.suspension(9, "usr_1"));
    scene
        .directory
        .push
        .send(format!("event: fast\ndata: {message}\n\n"))
        .unwrap();
    until(|| {
        let acks = scene.directory.change(|state| state.acks.clone());
        acks.iter().any(|ack| ack["fast_lane_sequence"] == 9)
    })
    .await;
    let login = Login {
        user: "user1".to_owned(),
        ..Login::default()
    };
    assert_eq!(
        account::decide(&cacher, &login).await.outcome,
        Outcome::Denied
    );
    scene.offer(2, &[1, 2]);
    scene
        .directory
        .push
        .send("event: manifest\ndata: 2\n\n".to_owned())
        .unwrap();
    until(|| cacher.tables().version == 2).await;
    drop(running);
}

#[tokio::test]
async fn a_directory_that_is_heard_and_answers_nothing_stays_away_until_it_does() {
    let scene = scene().await;
    let (cacher, wishes) = scene.host.started(Arc::new(HostDisk));
    let _running = daemon::start(&cacher, &scene.host.paths, wishes)
        .await
        .unwrap();
    let directory = &scene.directory;
    let push = |event: &str| directory.push.send(event.to_owned()).unwrap();
    let asked = || directory.change(|state| state.requests.len());
    until(|| cacher.online() && directory.push.receiver_count() > 0).await;
    // What the host sends is lost from here on, what it is sent arrives.
    directory.change(|state| state.manner = Manner::Silent);
    push("event: manifest\ndata: 2\n\n");
    until(|| !cacher.online()).await;
    for _ in 0..2 {
        let before = asked();
        push("event: ping\ndata:\n\n");
        until(|| asked() > before).await;
        assert!(!cacher.online(), "nothing was answered");
    }
    directory.change(|state| state.manner = Manner::Proper);
    push("event: ping\ndata:\n\n");
    until(|| cacher.online()).await;
}

#[tokio::test]
async fn syn_16_logins_are_quick_while_the_directory_is_a_black_hole() {
    let scene = scene().await;
    scene.offer(2, &[1, 2]);
    scene
        .directory
        .change(|state| state.manner = Manner::Silent);
    let logins = async {
        for _ in 0..100 {
            let decided = timeout(Duration::from_secs(1), scene.login("user1")).await;
            assert_eq!(decided, Ok(Outcome::Allowed));
        }
        revoke(&scene.cacher, scene.organisation.suspension(1, "usr_1"))
            .await
            .unwrap();
        assert_eq!(scene.login("user1").await, Outcome::Denied);
    };
    let (round, ()) = tokio::join!(scene.round(), logins);
    assert!(round.is_err());
}

#[tokio::test]
async fn syn_23_a_host_put_back_by_a_day_fetches_forward_and_its_revocations_return() {
    let scene = scene().await;
    let saved = scene.host.paths.state.with_extension("saved");
    let copy = |from: &std::path::Path, to: &std::path::Path| {
        let copied = std::process::Command::new("/bin/cp")
            .arg("-a")
            .arg(from)
            .arg(to)
            .status();
        assert!(copied.unwrap().success());
    };
    copy(&scene.host.paths.state, &saved);
    scene.offer(2, &[1, 2]);
    scene.round().await.unwrap();
    let message = scene.organisation.suspension(9, "usr_1");
    revoke(&scene.cacher, message.clone()).await.unwrap();
    drop(scene.cacher);
    std::fs::remove_dir_all(&scene.host.paths.state).unwrap();
    copy(&saved, &scene.host.paths.state);
    let (cacher, wishes) = scene.host.started(Arc::new(HostDisk));
    let running = daemon::start(&cacher, &scene.host.paths, wishes)
        .await
        .unwrap();
    until(|| cacher.tables().version == 2 && scene.directory.push.receiver_count() > 0).await;
    let asked = scene.directory.change(|state| state.requests.clone());
    // It says itself what it has; what it once acknowledged does not count.
    assert!(
        asked
            .iter()
            .any(|path| path.ends_with("/stream?fast_after=0")),
        "{asked:?}"
    );
    let data = BASE64_STANDARD.encode(message);
    scene
        .directory
        .push
        .send(format!("event: fast\ndata: {data}\n\n"))
        .unwrap();
    let suspended = || {
        let tables = cacher.tables();
        tables.person("user1").unwrap().state == policy::UserState::Suspended
    };
    until(suspended).await;
    drop(running);
}
