//! Ends every process of a directory user: asks, then kills, and looks again until none is left.
//! Works by pidfd, so that a number that was given to somebody else in the meantime is never hit.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use posix_names::Uid;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::Places;
use crate::local::LocalNames;

/// How long processes may take to end after they were asked.
const GRACE_MS: i64 = 200;
/// How long a killed process may take to vanish.
const KILL_MS: i64 = 1_000;
/// Looks at the process table at most; whoever forks faster than this is killed unasked.
const PASSES_MAX: u32 = 50;

/// Why sessions were not ended.
#[derive(Debug, thiserror::Error)]
pub enum EndError {
    /// Not a number of the directory.
    #[error(transparent)]
    OutsideRanges(#[from] posix_names::BadId),
    /// The host's own account, or a container's.
    #[error("uid {0} belongs to the host itself")]
    Local(u32),
    /// The process table cannot be read.
    #[error("/proc cannot be read: {0}")]
    Processes(#[from] io::Error),
    /// Some processes do not end: they hang in the kernel.
    #[error("{0} processes of uid {1} do not end")]
    Stuck(usize, u32),
}

/// Ends every process whose real, effective or saved uid this is. Says how many.
///
/// # Errors
/// The uid is not the directory's, or processes cannot be ended.
pub fn end_sessions(uid: u32, places: &Places) -> Result<u32, EndError> {
    let uid = Uid::new(u64::from(uid))?.get();
    if LocalNames::read(&places.etc).has_uid(uid) {
        return Err(EndError::Local(uid));
    }
    end_all_of(uid)
}

fn end_all_of(uid: u32) -> Result<u32, EndError> {
    let mut ended = 0;
    for pass in 0..PASSES_MAX {
        let processes = processes_of(uid)?;
        if processes.is_empty() {
            return Ok(ended);
        }
        // Only the first pass is polite: what starts afterwards was started to get around it.
        let (signals, patience): (&[Signal], i64) = if pass == 0 {
            // Shells ignore TERM and heed HUP; who was stopped hears nothing before it goes on.
            (&[Signal::HUP, Signal::TERM, Signal::CONT], GRACE_MS)
        } else {
            (&[Signal::KILL], KILL_MS)
        };
        for process in &processes {
            for signal in signals {
                // It may have ended by itself.
                let _ = pidfd_send_signal(process, *signal);
            }
        }
        ended += wait_for(&processes, patience);
    }
    match processes_of(uid)?.len() {
        0 => Ok(ended),
        left => Err(EndError::Stuck(left, uid)),
    }
}

/// Handles on all processes of a uid. The uid is read after the handle was opened: a number that
/// changed its owner in between is noticed.
fn processes_of(uid: u32) -> io::Result<Vec<OwnedFd>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Ok(entry) = entry else { continue };
        let number = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok());
        let Some(pid) = number.and_then(Pid::from_raw) else {
            continue;
        };
        if !belongs_to(&entry.path(), uid) {
            continue;
        }
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else {
            continue;
        };
        if belongs_to(&entry.path(), uid) {
            found.push(handle);
        }
    }
    Ok(found)
}

/// Whether the real, effective or saved uid is this one; a zombie belongs to nobody.
fn belongs_to(process: &Path, uid: u32) -> bool {
    let Ok(status) = fs::read_to_string(process.join("status")) else {
        return false;
    };
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name));
    let zombie = field("State:").is_some_and(|state| state.trim_start().starts_with(['Z', 'X']));
    let uids = field("Uid:").unwrap_or_default();
    !zombie
        && uids
            .split_whitespace()
            .take(3)
            .any(|number| number.parse() == Ok(uid))
}

/// Waits until all have ended or the time is over; says how many have.
fn wait_for(processes: &[OwnedFd], patience_ms: i64) -> u32 {
    let end = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    let end_ms = end.tv_sec * 1000 + end.tv_nsec / 1_000_000 + patience_ms;
    let mut ended = 0;
    for process in processes {
        let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
        let left = (end_ms - (now.tv_sec * 1000 + now.tv_nsec / 1_000_000)).max(0);
        let timeout = Timespec {
            tv_sec: left / 1000,
            tv_nsec: left % 1000 * 1_000_000,
        };
        let mut events = [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)];
        ended += u32::from(matches!(poll(&mut events, Some(&timeout)), Ok(1)));
    }
    ended
}
