//! `cloudid-cacher lookups`: people for programs that know no NSS module. Two sockets, systemd's
//! user database and, where it is switched on, the protocol of nscd. A process of its own, as the
//! user `cloudid-keys`: it reads the published map, holds no secret, has no network, and answers
//! while the daemon is away. Names are never resolved through NSS here.
//!
//! It binds its sockets itself, and links lead to them from where clients look. A service manager
//! that held them open would let clients wait for a process that is not there yet: this one's own
//! start among them, which asks for the groups of its user.

mod door;
mod files;
mod map;
mod names;

use std::io;
use std::path::Path;
use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;

use crate::config::Config;
use crate::disk::make_folder;
use crate::paths::Paths;
use crate::{nscd, userdb};

pub use door::Door;
pub use files::{LocalFiles, OtherSources};
pub use map::{Group, PublishedMap, Unavailable, User};
pub use names::Names;

const SOCKET_MODE: u32 = 0o666;
const FOLDER_MODE: u32 = 0o755;

/// Everything that listens. Dropping it stops all of it.
#[derive(Debug)]
pub struct Running {
    _tasks: JoinSet<()>,
}

/// Opens the sockets and answers.
///
/// # Errors
/// A socket cannot be opened.
pub fn start(names: Names, config: &Config) -> io::Result<Running> {
    let names = Arc::new(names);
    let mut tasks = JoinSet::new();
    let paths = names.paths().clone();
    let door = Door::at(&paths.userdb_socket(), SOCKET_MODE)?;
    tasks.spawn(door.open(Arc::clone(&names), userdb::serve));
    if config.nscd.enabled {
        let socket = paths.nscd_socket();
        make_folder(socket.parent().unwrap_or(Path::new("/")), FOLDER_MODE)?;
        let door = Door::at(&socket, SOCKET_MODE)?;
        tasks.spawn(door.open(names, nscd::serve));
    }
    Ok(Running { _tasks: tasks })
}

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// A socket cannot be opened or a signal not be heard.
pub async fn run(paths: &Paths, config: &Config) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let _running = start(Names::of(paths), config)?;
    // Without a service manager there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    tracing::info!(nscd = config.nscd.enabled, "ready");
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = alive() => {}
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    Ok(())
}

/// Tells the service manager that this process still answers. Clients wait for an answer as long as
/// they please, so a process that hangs must go.
async fn alive() {
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    loop {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        tokio::time::sleep(patience / 3).await;
    }
}
