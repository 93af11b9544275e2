//! What a chore needs on the machine: Debian packages and cargo tools. Says what is missing and
//! installs just that.

use crate::steps::Steps;
use std::fs;
use std::process::{Command, Stdio};

/// A program or file that shows that a Debian package is there, and the package.
type Need = (&'static str, &'static str);

/// To build the programs.
pub(crate) const TO_BUILD: &[Need] = &[
    ("/usr/bin/gcc", "gcc"),
    ("/usr/bin/g++", "g++"),
    ("/usr/bin/make", "make"),
    ("/usr/bin/strip", "binutils"),
    ("/usr/include/security/pam_modules.h", "libpam0g-dev"),
];

/// To run throw-away hosts.
pub(crate) const FOR_HOSTS: &[Need] = &[
    ("/usr/sbin/debootstrap", "debootstrap"),
    ("/usr/bin/ip", "iproute2"),
    ("/usr/bin/ssh", "openssh-client"),
    ("/usr/bin/unshare", "util-linux"),
    ("/usr/sbin/mkfs.ext4", "e2fsprogs"),
    ("/usr/bin/sqlite3", "sqlite3"),
    ("/usr/bin/musl-gcc", "musl-tools"),
    ("/usr/bin/gpg", "gpg"),
    ("/usr/bin/gpg-agent", "gpg-agent"),
];

/// The cargo tools of the gate, pinned.
const NEXTEST: &str = "0.9.143";
const DENY: &str = "0.20.2";

/// True on Debian and what descends from it.
pub(crate) fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    release.lines().any(|line| {
        (line.starts_with("ID=") || line.starts_with("ID_LIKE=")) && line.contains("debian")
    })
}

/// True for root.
pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout.trim_ascii() == b"0")
}

/// Installs the missing ones of `needs`, as one step. False when something stays missing.
pub(crate) fn install(steps: &mut Steps, needs: &[Need]) -> bool {
    let missing: Vec<&str> = needs
        .iter()
        .filter(|(shown_by, _)| !fs::exists(shown_by).unwrap_or(false))
        .map(|(_, package)| *package)
        .collect();
    if missing.is_empty() {
        return true;
    }
    let list = missing.join(" ");
    if !is_debian() || !is_root() {
        steps.skip(
            "install packages",
            &format!("needs root on a Debian; missing: {list}"),
        );
        return false;
    }
    println!("installing with apt-get: {list}");
    let script =
        format!("apt-get update -q && apt-get install -y -q --no-install-recommends {list}");
    let mut command = Command::new("sh");
    command
        .args(["-c", &script])
        .env("DEBIAN_FRONTEND", "noninteractive");
    steps.check("install packages", &mut command)
}

/// cargo-nextest, which runs the tests.
pub(crate) fn install_nextest(steps: &mut Steps) -> bool {
    install_tool(steps, "nextest", NEXTEST)
}

/// cargo-deny, which knows licences and sources of what is built in.
pub(crate) fn install_deny(steps: &mut Steps) -> bool {
    install_tool(steps, "deny", DENY)
}

fn install_tool(steps: &mut Steps, tool: &str, version: &str) -> bool {
    let there = Command::new("cargo")
        .args([tool, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if there {
        return true;
    }
    let name = format!("cargo-{tool}");
    println!("installing {name} {version} into cargo's own folder (some minutes, once)");
    let mut command = Command::new("cargo");
    command.args(["install", "--locked", &name, "--version", version]);
    steps.check(&format!("install {name}"), &mut command)
}
