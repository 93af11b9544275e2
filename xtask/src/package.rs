//! `cargo xtask package`: builds the programs once, then makes packages of them in a throw-away root
//! by the distribution's own tools (the program `package` of `tests/`).

use crate::prerequisites as need;
use crate::steps::Steps;
use std::process::{Command, ExitCode};

const PROGRAMS: [&str; 3] = ["cli", "cacher-daemon", "directory-server"];
const MODULES: [&str; 2] = ["nss_cloudid", "pam_cloudid"];

/// Which packages, of which programs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    kind: &'static str,
    /// The programs that tests use, as they are; else what people get.
    development: bool,
}

impl Choice {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let (kind, rest) = match words {
            ["deb", rest @ ..] => ("deb", rest),
            ["rpm", rest @ ..] => ("rpm", rest),
            other => return Err(format!("package: not understood: {}", other.join(" "))),
        };
        match rest {
            [] | ["--profile", "release"] => Ok(Self {
                kind,
                development: false,
            }),
            ["--profile", "dev"] => Ok(Self {
                kind,
                development: true,
            }),
            other => Err(format!("package: not understood: {}", other.join(" "))),
        }
    }
}

pub(crate) fn run(choice: &Choice) -> ExitCode {
    if !need::is_root() || !need::is_debian() {
        eprintln!("packages are made in a throw-away root: run this as root on a Debian");
        return ExitCode::FAILURE;
    }
    let mut steps = Steps::new();
    let ready = need::install(&mut steps, need::TO_BUILD)
        && need::install(&mut steps, need::FOR_HOSTS)
        && build(&mut steps, choice);
    if !ready {
        return steps.finish();
    }
    let folder = crate::workspace().join("target/packages");
    let profile = if choice.development { "dev" } else { "release" };
    let made = Command::new("cargo")
        .current_dir(crate::workspace())
        .args(["run", "--quiet", "--locked", "--package", "system-tests"])
        .args(["--bin", "package", "--", choice.kind, profile])
        .arg(folder)
        .status();
    match made {
        Ok(status) if status.success() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cargo could not be started: {error}");
            ExitCode::FAILURE
        }
    }
}

fn build(steps: &mut Steps, choice: &Choice) -> bool {
    if choice.development {
        return steps.check("build", &mut cargo(&["--workspace"], &[]));
    }
    steps.check("build programs", &mut cargo(&["--release"], &PROGRAMS))
        && steps.check("build the key command", &mut crate::key_command::build())
        && steps.check(
            "build modules",
            &mut cargo(&["--profile", "module"], &MODULES),
        )
}

fn cargo(arguments: &[&str], crates: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(crate::workspace());
    command.args(["build", "--locked"]).args(arguments);
    command.args(crates.iter().flat_map(|name| ["--package", name]));
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_of_released_programs_unless_said_otherwise() {
        assert!(!Choice::parse(&["deb"]).unwrap().development);
        let choice = Choice::parse(&["deb", "--profile", "dev"]).unwrap();
        assert!(choice.development);
        assert!(Choice::parse(&[]).is_err() && Choice::parse(&["deb", "--fast"]).is_err());
    }
}
