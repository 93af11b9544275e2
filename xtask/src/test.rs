//! `cargo xtask test`: the whole gate, on a laptop as anywhere else. Cheap steps first; everything
//! is compiled once, with the same features, for all rings.

use crate::prerequisites as need;
use crate::steps::Steps;
use crate::tidy;
use std::process::{Command, ExitCode};

/// Tests of ring 3 share two processors with the programs they start.
const SYSTEM_TEST_THREADS: &str = "3";

/// What of the gate is wanted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Choice {
    ring: Option<u8>,
    filter: Option<String>,
}

impl Choice {
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        match words {
            [] => Ok(Self::default()),
            ["--ring", ring @ ("1" | "2" | "3"), rest @ ..] => Ok(Self {
                ring: ring.parse().ok(),
                ..Self::parse(rest)?
            }),
            ["--filter", name, rest @ ..] => Ok(Self {
                filter: Some((*name).to_owned()),
                ..Self::parse(rest)?
            }),
            other => Err(format!("test: not understood: {}", other.join(" "))),
        }
    }

    fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    fn wants(&self, ring: u8) -> bool {
        self.ring.is_none_or(|wanted| wanted == ring)
    }
}

pub(crate) fn run(choice: &Choice) -> ExitCode {
    let mut steps = Steps::new();
    let can_build = need::install(&mut steps, need::TO_BUILD);
    if can_build && need::install_nextest(&mut steps) {
        if choice.is_everything() {
            checks(&mut steps);
        }
        if build(&mut steps) {
            rings(&mut steps, choice);
        }
        if choice.is_everything() {
            documents_and_dependencies(&mut steps);
        }
    } else {
        steps.skip("everything else", "what it needs could not be installed");
    }
    steps.finish()
}

fn checks(steps: &mut Steps) {
    steps.check("format", &mut cargo(&["fmt", "--all", "--check"]));
    steps.complaints("tidy", tidy::complaints);
    let clippy = [
        "clippy",
        "--workspace",
        "--all-targets",
        "--locked",
        "--",
        "-D",
        "warnings",
    ];
    steps.check("clippy", &mut cargo(&clippy));
}

/// All programs and all tests in one go: what system tests put on hosts is what crate tests tested.
fn build(steps: &mut Steps) -> bool {
    steps.check(
        "build",
        &mut cargo(&["build", "--workspace", "--all-targets", "--locked"]),
    )
}

fn rings(steps: &mut Steps, choice: &Choice) {
    let parts = [
        (
            1,
            "unit tests",
            "not kind(test) & not package(system-tests)",
        ),
        (2, "crate tests", "kind(test) & not package(system-tests)"),
    ];
    for (ring, name, filter) in parts {
        if choice.wants(ring) {
            steps.tests(name, &mut nextest(choice, filter));
        }
    }
    if choice.wants(1) && choice.filter.is_none() {
        steps.tests(
            "examples in documents",
            &mut cargo(&["test", "--workspace", "--doc", "--locked"]),
        );
    }
    if choice.wants(3) {
        system_tests(steps, choice);
    }
}

fn system_tests(steps: &mut Steps, choice: &Choice) {
    let name = "system tests";
    if !need::is_root() || !need::is_debian() {
        return steps.skip(name, "throw-away hosts need root on a Debian");
    }
    if !need::install(steps, need::FOR_HOSTS) {
        return steps.skip(name, "what they need could not be installed");
    }
    let prepare = [
        "run",
        "--quiet",
        "--locked",
        "--package",
        "system-tests",
        "--bin",
        "prepare-lab",
    ];
    if steps.check("base root of hosts", &mut cargo(&prepare)) {
        let why = cannot_boot_hosts(&prepare);
        if let Some(why) = &why {
            steps.skip("tests on booted hosts", why);
        }
        let filter = match why {
            None => "package(system-tests)",
            Some(_) => WITHOUT_BOOTED_HOSTS,
        };
        let mut run = nextest(choice, filter);
        run.args(["--test-threads", SYSTEM_TEST_THREADS]);
        steps.tests(name, &mut run);
    }
}

/// What a machine without cgroup2 and the like can do: not those whose hosts run systemd.
const WITHOUT_BOOTED_HOSTS: &str = "package(system-tests) & \
    not (binary(booted) | binary(name_services) | binary(userdb) | \
    binary(/^packages/))";

/// The reason, in the words of the harness.
fn cannot_boot_hosts(prepare: &[&str]) -> Option<String> {
    let mut asked = cargo(prepare);
    let asked = asked.args(["--", "--booted-hosts"]).output().ok()?;
    let said = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
    (!asked.status.success()).then_some(said)
}

fn documents_and_dependencies(steps: &mut Steps) {
    let mut documents = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
    steps.check(
        "documentation",
        documents.env("RUSTDOCFLAGS", "-D warnings"),
    );
    fuzz_targets(steps);
    // cargo-deny looks at every platform, and cargo has fetched what this one builds.
    let fetched = steps.check(
        "sources of all platforms",
        &mut cargo(&["fetch", "--locked"]),
    );
    if fetched && need::install_deny(steps) {
        let deny = ["deny", "--offline", "check", "licenses", "bans", "sources"];
        steps.check("licences and sources", &mut cargo(&deny));
    }
}

/// Fuzz targets live in a workspace of their own; that they compile is checked with the stable
/// compiler, which needs to be told that it may.
fn fuzz_targets(steps: &mut Steps) {
    let manifest = crate::workspace().join("fuzz/Cargo.toml");
    let mut check = cargo(&["check", "--locked", "--manifest-path"]);
    check.arg(&manifest).env("RUSTC_BOOTSTRAP", "1");
    steps.check("fuzz targets build", &mut check);
}

fn nextest(choice: &Choice, filter: &str) -> Command {
    let filter = match &choice.filter {
        Some(name) => format!("({filter}) & test({name})"),
        None => filter.to_owned(),
    };
    let mut command = cargo(&["nextest", "run", "--workspace", "--locked"]);
    command.args([
        "--no-fail-fast",
        "--no-tests",
        "pass",
        // What a test says of why it was skipped is in the log and is counted.
        "--success-output",
        "final",
        "--color",
        "never",
        "-E",
        &filter,
    ]);
    command
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(crate::workspace()).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ring_and_a_filter_are_understood_together() {
        let choice = Choice::parse(&["--ring", "3", "--filter", "pam_20"]).unwrap();
        assert!(choice.wants(3) && !choice.wants(1) && !choice.is_everything());
        assert_eq!(choice.filter.as_deref(), Some("pam_20"));
    }

    #[test]
    fn an_unknown_ring_is_refused_by_name() {
        assert!(
            Choice::parse(&["--ring", "4"])
                .unwrap_err()
                .contains("--ring 4")
        );
    }
}
