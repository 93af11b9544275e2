//! `cargo xtask package`: builds the programs once, then makes packages of them in a throw-away root
//! by the distribution's own tools (the program `package` of `tests/`).

use crate::prerequisites as need;
use crate::steps::Steps;
use std::path::Path;
use std::process::{Command, ExitCode};

/// Which packages, of which programs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    kind: &'static str,
    /// The programs that tests use, as they are; else what people get.
    development: bool,
    /// By two builders, from the sources on, to compare what they make.
    twice: bool,
    /// Whose key of gpg signs the digests.
    key: Option<String>,
}

impl Choice {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let not_understood = || format!("package: not understood: {}", words.join(" "));
        let (kind, mut rest) = match words {
            ["deb", rest @ ..] => ("deb", rest),
            ["rpm", rest @ ..] => ("rpm", rest),
            _ => return Err(not_understood()),
        };
        let mut choice = Self {
            kind,
            development: false,
            twice: false,
            key: None,
        };
        while !rest.is_empty() {
            rest = match rest {
                ["--profile", "release", rest @ ..] => rest,
                ["--profile", "dev", rest @ ..] => {
                    choice.development = true;
                    rest
                }
                ["--reproduce", rest @ ..] if kind == "deb" => {
                    choice.twice = true;
                    rest
                }
                ["--sign", key, rest @ ..] if !key.starts_with('-') => {
                    choice.key = Some((*key).to_owned());
                    rest
                }
                _ => return Err(not_understood()),
            };
        }
        if choice.twice && choice.key.is_some() {
            return Err("package: what is made to compare is not signed".to_owned());
        }
        Ok(choice)
    }
}

pub(crate) fn run(choice: &Choice) -> ExitCode {
    if !need::is_root() || !need::is_debian() {
        eprintln!("packages are made in a throw-away root: run this as root on a Debian");
        return ExitCode::FAILURE;
    }
    let folder = crate::workspace().join("target/packages");
    let mut steps = Steps::new();
    let ready = need::install(&mut steps, need::TO_BUILD)
        && need::install(&mut steps, need::FOR_HOSTS)
        && (choice.twice || build(&mut steps, choice, &folder));
    if !ready {
        return steps.finish();
    }
    let profile = if choice.development { "dev" } else { "release" };
    let kind = if choice.twice {
        "reproduce"
    } else {
        choice.kind
    };
    let made = Command::new("cargo")
        .current_dir(crate::workspace())
        .args(["run", "--quiet", "--locked", "--package", "system-tests"])
        .args(["--bin", "package", "--", kind, profile])
        .arg(folder)
        .args(&choice.key)
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

/// Released programs have a folder of their own: no path of this machine gets into them, so what
/// cargo keeps of ordinary builds is of no use to them.
fn build(steps: &mut Steps, choice: &Choice, folder: &Path) -> bool {
    let mut command;
    if choice.development {
        command = Command::new("cargo");
        command.args(["build", "--locked", "--workspace"]);
    } else {
        command = Command::new("sh");
        command.args(["packaging/build.sh", "release"]);
        command.arg(folder.join("built"));
    }
    steps.check("build", command.current_dir(crate::workspace()))
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

    #[test]
    fn packages_are_signed_or_compared_never_both() {
        let signed = Choice::parse(&["rpm", "--sign", "releases@example.org"]).unwrap();
        assert_eq!(signed.key.as_deref(), Some("releases@example.org"));
        assert!(
            Choice::parse(&["deb", "--reproduce", "--profile", "dev"])
                .unwrap()
                .twice
        );
        for wrong in [
            &["deb", "--sign"][..],
            &["deb", "--sign", "--reproduce"],
            &["rpm", "--reproduce"],
            &["deb", "--reproduce", "--sign", "releases@example.org"],
        ] {
            assert!(Choice::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
