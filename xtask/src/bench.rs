//! `cargo xtask bench`: the figures of the promises, measured on this machine by the programs of
//! `benches/`, with optimised programs.

use crate::key_command;
use crate::prerequisites as need;
use crate::steps::Steps;
use std::process::{Command, ExitCode};

/// How fast a right is taken away.
pub(crate) fn revocation() -> ExitCode {
    let built = is_possible() && cargo(&["build", "--workspace", "--locked", "--release"]);
    finished(built && measure("benches", "bench-revocation", &[]))
}

/// How long name lookups take, beside the peers.
pub(crate) fn identity(arguments: &[&str]) -> ExitCode {
    finished(
        is_possible()
            && build_for_identity()
            && measure("identity-bench", "bench-identity", arguments),
    )
}

/// How long it takes until a bundle is in force on a host.
pub(crate) fn bundle() -> ExitCode {
    const TEST: &str = "promise::a_bundle_of_ten_thousand_people_is_in_force_in_time";
    let build = [
        "test",
        "--locked",
        "--release",
        "-p",
        "cacher-daemon",
        "--test",
        "it",
        "--",
    ];
    let run = ["--ignored", "--exact", "--nocapture", TEST];
    finished(cargo(&[&build[..], &run].concat()))
}

fn is_possible() -> bool {
    if !need::is_root() || !need::is_debian() {
        eprintln!("the figures are taken on throw-away hosts: run it as root on a Debian");
        return false;
    }
    let mut steps = Steps::new();
    need::install(&mut steps, need::TO_BUILD) && need::install(&mut steps, need::FOR_HOSTS)
}

/// The modules and the key command as packages have them, the programs, and one that does nothing.
fn build_for_identity() -> bool {
    let others = [
        "build",
        "--locked",
        "--profile",
        "module",
        "-p",
        "nss_floor",
        "-p",
        "nss_copier",
    ];
    let module = [
        "rustc",
        "--locked",
        "--profile",
        "module",
        "-p",
        "nss_cloudid",
        "--lib",
        "--crate-type",
        "cdylib",
        "--",
        "-C",
        "relro-level=partial",
    ];
    let programs = [
        "build",
        "--locked",
        "--release",
        "-p",
        "identity-bench",
        "-p",
        "cacher-daemon",
    ];
    let mut key_command = key_command::build();
    let mut empty = key_command::static_program("identity-bench", "empty-program");
    cargo(&others)
        && cargo(&module)
        && cargo(&programs)
        && is_done(&mut key_command)
        && is_done(&mut empty)
}

fn measure(package: &str, program: &str, arguments: &[&str]) -> bool {
    let run = [
        "run",
        "--locked",
        "--release",
        "-p",
        package,
        "--bin",
        program,
        "--",
    ];
    cargo(&[&run, arguments].concat())
}

fn finished(well: bool) -> ExitCode {
    if well {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn cargo(arguments: &[&str]) -> bool {
    let mut command = Command::new("cargo");
    is_done(command.current_dir(crate::workspace()).args(arguments))
}

fn is_done(command: &mut Command) -> bool {
    command.status().is_ok_and(|status| status.success())
}
