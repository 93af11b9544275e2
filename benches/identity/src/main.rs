//! How long name lookups take with cloudid and with what else Linux hosts use, all in one run, in
//! throw-away roots with the same people. Prints a table, compares it with what cloudid has to
//! reach, and ends with a failure when a must is missed. JSON with `--json FILE`.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it prints its results, and what it is doing"
)]

mod bundle;
mod competitor;
mod copier_table;
mod figures;
mod host_figures;
mod limits;
mod player;
mod population;
mod renderings;
mod report;
mod root;
mod rounds;
mod row;
mod stage;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use clap::Parser;
use jiff::Timestamp;

use crate::competitor::Competitor;
use crate::population::Population;
use crate::report::Measured;
use crate::rounds::Contest;
use crate::row::Effort;

/// Whatever ends the benchmark early.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures name lookups beside the peers.
#[derive(Parser)]
struct Arguments {
    /// Numbers of users; 1000,10000,100000 by default, 10000 with --quick.
    #[arg(long, value_delimiter = ',')]
    users: Vec<usize>,
    /// Who is compared, besides our own module; everybody by default.
    #[arg(long, value_enum, value_delimiter = ',')]
    peers: Vec<Competitor>,
    /// Short turns and few rounds: to see whether something broke.
    #[arg(long)]
    quick: bool,
    /// Where the figures go for programs.
    #[arg(long)]
    json: Option<PathBuf>,
}

impl Arguments {
    fn users(&self) -> Vec<usize> {
        match (self.users.is_empty(), self.quick) {
            (false, _) => self.users.clone(),
            (true, true) => vec![10_000],
            (true, false) => vec![1_000, 10_000, 100_000],
        }
    }

    fn effort(&self) -> Effort {
        if self.quick {
            Effort {
                rounds: 32,
                milliseconds: 8,
                time_for_a_row: Duration::from_millis(500),
                users_remembered: 500,
                groups_remembered: 50,
                lesson_seconds: 10,
            }
        } else {
            Effort {
                rounds: 64,
                milliseconds: 10,
                time_for_a_row: Duration::from_millis(1_500),
                users_remembered: 10_000,
                groups_remembered: 1_000,
                lesson_seconds: 60,
            }
        }
    }

    /// The floor is always there: everything is compared with it.
    fn competitors(&self) -> Vec<Competitor> {
        let wanted =
            |one: &Competitor| !one.is_peer() || self.peers.is_empty() || self.peers.contains(one);
        Competitor::ALL.into_iter().filter(wanted).collect()
    }
}

fn main() -> Result<ExitCode, Failure> {
    let arguments = Arguments::parse();
    let root = root::prepared()?;
    let work = root::work_folder()?;
    root::install(&root, &work)?;
    std::fs::write(work.join("two-users"), "alice\n")?;
    let load = report::load_of_the_machine();
    let mut all = Vec::new();
    for users in arguments.users() {
        let folder = work.join(users.to_string());
        say(&format!("{users}: writing the people"));
        let population = Population::of(users);
        renderings::write(&population, &folder)?;
        std::fs::write(folder.join("copier.table"), copier_table::of(&population)?)?;
        bundle::write(&population, &folder.join("state"), now())?;
        let contest = Contest::start(&root, &work, &arguments.competitors(), users)?;
        contest.warm_up(arguments.effort())?;
        let figures = contest.measure(arguments.effort())?;
        let host = host_figures::measure(contest.ours()?, &population, arguments.effort())?;
        let measured = Measured {
            users,
            figures,
            host,
        };
        println!("{}", report::table(&measured));
        all.push(measured);
    }
    let verdicts = limits::verdicts(&all);
    println!("{}", report::verdicts(&verdicts, &load));
    if let Some(path) = arguments.json {
        std::fs::write(path, report::json(&all, &verdicts, &load)?)?;
    }
    let failed = verdicts.iter().any(limits::Verdict::fails);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Tells what is being done: a run takes minutes.
pub(crate) fn say(what: &str) {
    eprintln!("{what}");
}

#[expect(clippy::disallowed_methods, reason = "a bundle is signed at a time")]
fn now() -> Timestamp {
    Timestamp::try_from(SystemTime::now()).unwrap_or(Timestamp::UNIX_EPOCH)
}
