//! The sockets as a hostile or broken client finds them.

use std::sync::Arc;
use std::time::Duration;

use cacher_daemon::daemon;
use cacher_daemon::disk::HostDisk;
use local_protocol::{FRAME_BYTES_MAX, HEADER_BYTES, Reply, Request, body_length, decode, encode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::world::*;

async fn exchange(stream: &mut UnixStream, request: &Request) -> std::io::Result<Reply> {
    stream.write_all(&encode(request).unwrap()).await?;
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    let mut body = vec![0; body_length(header).unwrap()];
    stream.read_exact(&mut body).await?;
    Ok(decode(&body).unwrap())
}

async fn status(host: &TestHost) -> std::io::Result<Reply> {
    let mut stream = UnixStream::connect(host.paths.socket("user.sock")).await?;
    exchange(&mut stream, &Request::Status).await
}

#[tokio::test]
async fn pf_02_frames_beyond_the_limit_are_refused_before_they_are_read() {
    let (host, _cacher, _running) = running().await;
    let most = u32::try_from(FRAME_BYTES_MAX).unwrap();
    for length in [0, 1, most - 1, most, most + 1, 1 << 31, u32::MAX] {
        let mut stream = UnixStream::connect(host.paths.socket("user.sock"))
            .await
            .unwrap();
        let header = [[1].as_slice(), &length.to_le_bytes()].concat();
        stream.write_all(&header).await.unwrap();
        if length <= most {
            // Announced and allowed, but nonsense.
            stream
                .write_all(&vec![0xff; length as usize])
                .await
                .unwrap();
        }
        // Closed without an answer, and without waiting for what was announced.
        let mut rest = Vec::new();
        let ended =
            tokio::time::timeout(Duration::from_secs(1), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok() && rest.is_empty(), "length {length}");
    }
    assert!(matches!(status(&host).await.unwrap(), Reply::Status(_)));
}

#[tokio::test]
async fn pf_02_a_frame_that_never_ends_is_given_up() {
    let (host, _cacher, _running) = running().await;
    let mut stream = UnixStream::connect(host.paths.socket("user.sock"))
        .await
        .unwrap();
    stream.write_all(&[1, 100, 0, 0, 0, 1]).await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(4), stream.read_to_end(&mut rest)).await;
    assert!(ended.is_ok() && rest.is_empty());
}

#[tokio::test]
async fn pf_06_a_status_holds_counts_and_no_names() {
    let (host, _cacher, _running) = running().await;
    let Reply::Status(status) = status(&host).await.unwrap() else {
        panic!()
    };
    assert_eq!(
        (status.bundle_version, status.people, status.groups),
        (1, 1, 1)
    );
    assert_eq!(status.host_id, HOST);
    assert!(!status.online);
}

#[tokio::test]
async fn syn_24_a_stale_socket_does_not_stand_in_the_way() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    for _ in 0..3 {
        let (cacher, wishes) = host.started(Arc::new(HostDisk));
        let running = daemon::start(&cacher, &host.paths, wishes).await.unwrap();
        assert!(matches!(status(&host).await.unwrap(), Reply::Status(_)));
        drop(running);
        assert!(
            host.paths.socket("user.sock").exists(),
            "left behind, as after a crash"
        );
    }
}

#[test]
fn syn_24_a_second_cacher_gives_way_and_a_dead_one_is_no_obstacle() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let first = daemon::only_one(&host.paths).unwrap();
    let refused = daemon::only_one(&host.paths).unwrap_err().to_string();
    assert!(refused.contains("another cacher"), "{refused}");
    drop(first);
    assert!(daemon::only_one(&host.paths).is_ok());
}

#[test]
fn syn_24_of_many_that_start_at_once_one_is_active_and_after_it_the_next() {
    const STARTING: usize = 8;
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let everybody = std::sync::Barrier::new(STARTING);
    let start = || {
        let mut active = 0;
        for _ in 0..50 {
            everybody.wait();
            let lock = daemon::only_one(&host.paths);
            active += usize::from(lock.is_ok());
            // All have tried before the one lets go, as in a crash.
            everybody.wait();
            drop(lock);
        }
        active
    };
    let active: usize = std::thread::scope(|scope| {
        let starting: Vec<_> = (0..STARTING).map(|_| scope.spawn(start)).collect();
        starting.into_iter().map(|one| one.join().unwrap()).sum()
    });
    assert_eq!(active, 50);
}
