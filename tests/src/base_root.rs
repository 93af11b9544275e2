//! The root file systems throw-away hosts start from: made once by debootstrap and kept under a name
//! that changes with the recipe. Most hosts are of the machine's own release, so that what is built
//! here runs there; some are of a later one.

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

/// What later releases need from the start: there cron wants an account that systemd makes.
const PACKAGES_ELSEWHERE: &[&str] = &["systemd", "systemd-sysv", "dbus", "libpam-systemd"];

/// Accounts and settings every host starts with, run once inside the new root.
const SETUP: &str = include_str!("base_root.sh");

/// Run inside the root of another release than the machine's. A mirror may hold an older copy of a
/// release that changes every day.
const SETUP_ELSEWHERE: &str =
    "echo 'Acquire::Check-Valid-Until \"false\";' > /etc/apt/apt.conf.d/90-lab";

/// Where roots and running hosts are kept.
const CACHE: &str = "/var/cache/cloudid-lab";

/// The folder of the lab on this machine: `CLOUDID_LAB_CACHE`, or `/var/cache/cloudid-lab`.
pub(crate) fn cache() -> PathBuf {
    let folder = std::env::var_os("CLOUDID_LAB_CACHE").map_or_else(|| CACHE.into(), PathBuf::from);
    fs::create_dir_all(&folder).or_fail(&format!("make {}", folder.display()));
    folder
}

/// The root of the machine's own release, made unless it is there.
#[must_use]
pub(crate) fn prepare_base_root() -> PathBuf {
    match try_prepare_base_root(&release_of_the_machine()) {
        Ok(root) => root,
        Err(why) => fail(&why),
    }
}

/// Makes the root of a release unless it is there, saying so, and answers where it is. Only one
/// process at a time makes one; the others wait for it.
pub(crate) fn try_prepare_base_root(suite: &str) -> Result<PathBuf, String> {
    let folder = cache();
    let mut packages = PACKAGES.join(",");
    let mut setup = SETUP.to_owned();
    if suite != release_of_the_machine() {
        let _ = write!(packages, ",{}", PACKAGES_ELSEWHERE.join(","));
        let _ = write!(setup, "\n{SETUP_ELSEWHERE}");
    }
    let recipe = recipe_of(&[&packages, &setup]);
    let root = folder.join(format!("base-{suite}-{recipe}"));
    let lock = File::create(folder.join("base.lock")).or_fail("make the lock of the base root");
    lock.lock().or_fail("lock the base root");
    if !root.is_dir() {
        make(suite, &packages, &setup, &root)?;
    }
    Ok(root)
}

fn make(suite: &str, packages: &str, setup: &str, root: &Path) -> Result<(), String> {
    let half = root.with_extension("half");
    say(&format!(
        "making the base root of the throw-away hosts ({suite}, about a minute) ..."
    ));
    run(
        "rm",
        &["-rf", "--one-file-system", &half.display().to_string()],
    );
    let mirror = mirror(suite).ok_or(format!("apt knows no mirror for {suite}"))?;
    let made = Command::new("debootstrap")
        .arg("--variant=minbase")
        .arg(format!("--include={packages}"))
        .arg(suite)
        .arg(&half)
        .arg(mirror)
        .output()
        .or_fail("start debootstrap");
    if !made.status.success() {
        let said = String::from_utf8_lossy(&made.stdout);
        return Err(format!("debootstrap {suite} failed:\n{said}"));
    }
    let set_up = Command::new("chroot")
        .arg(&half)
        .args(["/bin/sh", "-euc", setup])
        .output()
        .or_fail("start chroot");
    if !set_up.status.success() {
        let said = String::from_utf8_lossy(&set_up.stderr);
        return Err(format!("the new root of {suite}: {said}"));
    }
    fs::rename(&half, root).or_fail("put the new base root in its place");
    say("base root ready");
    Ok(())
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

pub(crate) fn release_of_the_machine() -> String {
    let release = fs::read_to_string("/etc/os-release").or_fail("read /etc/os-release");
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    codename
        .or_fail("find VERSION_CODENAME in /etc/os-release: a Debian is needed")
        .to_owned()
}

/// Where this machine itself installs a release from, or else its own one: a mirror has them all.
fn mirror(suite: &str) -> Option<String> {
    let targets = run(
        "apt-get",
        &[
            "indextargets",
            "--format",
            "$(REPO_URI) $(RELEASE)",
            "Created-By: Packages",
        ],
    );
    let of_release = |wanted: &str| {
        targets.lines().find_map(|line| {
            let (address, release) = line.split_once(' ')?;
            (release == wanted).then(|| address.to_owned())
        })
    };
    of_release(suite).or_else(|| of_release(&release_of_the_machine()))
}

/// Tells whoever watches: that something takes long, or a figure.
#[expect(
    clippy::print_stderr,
    reason = "a minute of silence would look like a hang, and figures are for people"
)]
pub fn say(what: &str) {
    eprintln!("{what}");
}
