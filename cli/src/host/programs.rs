//! Runs programs of the system: with an empty environment, a limit in time, and its own process
//! group, so that Ctrl-C ends us between two steps and never one of them half-way.

use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;

use crate::error::Failure;

const TIME_MAX: Duration = Duration::from_secs(90);

/// How a program ended and what it wrote.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) success: bool,
    /// The exit code; `None` when a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) output: String,
    pub(super) errors: String,
}

impl Finished {
    /// What it wrote, if it ended well.
    pub(super) fn or_fail(self, what: &str) -> Result<String, Failure> {
        if self.success {
            return Ok(self.output);
        }
        let why = if self.errors.trim().is_empty() {
            self.output
        } else {
            self.errors
        };
        Err(Failure::failed(what).because(why))
    }
}

/// Runs a program to its end; its standard input is empty.
pub(super) async fn run(program: &str, arguments: &[&str]) -> Result<Finished, Failure> {
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C.UTF-8")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .current_dir("/")
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .output();
    let failed = |why: String| Failure::failed(format!("{program} cannot be run")).because(why);
    let ended = tokio::time::timeout(TIME_MAX, child)
        .await
        .map_err(|_| failed(format!("it did not end within {} s", TIME_MAX.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    Ok(Finished {
        success: ended.status.success(),
        code: ended.status.code(),
        output: String::from_utf8_lossy(&ended.stdout).into_owned(),
        errors: String::from_utf8_lossy(&ended.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn cli_04_nothing_of_our_environment_reaches_a_program() {
        let shown = run("/usr/bin/env", &[])
            .await
            .unwrap()
            .or_fail("env")
            .unwrap();
        let mut names: Vec<_> = shown
            .lines()
            .filter_map(|line| line.split('=').next())
            .collect();
        names.sort_unstable();
        assert_eq!(names, ["DEBIAN_FRONTEND", "LC_ALL", "PATH"]);
    }

    #[tokio::test]
    async fn what_a_program_complains_of_is_the_reason() {
        let finished = run("/bin/sh", &["-c", "echo broken >&2; exit 3"])
            .await
            .unwrap();
        let failure = finished.or_fail("it failed").unwrap_err();
        assert!(failure.to_string().contains("broken"));
    }
}
