//! Keeps the calling thread to one processor, so that moving does not count.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::Failure;

/// The processor of that number among those this process may use; the last one where there are
/// fewer.
pub(crate) fn keep_to(number: usize) -> Result<(), Failure> {
    let allowed = sched_getaffinity(None)?;
    let usable: Vec<usize> = (0..CpuSet::MAX_CPU)
        .filter(|cpu| allowed.is_set(*cpu))
        .collect();
    let chosen = usable.get(number).or(usable.last());
    let mut set = CpuSet::new();
    set.set(*chosen.ok_or("there is no processor")?);
    Ok(sched_setaffinity(None, &set)?)
}
