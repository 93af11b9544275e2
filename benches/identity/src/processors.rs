//! Keeps threads to one processor, so that moving does not count.

use std::io;

use rustix::process::Pid;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// Keeps a thread, the calling one where none is named, to the processor of that number among those
/// that this process may use; to the last one where there are fewer.
///
/// # Errors
/// The kernel refuses, or there is no such thread.
pub fn keep_to(thread: Option<Pid>, number: usize) -> io::Result<()> {
    let allowed = sched_getaffinity(None)?;
    let usable: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .collect();
    let chosen = usable.get(number).or(usable.last());
    let mut set = CpuSet::new();
    set.set(*chosen.ok_or_else(|| io::Error::other("there is no processor"))?);
    Ok(sched_setaffinity(thread, &set)?)
}

/// Lets a thread run wherever this process may.
///
/// # Errors
/// As above.
pub fn release(thread: Pid) -> io::Result<()> {
    Ok(sched_setaffinity(Some(thread), &sched_getaffinity(None)?)?)
}
