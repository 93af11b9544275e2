//! Plays root of a host who has turned: from the host's complete state, how much can be known of the
//! codes that people will type? `rogue-root [ROOT]` reads the state below a root folder (`/` without
//! one), tries every code of some coming steps for every device, and prints how many remain.

use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use cacher_daemon::disk::HostDisk;
use cacher_daemon::identity::Enrolled;
use cacher_daemon::mirror::Mirror;
use cacher_daemon::paths::Paths;
use signed_bundle::{CheckBits, CheckBitsRecord};

const CODES: u32 = 1_000_000;
/// Steps looked at of each device; each takes a million hashes.
const STEPS: u64 = 5;
/// Wrong codes that the directory takes on the first day: three, and one after each lock, which
/// doubles from 15 minutes.
const TRIES_A_DAY: f64 = 9.0;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "prints its findings"
)]
fn main() -> ExitCode {
    let root = std::env::args_os().nth(1);
    let root = root.as_deref().map_or(Path::new("/"), Path::new);
    match look(root) {
        Ok(lines) => {
            for line in lines {
                println!("{line}");
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("rogue-root: {error}");
            ExitCode::FAILURE
        }
    }
}

fn look(root: &Path) -> Result<Vec<String>, String> {
    let paths = Paths::below(root);
    let enrolled = Enrolled::load(&paths).map_err(|error| error.to_string())?;
    let enrolled = enrolled.ok_or("this host is not enrolled")?;
    let mirror = Mirror::open(&paths, Arc::new(HostDisk), enrolled);
    let mirror = mirror.map_err(|error| error.to_string())?;
    let bundle = mirror.in_force().ok_or("there is no bundle")?;
    let stocks = &bundle.read.slice.check_bits;
    let mut lines = vec![format!("{} devices with coming codes", stocks.len())];
    lines.extend(stocks.iter().filter_map(|stock| finding(stock)));
    Ok(lines)
}

/// What the stock of one device gives away.
fn finding(record: &CheckBitsRecord) -> Option<String> {
    let stock = CheckBits::read(record)?;
    let steps = record.first_step..stock.end().min(record.first_step + STEPS);
    let left: Vec<f64> = steps
        .map(|step| f64::from(left(&record.user, step, &stock)))
        .collect();
    let steps = u32::try_from(left.len()).ok().filter(|steps| *steps > 0)?;
    let left = left.iter().sum::<f64>() / f64::from(steps);
    let known = (f64::from(CODES) / left).log2();
    let all = f64::from(CODES).log2();
    let tries = TRIES_A_DAY;
    let chance = 1.0 - (1.0 - 2.0 / left).powf(tries);
    Some(format!(
        "{} of {}: {known:.1} of {all:.1} bits of each code known, {left:.0} codes left; {tries} \
         guesses at the directory in a day succeed with {:.1} % at most",
        record.device,
        record.user,
        chance * 100.0
    ))
}

/// How many codes fit what the host knows of a step.
fn left(user: &str, step: u64, stock: &CheckBits) -> u32 {
    let fitting = (0..CODES).filter(|code| {
        Some(CheckBits::of_code(user, step, &format!("{code:06}"))) == stock.at(step)
    });
    u32::try_from(fitting.count()).unwrap_or(CODES)
}
