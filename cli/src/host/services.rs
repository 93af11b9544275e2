//! The daemons of this host. Where systemd runs it starts and stops them; elsewhere whoever runs
//! this machine starts them.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use local_protocol::{ADMIN_SOCKET, HELPER_SOCKET};
use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use super::places::SYSTEMD;
use super::programs;
use crate::error::Failure;

const SYSTEMCTL: &str = "/usr/bin/systemctl";
const UNITS: [&str; 3] = [
    "cloudid-identity-map.service",
    "cloudid-helper.socket",
    "cloudid-cacher.service",
];
const HELPER: &str = "cloudid-helper.service";
/// Answers programs that know no NSS module. The host does not depend on it.
const LOOKUPS: &str = "cloudid-lookups.service";
/// Leads those that look for nscd to it; an admin enables it.
const NSCD: &str = "cloudid-nscd.service";
const DAEMONS: [(&str, &str); 2] = [
    (ADMIN_SOCKET, "cloudid-cacher"),
    (HELPER_SOCKET, "cloudid-helper"),
];
const END_CHECKS: u32 = 50;
const END_PAUSE: Duration = Duration::from_millis(100);

pub(super) fn systemd_runs() -> bool {
    Path::new(SYSTEMD).is_dir()
}

/// Starts the daemons, now and at every boot. Says what to do where nothing can be started.
pub(super) async fn start() -> Result<Option<&'static str>, Failure> {
    if !systemd_runs() {
        return Ok(Some(
            "systemd does not run here: start cloudid-helper as root and cloudid-cacher as user \
             cloudid",
        ));
    }
    systemctl(&["daemon-reload"]).await?;
    let [map, socket, cacher] = UNITS;
    systemctl(&["enable", map, socket, cacher]).await?;
    systemctl(&["restart", socket, cacher]).await?;
    if is_known(LOOKUPS).await {
        systemctl(&["enable", LOOKUPS]).await?;
        systemctl(&["restart", "--no-block", LOOKUPS]).await?;
    }
    Ok(None)
}

/// Stops the daemons, now and for later boots. Stopping twice does no harm. Without systemd the
/// identity must be gone first, or whoever restarts them would do so again.
pub(super) async fn stop() -> Result<(), Failure> {
    if systemd_runs() {
        let [map, socket, cacher] = UNITS;
        for unit in [NSCD, LOOKUPS, cacher, socket, HELPER, map] {
            if is_known(unit).await {
                systemctl(&["disable", "--now", unit]).await?;
            }
        }
        return Ok(());
    }
    for (socket, name) in DAEMONS {
        if let Some(process) = listener(socket, name) {
            end(process, name).await?;
        }
    }
    Ok(())
}

pub(super) async fn systemctl(arguments: &[&str]) -> Result<String, Failure> {
    let what = format!("systemctl {} failed", arguments.join(" "));
    programs::run(SYSTEMCTL, arguments).await?.or_fail(&what)
}

/// Whether a unit is active.
pub(super) async fn is_active(unit: &str) -> bool {
    let asked = programs::run(SYSTEMCTL, &["is-active", "--quiet", unit]).await;
    asked.is_ok_and(|finished| finished.success)
}

/// Whether systemd has a file for the unit; an interrupted installation may lack some.
async fn is_known(unit: &str) -> bool {
    let asked = programs::run(SYSTEMCTL, &["cat", unit]).await;
    asked.is_ok_and(|finished| finished.success)
}

/// The process behind a socket, by the kernel's word, if it is the daemon.
fn listener(socket: &str, name: &str) -> Option<Pid> {
    let connection = UnixStream::connect(socket).ok()?;
    let peer = rustix::net::sockopt::socket_peercred(connection.as_fd()).ok()?;
    let process = peer.pid;
    let comm = std::fs::read_to_string(format!("/proc/{}/comm", process.as_raw_nonzero())).ok()?;
    (comm.trim() == name).then_some(process)
}

async fn end(process: Pid, name: &str) -> Result<(), Failure> {
    let failed = || {
        Failure::failed(format!(
            "{name} (process {}) does not end",
            process.as_raw_nonzero()
        ))
        .next("end it, then repeat this")
    };
    // A process that has just ended by itself is as good.
    let _ = kill_process(process, Signal::TERM);
    let _ = kill_process(process, Signal::CONT);
    for _ in 0..END_CHECKS {
        if test_kill_process(process).is_err() || is_zombie(process) {
            return Ok(());
        }
        tokio::time::sleep(END_PAUSE).await;
    }
    Err(failed())
}

fn is_zombie(process: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).is_ok_and(|stat| {
        stat.rsplit_once(") ")
            .is_some_and(|(_, rest)| rest.starts_with('Z'))
    })
}
