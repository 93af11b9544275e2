//! Asks glibc for users and groups, or starts programs that do, and tells how long that took, as
//! one line of JSON. Which service answers is up to `/etc/nsswitch.conf`, read once by a process:
//! every measurement is a process of its own. With `--in-turns` it measures again for each line it
//! reads, so that several of them can take turns.
#![expect(clippy::print_stdout, reason = "it prints its outcome")]

mod calls;
mod clock;
mod ffi;
mod processes;
mod question;
mod socket;

use std::io::{Write, stdin, stdout};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use identity_bench::Outcome;

use crate::calls::Caller;
use crate::processes::Program;
use crate::question::Asked;

/// Whatever ends a measurement early.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    measure: Measure,
    /// Keeps to the processor of that number; with more threads, to that one and those after it.
    #[arg(long, global = true)]
    processor: Option<usize>,
    /// How long to measure.
    #[arg(long, global = true, default_value_t = 100)]
    milliseconds: u64,
    /// Measures once for each line of standard input.
    #[arg(long, global = true)]
    in_turns: bool,
}

#[derive(Subcommand)]
enum Measure {
    /// The median time of a call.
    Latency(Asked),
    /// Asks everything once, so that whoever answers knows it from then on.
    EachOnce(Asked),
    /// The time of the second lookup of this process.
    SecondLookup(Asked),
    /// How many calls some threads make.
    Throughput {
        #[command(flatten)]
        asked: Asked,
        #[arg(long)]
        threads: usize,
    },
    /// One of the other measurements, in several processes at once.
    AtOnce {
        #[arg(long)]
        processes: usize,
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// One of the other measurements, in many processes, one after the other.
    OneByOne {
        #[arg(last = true)]
        arguments: Vec<String>,
    },
    /// The median time of whole programs; the word `@` stands for a name.
    Programs {
        #[arg(long)]
        keys: PathBuf,
        #[arg(last = true)]
        command: Vec<String>,
    },
    /// Listens for `echo` as long as this process lives; its turns do nothing.
    ServeEcho,
    /// Connecting, one question and one answer, with a peer that only echoes.
    Echo,
    /// The same with the cacher of this host, for the owner of an id that the map lacks.
    Owner {
        #[arg(long)]
        id: u32,
    },
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let time = Duration::from_millis(arguments.milliseconds);
    if let Some(number) = arguments.processor {
        identity_bench::keep_to(None, number)?;
    }
    let mut measure = prepared(&arguments.measure)?;
    if !arguments.in_turns {
        return told(measure(time)?);
    }
    for line in stdin().lines() {
        line?;
        told(measure(time)?)?;
    }
    Ok(())
}

fn told(outcome: Outcome) -> Result<(), Failure> {
    println!("{}", serde_json::to_string(&outcome)?);
    Ok(stdout().flush()?)
}

/// Measures for so long; may be done again.
type Measurement<'a> = Box<dyn FnMut(Duration) -> Result<Outcome, Failure> + 'a>;

fn prepared(measure: &Measure) -> Result<Measurement<'_>, Failure> {
    Ok(match measure {
        Measure::Latency(asked) => {
            let mut caller = Caller::new(asked.read()?);
            Box::new(move |time| Ok(caller.latency(time)))
        }
        Measure::EachOnce(asked) => {
            let questions = asked.read()?;
            Box::new(move |time| Ok(calls::each_once(&questions, time)))
        }
        Measure::SecondLookup(asked) => {
            let questions = asked.read()?;
            Box::new(move |_| Ok(calls::second_lookup(&questions)))
        }
        Measure::Throughput { asked, threads } => {
            let questions = asked.read()?;
            Box::new(move |time| calls::throughput(&questions, *threads, time))
        }
        Measure::AtOnce {
            processes,
            arguments,
        } => Box::new(move |_| {
            let all = processes::at_once(*processes, arguments)?;
            Ok(all.into_iter().fold(Outcome::default(), Outcome::and))
        }),
        Measure::OneByOne { arguments } => Box::new(move |time| {
            processes::one_by_one(time, || {
                let one = processes::at_once(1, arguments)?;
                one.into_iter().next().ok_or_else(|| "no outcome".into())
            })
        }),
        Measure::Programs { keys, command } => {
            let mut program = Program::new(command, keys)?;
            Box::new(move |time| program.whole(time))
        }
        Measure::ServeEcho => {
            socket::serve_echo()?;
            Box::new(|_| Ok(Outcome::default()))
        }
        Measure::Echo => Box::new(socket::echo),
        Measure::Owner { id } => Box::new(move |time| socket::owner(*id, time)),
    })
}
