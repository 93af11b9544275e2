//! `cargo xtask bench`: the figures of the promises, measured on this machine by the programs of
//! `benches/`, with optimised programs.

use crate::prerequisites as need;
use std::process::{Command, ExitCode};

pub(crate) fn run() -> ExitCode {
    if !need::is_root() || !need::is_debian() {
        eprintln!("the figures are taken on throw-away hosts: run it as root on a Debian");
        return ExitCode::FAILURE;
    }
    let built = cargo(&["build", "--workspace", "--locked", "--release"]);
    let measure = [
        "run",
        "--locked",
        "--release",
        "--package",
        "benches",
        "--bin",
        "bench-revocation",
    ];
    if built && cargo(&measure) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn cargo(arguments: &[&str]) -> bool {
    let run = Command::new("cargo")
        .current_dir(crate::workspace())
        .args(arguments)
        .status();
    run.is_ok_and(|status| status.success())
}
