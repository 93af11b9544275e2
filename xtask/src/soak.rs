//! `cargo xtask soak`: the long variants of tests, those named `soak_*`, which the gate leaves out,
//! and what needs a nightly compiler. Tests are run round after round until the time is over; the
//! first failure ends it. Those named `soak_hour_*` take an hour each and are left out unless there
//! is time for them.

use crate::nightly;
use crate::prerequisites as need;
use crate::steps::Steps;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

/// One test at a time: they load the machine by themselves.
const RUN: &[&str] = &[
    "nextest",
    "run",
    "--workspace",
    "--locked",
    "--run-ignored",
    "only",
    "--no-fail-fast",
    "--no-tests",
    "fail",
    "--test-threads",
    "1",
    "--color",
    "never",
    "-E",
];
const ALL: &str = "test(/soak_/)";
const BRIEF_ONES: &str = "test(/soak_/) & not test(/soak_hour_/)";
/// From so many hours on there is time for tests that take an hour.
const HOURS_FOR_ALL: f64 = 2.0;

/// How long, in hours; without it one round.
pub(crate) fn run(hours: Option<f64>) -> ExitCode {
    if !need::is_root() || !need::is_debian() {
        eprintln!("soak tests run on throw-away hosts: run it as root on a Debian");
        return ExitCode::FAILURE;
    }
    let mut steps = Steps::new();
    let ready = need::install(&mut steps, need::TO_BUILD)
        && need::install(&mut steps, need::FOR_HOSTS)
        && need::install_nextest(&mut steps)
        && steps.check(
            "build",
            &mut cargo(&["build", "--workspace", "--all-targets", "--locked"]),
        )
        && steps.check("base root of hosts", &mut cargo(PREPARE));
    if !ready {
        return steps.finish();
    }
    let time = hours.map_or(Duration::ZERO, |hours| {
        Duration::from_secs_f64(hours * 3600.0)
    });
    nightly::miri(&mut steps);
    nightly::address_sanitizer(&mut steps);
    let which = if hours.is_some_and(|hours| hours >= HOURS_FOR_ALL) {
        ALL
    } else {
        steps.skip("tests that take an hour", "give --hours 2 or more");
        BRIEF_ONES
    };
    let begun = now();
    let mut round = 1;
    while steps.tests(&format!("soak, round {round}"), cargo(RUN).arg(which))
        && begun.elapsed() < time
    {
        round += 1;
    }
    steps.finish()
}

const PREPARE: &[&str] = &[
    "run",
    "--quiet",
    "--locked",
    "--package",
    "system-tests",
    "--bin",
    "prepare-lab",
];

/// The hours of a command line: more than none, and no more than a year.
pub(crate) fn hours(word: &str) -> Result<f64, String> {
    let hours: Option<f64> = word.parse().ok();
    hours
        .filter(|hours| *hours > 0.0 && *hours < 9000.0)
        .ok_or_else(|| format!("soak: not a number of hours: {word}"))
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(crate::workspace()).args(arguments);
    command
}

#[expect(clippy::disallowed_methods, reason = "how long it runs is its purpose")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_a_number_above_none() {
        assert_eq!(hours("0.5"), Ok(0.5));
        assert!(hours("0").is_err() && hours("-1").is_err() && hours("NaN").is_err());
        assert!(hours("many").unwrap_err().contains("many"));
    }
}
