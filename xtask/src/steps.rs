//! Runs the steps of a chore one after the other, with time and result of each, and sums up. The
//! output of a step goes to a file; it is shown when the step fails.

use crate::test_counts::Counts;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

/// The steps done so far.
pub(crate) struct Steps {
    logs: PathBuf,
    done: Vec<Done>,
}

struct Done {
    name: String,
    took: Duration,
    result: Result,
}

enum Result {
    Passed(Counts),
    Failed(Counts),
    Skipped(String),
}

impl Steps {
    pub(crate) fn new() -> Self {
        let logs = crate::workspace().join("target/xtask");
        if let Err(error) = fs::create_dir_all(&logs) {
            eprintln!("{}: {error}", logs.display());
        }
        Self {
            logs,
            done: Vec::new(),
        }
    }

    /// One command that is right when it ends with status 0. True when it was.
    pub(crate) fn check(&mut self, name: &str, command: &mut Command) -> bool {
        self.step(name, |log| (run(command, log), Counts::default()))
    }

    /// One run of tests: its tests are counted, not the run.
    pub(crate) fn tests(&mut self, name: &str, command: &mut Command) -> bool {
        self.step(name, |log| {
            let succeeded = run(command, log);
            let said = fs::read_to_string(log).unwrap_or_default();
            (succeeded, Counts::of_run(&said))
        })
    }

    /// One chore of this program itself: the complaints it finds.
    pub(crate) fn complaints(&mut self, name: &str, found: impl FnOnce() -> Vec<String>) -> bool {
        self.step(name, |log| {
            let found = found();
            if let Err(error) = fs::write(log, found.join("\n")) {
                eprintln!("{}: {error}", log.display());
            }
            (found.is_empty(), Counts::default())
        })
    }

    /// A step that cannot be done here, and why.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        println!("{name:<28} skipped: {why}");
        let result = Result::Skipped(why.to_owned());
        self.done.push(Done {
            name: name.to_owned(),
            took: Duration::ZERO,
            result,
        });
    }

    fn step(&mut self, name: &str, work: impl FnOnce(&PathBuf) -> (bool, Counts)) -> bool {
        println!("{name:<28} ...");
        let file = name.replace(|c: char| !c.is_alphanumeric(), "-");
        let log = self.logs.join(format!("{file}.log"));
        let started = now();
        let (succeeded, counts) = work(&log);
        let took = started.elapsed();
        let counts = counts.of_step(succeeded);
        println!(
            "{name:<28} {}, {:.1} s",
            if succeeded { "ok" } else { "FAILED" },
            took.as_secs_f32()
        );
        if !succeeded {
            eprintln!("{}", fs::read_to_string(&log).unwrap_or_default());
        }
        let result = if succeeded {
            Result::Passed(counts)
        } else {
            Result::Failed(counts)
        };
        self.done.push(Done {
            name: name.to_owned(),
            took,
            result,
        });
        succeeded
    }

    /// Prints the table and the one line that sums up.
    pub(crate) fn finish(self) -> ExitCode {
        let mut total = Counts::default();
        println!("\n{:<28} {:>8}  result", "step", "seconds");
        for step in &self.done {
            let said = match &step.result {
                Result::Passed(counts) => {
                    total.add(*counts);
                    format!("ok ({})", counts.passed)
                }
                Result::Failed(counts) => {
                    total.add(*counts);
                    format!(
                        "FAILED ({} of {})",
                        counts.failed,
                        counts.failed + counts.passed
                    )
                }
                Result::Skipped(why) => {
                    total.skipped += 1;
                    format!("skipped: {why}")
                }
            };
            println!("{:<28} {:>8.1}  {said}", step.name, step.took.as_secs_f32());
        }
        println!(
            "\n{} passed, {} failed, {} skipped",
            total.passed, total.failed, total.skipped
        );
        if total.failed == 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }
}

/// Runs a command with its whole output in a file; true when it ended with status 0.
fn run(command: &mut Command, log: &PathBuf) -> bool {
    let started = File::create(log).and_then(|output| {
        let errors = output.try_clone()?;
        command
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .status()
    });
    match started {
        Ok(status) => status.success(),
        Err(error) => {
            eprintln!("{command:?} could not be started: {error}");
            false
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how long a step took is part of its report"
)]
fn now() -> Instant {
    Instant::now()
}
