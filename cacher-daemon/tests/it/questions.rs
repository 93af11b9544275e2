//! Questions of lookups and of sshd's key command, which are answered on a thread of their own where
//! the answer is known.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cacher_daemon::daemon;
use cacher_daemon::disk::HostDisk;
use local_protocol::{
    Client, HEADER_BYTES, IdQuestion, KeyQuestion, Owner, Reply, Request, body_length, decode,
    encode,
};
use rustix::process::Uid;
use rustix::thread::set_thread_res_uid;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::lookups::STRANGER;
use crate::world::*;

/// `cloudid-keys`, as the host of these tests numbers it.
const KEYS_COMMAND: u32 = 990;
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

fn keys_of(user: &str) -> KeyQuestion {
    let (key_type, key) = KEY.split_once(' ').unwrap();
    KeyQuestion {
        user: user.to_owned(),
        key_type: key_type.to_owned(),
        key: key.to_owned(),
    }
}

/// Connects and asks as another user, one right after the other.
fn ask_as(uid: u32, socket: &Path, request: &Request) -> UnixStream {
    let (socket, question) = (socket.to_owned(), encode(request).unwrap());
    let asked = std::thread::spawn(move || {
        let uid = Uid::from_raw(uid);
        set_thread_res_uid(uid, uid, uid).unwrap();
        let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
        stream.write_all(&question).unwrap();
        stream
    });
    let stream = asked.join().unwrap();
    stream.set_nonblocking(true).unwrap();
    UnixStream::from_std(stream).unwrap()
}

async fn reply(stream: &mut UnixStream) -> Reply {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await.unwrap();
    let mut body = vec![0; body_length(header).unwrap()];
    stream.read_exact(&mut body).await.unwrap();
    decode(&body).unwrap()
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
async fn keys_are_told_while_everything_else_stands_still() {
    let (host, _running) = running().await;
    let told = |question: &KeyQuestion| {
        (0..100).find_map(|_| {
            let socket = host.paths.socket("keys.sock");
            let mut client = Client::connect(&socket, Duration::from_millis(50)).ok()?;
            client.ask(&Request::AuthorizedKeys(question.clone())).ok()
        })
    };
    assert_eq!(
        told(&keys_of("user1")),
        Some(Reply::Keys(vec![KEY.to_owned()]))
    );
    assert_eq!(told(&keys_of("nobody")), Some(Reply::Keys(Vec::new())));
}

#[tokio::test]
async fn a_question_of_the_wrong_user_or_to_the_wrong_socket_is_refused() {
    if !has_root() {
        return;
    }
    let (host, _running) = running().await;
    let told = async |uid, socket: &str, request: &Request| {
        let mut stream = ask_as(uid, &host.paths.socket(socket), request);
        reply(&mut stream).await
    };
    let keys = Request::AuthorizedKeys(keys_of("user1"));
    let user1_s_key = Reply::Keys(vec![KEY.to_owned()]);
    // Some are quick enough for the thread that accepts them, some are handed on.
    for _ in 0..20 {
        for uid in [0, KEYS_COMMAND] {
            assert_eq!(told(uid, "keys.sock", &keys).await, user1_s_key);
        }
        assert_eq!(told(STRANGER, "keys.sock", &keys).await, Reply::Refused);
        assert_eq!(told(0, "nss.sock", &keys).await, Reply::Refused);
        assert_eq!(told(0, "keys.sock", &USER1).await, Reply::Refused);
        assert_eq!(told(STRANGER, "nss.sock", &USER1).await, user1());
    }
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
