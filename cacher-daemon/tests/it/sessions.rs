//! Sessions of people, with a real helper beside the cacher.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::Arc;
use std::time::Duration;

use cacher_daemon::cacher::Cacher;
use cacher_daemon::helper::{self, Places};
use cacher_daemon::peer::{Peer, Standing};
use cacher_daemon::session;
use local_protocol::{Login, Outcome, Reply};
use signed_bundle::PersonRecord;

use crate::world::*;

/// Starts a helper for this host; it lives as long as the test program.
fn helper(host: &TestHost) {
    let places = Places {
        etc: host.paths.etc.clone(),
        skeleton: host.paths.etc.join("skel"),
        root: host.paths.etc.parent().unwrap().to_owned(),
    };
    let listener = helper::open(&host.paths.socket("helper.sock"), &places.etc).unwrap();
    std::thread::spawn(move || helper::serve(&listener, &places));
}

/// A person whose uid no other test uses: processes are real.
fn somebody(uid: u64) -> PersonRecord {
    let mut record = person(1);
    record.uid = posix_names::Uid::new(uid).unwrap();
    record.gid = record.uid.private_group();
    record
}

fn process_of(uid: u64) -> Child {
    Command::new("/bin/sleep")
        .arg("60")
        .uid(u32::try_from(uid).unwrap())
        .spawn()
        .unwrap()
}

async fn host_with(record: PersonRecord) -> (Organisation, TestHost, Arc<Cacher>) {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    helper(&host);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![record])))
        .await
        .unwrap();
    (organisation, host, cacher)
}

fn events(host: &TestHost) -> String {
    std::fs::read_to_string(host.paths.events().join("000000000001")).unwrap_or_default()
}

#[tokio::test]
async fn processes_of_a_suspended_person_end_and_those_of_others_live() {
    if !has_root() {
        return;
    }
    let (organisation, host, cacher) = host_with(somebody(99_801)).await;
    let (mut theirs, mut other) = (process_of(99_801), process_of(99_802));
    cacher.end_sessions_due().await;
    assert!(
        theirs.try_wait().unwrap().is_none(),
        "an active person's process lives"
    );
    revoke(&cacher, organisation.suspension(1, "usr_1"))
        .await
        .unwrap();
    cacher.end_sessions_due().await;
    assert!(!theirs.wait().unwrap().success());
    assert!(other.try_wait().unwrap().is_none());
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(events(&host).contains("session.terminated"));
}

#[tokio::test]
async fn an_account_that_expires_while_the_directory_is_away_ends_by_itself() {
    if !has_root() {
        return;
    }
    let mut record = somebody(99_803);
    record.expires_at = Some(noon() + jiff::SignedDuration::from_secs(10));
    let (_organisation, host, cacher) = host_with(record).await;
    let mut theirs = process_of(99_803);
    cacher.end_sessions_due().await;
    assert!(theirs.try_wait().unwrap().is_none());
    host.clock.pass(Duration::from_secs(10));
    cacher.end_sessions_due().await;
    assert!(!theirs.wait().unwrap().success());
}

#[tokio::test]
async fn who_loses_access_keeps_open_sessions_for_the_grace_even_over_a_restart() {
    if !has_root() {
        return;
    }
    let (organisation, host, cacher) = host_with(somebody(99_804)).await;
    let mut theirs = process_of(99_804);
    give(&cacher, &organisation.bundle(2, &slice(vec![person(2)])))
        .await
        .unwrap();
    host.clock.pass(Duration::from_secs(59));
    cacher.end_sessions_due().await;
    assert!(theirs.try_wait().unwrap().is_none());
    drop(cacher);
    let cacher = host.cacher();
    cacher.apply().await;
    host.clock.pass(Duration::from_secs(1));
    cacher.end_sessions_due().await;
    assert!(!theirs.wait().unwrap().success());
}

