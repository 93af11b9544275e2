//! A host with people and both sockets for programs that know no NSS, as its clients meet them.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cacher_daemon::cacher::Cacher;
use cacher_daemon::disk::HostDisk;
use cacher_daemon::lookups::{self, Names};
use cacher_daemon::{daemon, listen};
use local_protocol::Trust;
use rustix::process::Uid;
use rustix::thread::set_thread_res_uid;
use signed_bundle::PersonRecord;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;

use crate::world::*;

/// Somebody without rights on the host.
pub(crate) const STRANGER: u32 = 65_533;

pub(crate) struct Lookups {
    pub(crate) host: TestHost,
    pub(crate) organisation: Organisation,
    pub(crate) cacher: Arc<Cacher>,
    pub(crate) daemon: Option<daemon::Running>,
    _running: lookups::Running,
}

impl Lookups {
    pub(crate) async fn new(people: Vec<PersonRecord>) -> Self {
        Self::with_settings(people, "").await
    }

    pub(crate) async fn with_settings(people: Vec<PersonRecord>, settings: &str) -> Self {
        let organisation = Organisation::new();
        let host = TestHost::new(&organisation);
        let text = format!("{settings}\n[nscd]\nenabled = true\n");
        std::fs::write(host.paths.settings(), text).unwrap();
        std::fs::write(
            host.paths.etc.join("nsswitch.conf"),
            "passwd: files cloudid\n",
        )
        .unwrap();
        std::fs::create_dir_all(&host.paths.lookups).unwrap();
        let folder = host.paths.etc.parent().unwrap();
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
        let (cacher, wishes) = host.started(Arc::new(HostDisk));
        give(&cacher, &organisation.bundle(1, &slice(people)))
            .await
            .unwrap();
        let daemon = daemon::start(&cacher, &host.paths, wishes).await.unwrap();
        let own = rustix::process::geteuid().as_raw();
        let names = Names::trusting(&host.paths, Trust::AlsoUser(own));
        let running = lookups::start(names, &host.config()).unwrap();
        Self {
            host,
            organisation,
            cacher,
            daemon: Some(daemon),
            _running: running,
        }
    }

    /// As the NSS module would see it.
    pub(crate) fn names(&self) -> Names {
        Names::of(&self.host.paths)
    }

    pub(crate) async fn userdb(&self) -> UnixStream {
        UnixStream::connect(self.host.paths.userdb_socket())
            .await
            .unwrap()
    }

    pub(crate) async fn nscd(&self) -> UnixStream {
        UnixStream::connect(self.host.paths.nscd_socket())
            .await
            .unwrap()
    }
}

/// Connects as another user: the kernel tells a server who connected, not who asks.
pub(crate) fn connect_as(uid: u32, socket: &Path) -> UnixStream {
    let socket = socket.to_owned();
    let connected = std::thread::spawn(move || {
        let uid = Uid::from_raw(uid);
        set_thread_res_uid(uid, uid, uid).unwrap();
        std::os::unix::net::UnixStream::connect(socket).unwrap()
    });
    let stream = connected.join().unwrap();
    stream.set_nonblocking(true).unwrap();
    UnixStream::from_std(stream).unwrap()
}

/// What is read until the other side hangs up; it must do so within `limit`.
pub(crate) async fn until_hung_up(stream: &mut UnixStream, limit: Duration) -> Vec<u8> {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(limit, stream.read_to_end(&mut rest)).await;
    // A reset is as good as an end.
    let _ = read.expect("the server does not hang up");
    rest
}

/// A stranger takes all places there are for one user; the next connection is closed at once, and
/// others still come in.
pub(crate) async fn one_user_cannot_take_all_places(socket: &Path) {
    let held: Vec<_> = (0..listen::PER_UID_MAX)
        .map(|_| connect_as(STRANGER, socket))
        .collect();
    let mut one_more = connect_as(STRANGER, socket);
    let limit = Duration::from_millis(1500);
    assert!(until_hung_up(&mut one_more, limit).await.is_empty());
    let mut other = connect_as(STRANGER - 1, socket);
    let mut byte = [0];
    let silence = Duration::from_millis(100);
    let waits = tokio::time::timeout(silence, other.read(&mut byte)).await;
    assert!(waits.is_err(), "let in, and nothing is said unasked");
    drop(held);
}
