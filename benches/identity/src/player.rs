//! A load generator that waits for its turn: it has read its names and warmed up, and measures for a
//! few milliseconds whenever it is told to.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use identity_bench::Outcome;

use crate::Failure;

/// Turns that do not count: in them a process comes to look up as one that has done it for long.
const WARM_UP_TURNS: u32 = 4;

/// A running load generator; it ends with this.
pub(crate) struct Player {
    process: Child,
    /// Closed to end it.
    ask: Option<ChildStdin>,
    told: BufReader<ChildStdout>,
    /// What its turns took together.
    took: Duration,
    /// What a call took in the last turn, in nanoseconds.
    call: f64,
}

impl Player {
    pub(crate) fn start(mut load: Command) -> Result<Self, Failure> {
        let mut process = load.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let told = process.stdout.take().ok_or("no output")?;
        Ok(Self {
            ask: process.stdin.take(),
            told: BufReader::new(told),
            process,
            took: Duration::ZERO,
            call: 0.0,
        })
    }

    /// Turns that do not count; one is enough for whoever is slow.
    pub(crate) fn warm_up(&mut self, time: Duration) -> Result<(), Failure> {
        for _ in 0..WARM_UP_TURNS {
            if self.has_time(time / 10) {
                self.turn()?;
            }
        }
        self.took = Duration::ZERO;
        Ok(())
    }

    /// Whether its turns took less than this so far.
    pub(crate) fn has_time(&self, time: Duration) -> bool {
        self.took < time
    }

    /// What a call takes; 0 where calls are counted.
    pub(crate) fn usual_call(&self) -> f64 {
        self.call
    }

    pub(crate) fn turn(&mut self) -> Result<Outcome, Failure> {
        let begun = now();
        let ask = self.ask.as_mut().ok_or("no input")?;
        ask.write_all(b"\n")?;
        let mut line = String::new();
        self.told.read_line(&mut line)?;
        self.took += begun.elapsed();
        let outcome: Outcome = serde_json::from_str(&line).map_err(|_| "a measurement failed")?;
        self.call = outcome.nanoseconds;
        Ok(outcome)
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        drop(self.ask.take());
        let _ = self.process.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
fn now() -> Instant {
    Instant::now()
}
