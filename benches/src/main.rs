//! How fast a right is taken away, measured on real parts: a directory on SQLite in a network of
//! its own; one real host with an open ssh session; many simulated hosts with real keys, streams
//! and signatures. Prints a table, and JSON with `--json FILE`.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "it prints its results")]

mod administrator;
mod clock;
mod figures;
mod real_host;
mod simulated_host;
mod simulation;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use system_tests::Lab;

use crate::figures::{Figures, milliseconds};

/// Whatever ends the benchmark early.
pub(crate) type Failure = Box<dyn std::error::Error + Send + Sync>;

const P50_MUST: Duration = Duration::from_millis(300);
const P99_MUST: Duration = Duration::from_secs(2);

/// Measures how fast a suspension arrives.
#[derive(Parser)]
struct Arguments {
    /// How many suspensions are measured on the real host.
    #[arg(long, default_value_t = 100)]
    rounds: u32,
    /// How many hosts are simulated.
    #[arg(long, default_value_t = 200)]
    hosts: u32,
    /// How many suspensions are measured on the simulated hosts.
    #[arg(long, default_value_t = 20)]
    simulated_rounds: u32,
    /// Where the figures go for programs.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let lab = Lab::new();
    let directory = lab.directory();
    let real = real_host::measure(&lab, &directory, arguments.rounds)?;
    let simulated = simulation::measure(&directory, arguments.hosts, arguments.simulated_rounds)?;
    let rows = [
        ("one real host: denied, ssh session gone".to_owned(), real),
        (
            format!("{} simulated hosts: message verified", arguments.hosts),
            simulated,
        ),
    ];
    tell(&rows);
    if let Some(path) = arguments.json {
        let figures: Vec<_> = rows
            .iter()
            .map(|(what, figures)| figures.json(what))
            .collect();
        std::fs::write(path, serde_json::to_string_pretty(&figures)?)?;
    }
    let slow = rows.iter().any(|(_, figures)| {
        figures.count() == 0 || figures.within(50) > P50_MUST || figures.within(99) > P99_MUST
    });
    if slow {
        Err("slower than p50 300 ms or p99 2 s".into())
    } else {
        Ok(())
    }
}

fn tell(rows: &[(String, Figures)]) {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header([
        "from the return of the call to",
        "count",
        "p50 ms",
        "p99 ms",
        "max ms",
    ]);
    for (what, figures) in rows {
        let [p50, p99, max] = [50, 99, 100].map(|share| milliseconds(figures.within(share)));
        table.add_row([
            what.clone(),
            figures.count().to_string(),
            format!("{p50:.1}"),
            format!("{p99:.1}"),
            format!("{max:.1}"),
        ]);
    }
    println!("{table}");
    println!("must: p50 below 300 ms, p99 below 2 s");
}