#[tokio::test]
async fn who_comes_back_within_the_grace_keeps_their_sessions() {
    if !has_root() {
        return;
    }
    let (organisation, host, cacher) = host_with(somebody(99_805)).await;
    let mut theirs = process_of(99_805);
    give(&cacher, &organisation.bundle(2, &slice(vec![person(2)])))
        .await
        .unwrap();
    give(
        &cacher,
        &organisation.bundle(3, &slice(vec![somebody(99_805)])),
    )
    .await
    .unwrap();
    host.clock.pass(Duration::from_secs(3600));
    cacher.end_sessions_due().await;
    assert!(theirs.try_wait().unwrap().is_none());
    theirs.kill().unwrap();
    theirs.wait().unwrap();
}

#[tokio::test]
async fn pam_22_sessions_are_balanced_whatever_the_order() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    let (ours, _theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let peer = Peer::of(std::os::fd::AsFd::as_fd(&ours)).unwrap();
    let login = Login {
        user: "user1".to_owned(),
        ..Login::default()
    };
    let mut numbers = Vec::new();
    for open in 1..=3 {
        let Reply::SessionOpened(id) = session::open(&cacher, &peer, &login).await else {
            panic!("not opened");
        };
        numbers.push(id);
        assert_eq!(cacher.sessions.count(), open);
    }
    for id in &numbers {
        session::close(&cacher, *id).await;
        session::close(&cacher, *id).await;
    }
    assert_eq!(cacher.sessions.count(), 0);
    assert_eq!(events(&host).matches("session.closed").count(), 3);
    let nobody = Login {
        user: "root".to_owned(),
        ..Login::default()
    };
    assert_eq!(
        session::open(&cacher, &peer, &nobody).await,
        Reply::Done(Outcome::NotOurs)
    );
}

#[tokio::test]
async fn a_session_whose_process_died_is_struck_off() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    // A program that connects, and then dies without closing its session.
    let path = host.paths.socket("test.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let script = "my $s = IO::Socket::UNIX->new(Peer => shift) or die; sleep 60";
    let mut program = Command::new("/usr/bin/perl")
        .args(["-MIO::Socket::UNIX", "-e", script])
        .arg(&path)
        .spawn()
        .unwrap();
    let (stream, _) = listener.accept().unwrap();
    let peer = Peer::of(std::os::fd::AsFd::as_fd(&stream)).unwrap();
    let login = Login {
        user: "user1".to_owned(),
        ..Login::default()
    };
    assert!(matches!(
        session::open(&cacher, &peer, &login).await,
        Reply::SessionOpened(_)
    ));
    session::sweep(&cacher).await;
    assert_eq!(cacher.sessions.count(), 1);
    program.kill().unwrap();
    program.wait().unwrap();
    assert!(
        !peer.standing().alive,
        "pf_08: whoever is gone asks for nothing"
    );
    session::sweep(&cacher).await;
    assert_eq!(cacher.sessions.count(), 0);
    assert!(events(&host).contains("process_gone"));
}

#[test]
fn the_helper_serves_nobody_but_root_and_the_cacher() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let passwd = "root:x:0:0::/:/bin/sh\ncloudid:x:989:989::/:/bin/false\n";
    std::fs::write(host.paths.etc.join("passwd"), passwd).unwrap();
    let of_this_host = |uid| Standing {
        uid,
        alive: true,
        of_this_host: true,
    };
    let served = |standing| helper::serves(standing, &host.paths.etc);
    for (uid, expected) in [
        (0, true),
        (989, true),
        (990, false),
        (1000, false),
        (71_001, false),
    ] {
        assert_eq!(served(of_this_host(uid)), expected, "{uid}");
    }
    let gone = Standing {
        alive: false,
        ..of_this_host(0)
    };
    let container_root = Standing {
        of_this_host: false,
        ..of_this_host(0)
    };
    assert!(!served(gone) && !served(container_root));
    std::fs::remove_file(host.paths.etc.join("passwd")).unwrap();
    assert!(
        !served(of_this_host(989)),
        "a host without the user has no cacher"
    );
}
