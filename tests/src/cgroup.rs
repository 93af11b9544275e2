//! The control group of one booted host: what its systemd arranges its services in, and what ends
//! every process of the host at once.

use crate::command::{OrFail, fail};
use crate::wait::eventually;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long the kernel may take to end what it was told to kill.
const END_LIMIT: Duration = Duration::from_secs(10);

/// Why this machine cannot boot hosts; nothing when it can.
#[must_use]
pub fn booting_is_impossible() -> Option<String> {
    let Some(hierarchy) = hierarchy() else {
        return Some("no cgroup2 is mounted".to_owned());
    };
    let trial = hierarchy.join(format!("cloudid-lab-trial-{}", std::process::id()));
    if let Err(error) = fs::create_dir(&trial) {
        return Some(format!("{} cannot be made: {error}", trial.display()));
    }
    let can_kill = trial.join("cgroup.kill").exists();
    let _ = fs::remove_dir(&trial);
    (!can_kill).then(|| "the kernel is older than 5.14: no cgroup.kill".to_owned())
}

/// A group of processes.
#[derive(Debug)]
pub(crate) struct ControlGroup(PathBuf);

impl ControlGroup {
    /// The group of a host of a lab.
    #[track_caller]
    pub(crate) fn of_host(lab: &str, host: &str) -> Self {
        if let Some(why) = booting_is_impossible() {
            fail(&format!("this machine cannot boot hosts: {why}"));
        }
        let hierarchy = hierarchy().or_fail("find the cgroup2 hierarchy");
        Self(hierarchy.join(lab).join(host))
    }

    /// Makes the group, empty, and answers the file that takes the ids of its processes.
    #[track_caller]
    pub(crate) fn make(&self) -> PathBuf {
        fs::create_dir_all(&self.0).or_fail(&format!("make {}", self.0.display()));
        self.0.join("cgroup.procs")
    }

    /// Ends all its processes and takes the groups away: in a group that was killed once, this
    /// kernel kills at birth what is started there later.
    pub(crate) fn end(&self) {
        let _ = fs::write(self.0.join("cgroup.kill"), "1");
        self.remove_when_empty();
    }

    /// Waits until its processes are gone and takes the groups away.
    pub(crate) fn remove_when_empty(&self) {
        let events = self.0.join("cgroup.events");
        let is_empty = || {
            let events = fs::read_to_string(&events).unwrap_or_default();
            !events.contains("populated 1")
        };
        eventually(END_LIMIT, is_empty);
        remove(&self.0);
    }
}

/// Ends whatever the booted hosts of a lab left.
pub(crate) fn remove_groups_of(lab: &str) {
    let Some(group) = hierarchy().map(|hierarchy| hierarchy.join(lab)) else {
        return;
    };
    if group.is_dir() {
        ControlGroup(group).end();
    }
}

/// Folders of the control group file system go one by one, the innermost first.
fn remove(group: &Path) {
    for entry in fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(group);
}

/// Where the machine has its cgroup2: the whole tree, or the part beside the older kind.
fn hierarchy() -> Option<PathBuf> {
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let place = |line: &str| {
        let mut words = line.split(' ').skip(1);
        let (place, kind) = (words.next()?, words.next()?);
        (kind == "cgroup2").then(|| PathBuf::from(place))
    };
    mounts.lines().find_map(place)
}
