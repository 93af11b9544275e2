//! Questions of lookups, which are answered on a thread of their own where the answer is known.

use std::sync::Arc;
use std::time::Duration;

use cacher_daemon::daemon;
use cacher_daemon::disk::HostDisk;
use local_protocol::{Client, IdQuestion, Owner, Reply, Request, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::world::*;

const USER1: Request = Request::OwnerOfId(IdQuestion::User(71_001));

/// A cacher with user1, running.
async fn running() -> (TestHost, daemon::Running) {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let (cacher, wishes) = host.started(Arc::new(HostDisk));
    let running = daemon::start(&cacher, &host.paths, wishes).await.unwrap();
    let bundle = organisation.bundle(1, &slice(vec![person(1)]));
    give(&cacher, &bundle).await.unwrap();
    (host, running)
}

fn user1() -> Reply {
    Reply::Owner(Owner::User {
        name: "user1".to_owned(),
        uid: 71_001,
        gid: 71_001,
    })
}

#[tokio::test]
async fn what_is_known_is_told_while_everything_else_stands_still() {
    let (host, _running) = running().await;
    let socket = host.paths.socket("nss.sock");
    // This holds up the one thread on which all else in the cacher runs. A question that comes late,
    // because this machine is busy, is waited for there.
    let told = |request: &Request| {
        (0..100).find_map(|_| {
            let mut client = Client::connect(&socket, Duration::from_millis(50)).ok()?;
            client.ask_for_files(request).ok()
        })
    };
    assert_eq!(told(&USER1).unwrap().0, user1());
    let (reply, files) = told(&Request::IdentityMap).unwrap();
    assert_eq!(reply, Reply::IdentityMap);
    assert!(files.iter().all(Option::is_some));
}

#[tokio::test]
async fn a_question_that_comes_in_parts_is_answered_and_keeps_nobody_waiting() {
    let (host, _running) = running().await;
    let socket = host.paths.socket("nss.sock");
    let question = encode(&USER1).unwrap();
    let (begun, rest) = question.split_at(3);
    let mut slow = UnixStream::connect(&socket).await.unwrap();
    slow.write_all(begun).await.unwrap();
    // Answered after the other has been looked at.
    let mut quick = UnixStream::connect(&socket).await.unwrap();
    quick.write_all(&question).await.unwrap();
    let expected = encode(&user1()).unwrap();
    let mut told = vec![0; expected.len()];
    quick.read_exact(&mut told).await.unwrap();
    assert_eq!(told, *expected);
    slow.write_all(rest).await.unwrap();
    slow.read_exact(&mut told).await.unwrap();
    assert_eq!(told, *expected);
}

#[tokio::test]
async fn nobody_listens_once_the_cacher_is_stopped() {
    let (host, running) = running().await;
    drop(running);
    let refused = UnixStream::connect(host.paths.socket("nss.sock")).await;
    assert_eq!(
        refused.unwrap_err().kind(),
        std::io::ErrorKind::ConnectionRefused
    );
}
