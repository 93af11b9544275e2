//! A cacher that does not do its work is not said to be alive.

use std::sync::Arc;
use std::time::Duration;

use cacher_daemon::daemon;
use cacher_daemon::disk::HostDisk;
use cacher_daemon::pulse::works;
use tokio::net::UnixListener;

use crate::world::*;

const AMPLE: Duration = Duration::from_secs(10);

#[tokio::test]
async fn pkg_12_a_cacher_works_with_people_and_without_any() {
    let (host, cacher, _running) = running().await;
    assert!(works(&cacher, &host.paths.socket("nss.sock"), AMPLE).await);

    let host = TestHost::new(&Organisation::new());
    let (cacher, wishes) = host.started(Arc::new(HostDisk));
    let _running = daemon::start(&cacher, &host.paths, wishes).await.unwrap();
    assert!(works(&cacher, &host.paths.socket("nss.sock"), AMPLE).await);
}

#[tokio::test]
async fn pkg_12_a_cacher_whose_socket_is_gone_does_not_work() {
    let (host, cacher, running) = running().await;
    let socket = host.paths.socket("nss.sock");
    drop(running);
    assert!(!works(&cacher, &socket, AMPLE).await, "nobody listens");
    std::fs::remove_file(&socket).unwrap();
    assert!(!works(&cacher, &socket, AMPLE).await, "no socket");
    let _silent = UnixListener::bind(&socket).unwrap();
    let soon = Duration::from_millis(50);
    assert!(!works(&cacher, &socket, soon).await, "nobody answers");
}
