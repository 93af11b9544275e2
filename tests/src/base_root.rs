//! The root file system all throw-away hosts start from: made once by debootstrap, of the machine's
//! own release (so that what is built here runs there), and kept under a name that changes with the
//! recipe.

use crate::command::{OrFail, fail, run};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a host needs beyond Debian's smallest root.
const PACKAGES: &[&str] = &[
    "openssh-server",
    "openssh-client",
    "sudo",
    "cron",
    "login",
    "passwd",
    "libpam-runtime",
    "iproute2",
    "procps",
    "nftables",
    "libfaketime",
    "strace",
    "util-linux-extra",
    "pamtester",
];

/// Accounts and settings every host starts with, run once inside the new root.
const SETUP: &str = include_str!("base_root.sh");

/// Where roots and running hosts are kept.
const CACHE: &str = "/var/cache/cloudid-lab";

/// The folder of the lab on this machine: `CLOUDID_LAB_CACHE`, or `/var/cache/cloudid-lab`.
pub(crate) fn cache() -> PathBuf {
    let folder = std::env::var_os("CLOUDID_LAB_CACHE").map_or_else(|| CACHE.into(), PathBuf::from);
    fs::create_dir_all(&folder).or_fail(&format!("make {}", folder.display()));
    folder
}

/// Makes the root unless it is there, saying so, and answers where it is. Only one process at a
/// time makes it; the others wait for it.
#[must_use]
pub(crate) fn prepare_base_root() -> PathBuf {
    let folder = cache();
    let suite = release_of_the_machine();
    let recipe = recipe_of(&[&PACKAGES.join(","), SETUP]);
    let root = folder.join(format!("base-{suite}-{recipe}"));
    let lock = File::create(folder.join("base.lock")).or_fail("make the lock of the base root");
    lock.lock().or_fail("lock the base root");
    if !root.is_dir() {
        make(&suite, &root);
    }
    root
}

fn make(suite: &str, root: &Path) {
    let half = root.with_extension("half");
    say(&format!(
        "making the base root of the throw-away hosts ({suite}, about a minute) ..."
    ));
    run(
        "rm",
        &["-rf", "--one-file-system", &half.display().to_string()],
    );
    let made = Command::new("debootstrap")
        .arg("--variant=minbase")
        .arg(format!("--include={}", PACKAGES.join(",")))
        .arg(suite)
        .arg(&half)
        .arg(mirror(suite))
        .output()
        .or_fail("start debootstrap");
    if !made.status.success() {
        fail(&format!(
            "debootstrap failed:\n{}",
            String::from_utf8_lossy(&made.stdout)
        ));
    }
    let set_up = Command::new("chroot")
        .arg(&half)
        .args(["/bin/sh", "-euc", SETUP])
        .output()
        .or_fail("start chroot");
    if !set_up.status.success() {
        fail(&format!(
            "the new root: {}",
            String::from_utf8_lossy(&set_up.stderr)
        ));
    }
    fs::rename(&half, root).or_fail("put the new base root in its place");
    say("base root ready");
}

/// A short name that changes whenever the recipe does.
pub(crate) fn recipe_of(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize()
        .iter()
        .take(6)
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn release_of_the_machine() -> String {
    let release = fs::read_to_string("/etc/os-release").or_fail("read /etc/os-release");
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    codename
        .or_fail("find VERSION_CODENAME in /etc/os-release: a Debian is needed")
        .to_owned()
}

/// The mirror this machine itself installs from.
fn mirror(suite: &str) -> String {
    let targets = run(
        "apt-get",
        &[
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE)",
            "Created-By: Packages",
        ],
    );
    let of_suite = |line: &str| {
        let (address, release) = line.split_once(' ')?;
        (release == suite).then(|| address.to_owned())
    };
    let found = targets.lines().find_map(of_suite);
    found.or_fail(&format!("find a mirror of {suite} in the settings of apt"))
}

/// Tells whoever watches: that something takes long, or a figure.
#[expect(
    clippy::print_stderr,
    reason = "a minute of silence would look like a hang, and figures are for people"
)]
pub fn say(what: &str) {
    eprintln!("{what}");
}
