//! Runs programs of the machine and reports what they said. Every run has a time limit, so that a
//! hung program ends a test with a sentence instead of hanging it.

use std::ffi::OsStr;
use std::process::{Command, Output};

/// Longest run of one command, in seconds.
const RUN_SECONDS_MAX: u32 = 60;

/// What a command answered.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The command line, for messages.
    pub what: String,
    /// Exit status; 124 or 137 when it was stopped at its limit, -1 when a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// True when the command ended with status 0.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.code == 0
    }

    /// The trimmed output of a command that must succeed.
    #[track_caller]
    #[must_use]
    pub fn text(&self) -> String {
        if !self.succeeded() {
            fail(&format!("this had to succeed: {self:?}"));
        }
        self.stdout.trim().to_owned()
    }
}

/// Ends the test with a sentence.
#[track_caller]
pub fn fail(why: &str) -> ! {
    #[expect(
        clippy::panic,
        reason = "a test reports by panicking; this is the only place"
    )]
    {
        panic!("{why}")
    }
}

/// Runs `program` of the machine with `arguments`, without judging the answer.
#[track_caller]
pub(crate) fn outcome<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> Outcome {
    let mut command = Command::new("timeout");
    command
        .arg("--kill-after=1")
        .arg(RUN_SECONDS_MAX.to_string())
        .arg(program)
        .args(arguments);
    finish(&mut command)
}

/// Runs `program` of the machine; it must succeed. Answers its trimmed output.
#[track_caller]
pub(crate) fn run<A: AsRef<OsStr>>(program: &str, arguments: &[A]) -> String {
    outcome(program, arguments).text()
}

/// Runs a prepared command and collects what it answers.
#[track_caller]
pub(crate) fn finish(command: &mut Command) -> Outcome {
    match command.output() {
        Ok(Output {
            status,
            stdout,
            stderr,
        }) => Outcome {
            what: format!("{command:?}"),
            code: status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&stdout).into_owned(),
            stderr: String::from_utf8_lossy(&stderr).into_owned(),
        },
        Err(error) => fail(&format!("{command:?} could not be started: {error}")),
    }
}

/// The value, or the end of the test with what was attempted.
pub(crate) trait OrFail<T> {
    /// `what` is the attempt in words: "make the directory /x".
    fn or_fail(self, what: &str) -> T;
}

impl<T, E: std::fmt::Display> OrFail<T> for Result<T, E> {
    #[track_caller]
    fn or_fail(self, what: &str) -> T {
        match self {
            Ok(value) => value,
            Err(error) => fail(&format!("could not {what}: {error}")),
        }
    }
}

impl<T> OrFail<T> for Option<T> {
    #[track_caller]
    fn or_fail(self, what: &str) -> T {
        match self {
            Some(value) => value,
            None => fail(&format!("could not {what}")),
        }
    }
}

/// The begin of a command that runs on: it dies with the thread that starts it, or, when it is
/// meant to stay, belongs to no terminal.
pub(crate) fn long_running(dies_with_us: bool) -> Command {
    let mut command = Command::new(if dies_with_us { "setpriv" } else { "setsid" });
    if dies_with_us {
        command.args(["--pdeathsig=KILL", "--"]);
    }
    command
}
