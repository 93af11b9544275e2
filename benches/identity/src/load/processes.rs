//! Times whole processes, from their start to their end.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::Failure;
use crate::clock::now;
use identity_bench::{Outcome, median};

/// Word of a command line in whose place the next name comes.
const NAME: &str = "@";

/// A program that is started with another name each time.
pub(crate) struct Program<'a> {
    command: &'a [String],
    names: Vec<String>,
    started: usize,
}

impl<'a> Program<'a> {
    pub(crate) fn new(command: &'a [String], keys: &Path) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(keys)?;
        Ok(Self {
            command,
            names: text.lines().map(str::to_owned).collect(),
            started: 0,
        })
    }

    /// Starts it until the time is over, once at least.
    pub(crate) fn whole(&mut self, time: Duration) -> Result<Outcome, Failure> {
        let mut outcome = Outcome::default();
        let mut samples = Vec::new();
        let until = now() + time;
        while samples.is_empty() || now() < until {
            let (right, took) = self.once()?;
            outcome.count(right);
            samples.push(took.as_secs_f64() * 1e9);
        }
        outcome.nanoseconds = median(&mut samples);
        Ok(outcome)
    }

    fn once(&mut self) -> Result<(bool, Duration), Failure> {
        let place = self.started.wrapping_mul(2_654_435_761) % self.names.len().max(1);
        self.started += 1;
        let name = self.names.get(place).map_or("", String::as_str);
        let (program, words) = self.command.split_first().ok_or("no program")?;
        let words = words
            .iter()
            .map(|word| if word == NAME { name } else { word.as_str() });
        let mut run = Command::new(program);
        run.args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let begun = now();
        let right = run.status()?.success();
        Ok((right, begun.elapsed()))
    }
}

/// This program again, in so many processes at once, with the same arguments but for the number
/// of processes; what they say, put together.
pub(crate) fn at_once(count: usize, arguments: &[String]) -> Result<Vec<Outcome>, Failure> {
    let this = std::env::current_exe()?;
    let started: Result<Vec<_>, _> = (0..count)
        .map(|number| {
            Command::new(&this)
                .args(arguments)
                .args(["--processor", &number.to_string()])
                .stdout(Stdio::piped())
                .spawn()
        })
        .collect();
    started?
        .into_iter()
        .map(|child| {
            let said = child.wait_with_output()?;
            Ok(serde_json::from_slice(&said.stdout)?)
        })
        .collect()
}

/// The median of one measurement in each of many young processes, one after the other.
pub(crate) fn one_by_one(
    time: Duration,
    mut once: impl FnMut() -> Result<Outcome, Failure>,
) -> Result<Outcome, Failure> {
    let mut all = Outcome::default();
    let mut samples = Vec::new();
    let until = now() + time;
    while now() < until || samples.is_empty() {
        let one = once()?;
        samples.push(one.nanoseconds);
        all = all.and(one);
    }
    all.nanoseconds = median(&mut samples);
    Ok(all)
}
