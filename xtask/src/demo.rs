//! `cargo xtask demo`: installs what is missing, builds, and plays the first story on throw-away
//! hosts (the program `demo` of `tests/`, which can be read as the story it tells).

use crate::prerequisites as need;
use crate::steps::Steps;
use std::process::{Command, ExitCode};

pub(crate) fn run() -> ExitCode {
    if !need::is_root() || !need::is_debian() {
        eprintln!("the demo makes throw-away hosts of namespaces: run it as root on a Debian");
        return ExitCode::FAILURE;
    }
    let mut steps = Steps::new();
    let ready = need::install(&mut steps, need::TO_BUILD)
        && need::install(&mut steps, need::FOR_HOSTS)
        && steps.check("build", &mut cargo(&["build", "--workspace", "--locked"]));
    if !ready {
        return steps.finish();
    }
    play(&[])
}

pub(crate) fn stop() -> ExitCode {
    play(&["stop"])
}

fn play(arguments: &[&str]) -> ExitCode {
    let base = [
        "run",
        "--quiet",
        "--locked",
        "--package",
        "system-tests",
        "--bin",
        "demo",
        "--",
    ];
    let played = cargo(&base).args(arguments).status();
    match played {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(crate::workspace()).args(arguments);
    command
}
