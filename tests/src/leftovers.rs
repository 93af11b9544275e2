//! Takes away what a lab leaves: processes, namespaces, folder. Runs when a lab ends, and at the
//! next start for labs whose process died; a living lab holds the lock of its folder.

use crate::cgroup::remove_groups_of;
use crate::command::{OrFail, outcome};
use crate::network::remove_namespaces_of;
use std::fs::{self, File};
use std::path::Path;

/// Name of the file that a living lab keeps locked.
pub(crate) const LOCK: &str = "lock";
/// Present in the folder of a lab that is meant to outlive the process that made it.
pub(crate) const KEPT: &str = "kept";

/// Removes every lab below `labs` that nobody holds any more.
pub(crate) fn sweep(labs: &Path) {
    let entries = fs::read_dir(labs).or_fail(&format!("list {}", labs.display()));
    for lab in entries.flatten().map(|entry| entry.path()) {
        if lab.join(KEPT).exists() {
            continue;
        }
        let abandoned = File::open(lab.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_ok());
        if abandoned {
            remove(&lab);
        }
    }
}

/// Removes one lab with everything that runs in it.
pub(crate) fn remove(lab: &Path) {
    stop_processes(lab);
    if let Some(name) = lab.file_name().and_then(|name| name.to_str()) {
        remove_groups_of(name);
        remove_namespaces_of(name);
    }
    outcome(
        "rm",
        &["-rf", "--one-file-system", &lab.display().to_string()],
    );
}

/// Every process of a lab that must be ended by hand writes its id to a `.pid` file; the command
/// line naming the folder of the lab proves that the id still belongs to it.
fn stop_processes(lab: &Path) {
    let Ok(entries) = fs::read_dir(lab) else {
        return;
    };
    for file in entries.flatten().map(|entry| entry.path()) {
        if file.extension().is_none_or(|extension| extension != "pid") {
            continue;
        }
        let id = fs::read_to_string(&file).unwrap_or_default();
        let id = id.trim();
        let command_line = fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        if String::from_utf8_lossy(&command_line).contains(&*lab.to_string_lossy()) {
            outcome("kill", &["-KILL", id]);
        }
    }
}
