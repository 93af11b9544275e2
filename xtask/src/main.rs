//! The chores of this repository: `cargo xtask demo`, `test`, `bench`, `soak`, `package`, `tidy`. Needs nothing but
//! the Rust toolchain to start; whatever else a chore needs, it installs, saying so.
#![forbid(unsafe_code)]
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it talks to whoever typed it"
)]

mod bench;
mod demo;
mod key_command;
mod nightly;
mod package;
mod prerequisites;
mod soak;
mod steps;
mod test;
mod test_counts;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
cargo xtask demo [--stop]                      a directory, an enrolled host, logins, the network cut
cargo xtask test [--ring 1|2|3] [--filter X]   all checks and tests; a ring alone, or tests named X
cargo xtask bench [revocation]                 how fast a right is taken away, as a table
cargo xtask bench identity [--quick] [--help]  how long name lookups take, beside the peers
cargo xtask bench bundle                       how long until a bundle of 10,000 people is in force
cargo xtask soak [--hours N]                   the long variants of tests, once or for so long
cargo xtask package deb|rpm [--profile dev] [--sign KEY]
                                               packages for Debian or RPM, into target/packages
cargo xtask package deb --reproduce [--profile dev]
                                               two builders make them from the sources; compared
cargo xtask tidy                               house rules the compiler does not know";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["demo"] => demo::run(),
        ["demo", "--stop"] => demo::stop(),
        ["test", choice @ ..] => match test::Choice::parse(choice) {
            Ok(choice) => test::run(&choice),
            Err(wrong) => usage(&wrong),
        },
        ["bench"] | ["bench", "revocation"] => bench::revocation(),
        ["bench", "identity", choice @ ..] => bench::identity(choice),
        ["bench", "bundle"] => bench::bundle(),
        ["soak"] => soak::run(None),
        ["soak", "--hours", hours] => match soak::hours(hours) {
            Ok(hours) => soak::run(Some(hours)),
            Err(wrong) => usage(&wrong),
        },
        ["package", choice @ ..] => match package::Choice::parse(choice) {
            Ok(choice) => package::run(&choice),
            Err(wrong) => usage(&wrong),
        },
        ["tidy"] => tidy::run(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => usage(&format!("not understood: {}", words.join(" "))),
    }
}

fn usage(wrong: &str) -> ExitCode {
    eprintln!("{wrong}\n\n{USAGE}");
    ExitCode::from(2)
}

/// The folder of the workspace.
fn workspace() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_owned()
}
