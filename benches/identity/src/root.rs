//! The root file system of all stages: Debian's smallest, of the machine's own release, with the
//! peers installed and none of them started. Made once, kept below `/var/cache/cloudid-bench`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::Failure;

const CACHE: &str = "/var/cache/cloudid-bench";
/// Run inside the new root.
const SET_UP: &str = "
export DEBIAN_FRONTEND=noninteractive
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get update -q
apt-get install -y -q --no-install-recommends sssd-common sssd-ldap slapd libnss-sss nscd \
    libnss-cache libnss-extrausers
apt-get clean
useradd --system --no-create-home --shell /usr/sbin/nologin cloudid
useradd --system --no-create-home --shell /usr/sbin/nologin cloudid-keys
";
const MODULES: &str = "usr/lib/x86_64-linux-gnu";

/// The folder that is `/bench` in every stage; emptied for a new run.
pub(crate) fn work_folder() -> Result<PathBuf, Failure> {
    let work = Path::new(CACHE).join("work");
    if work.exists() {
        fs::remove_dir_all(&work)?;
    }
    fs::create_dir_all(work.join("bin"))?;
    Ok(work)
}

/// Makes the root unless it is there.
pub(crate) fn prepared() -> Result<PathBuf, Failure> {
    let release = fs::read_to_string("/etc/os-release")?;
    let codename = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let suite = codename.ok_or("no VERSION_CODENAME in /etc/os-release: a Debian is needed")?;
    let digest: [u8; 32] = Sha256::digest(SET_UP).into();
    let [first, second, third, ..] = digest;
    let root = Path::new(CACHE).join(format!("root-{suite}-{first:02x}{second:02x}{third:02x}"));
    if !root.is_dir() {
        fs::create_dir_all(CACHE)?;
        make(suite, &root)?;
    }
    Ok(root)
}

fn make(suite: &str, root: &Path) -> Result<(), Failure> {
    crate::say("making the root with the peers (once, about two minutes) ...");
    let half = root.with_extension("half");
    if half.exists() {
        fs::remove_dir_all(&half)?;
    }
    let mut debootstrap = Command::new("debootstrap");
    debootstrap.arg("--variant=minbase").arg(suite).arg(&half);
    quiet(debootstrap.arg(mirror(suite)?))?;
    fs::copy("/etc/resolv.conf", half.join("etc/resolv.conf"))?;
    let mut chroot = Command::new("chroot");
    chroot.arg(&half).args(["/bin/sh", "-euc", SET_UP]);
    quiet(&mut chroot)?;
    Ok(fs::rename(&half, root)?)
}

fn quiet(command: &mut Command) -> Result<(), Failure> {
    let run = command.stdin(Stdio::null()).output()?;
    if run.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&run.stdout).into_owned();
    let errors = String::from_utf8_lossy(&run.stderr).into_owned();
    Err(format!("{command:?} failed:\n{said}{errors}").into())
}

/// The mirror this machine itself installs from.
fn mirror(suite: &str) -> Result<String, Failure> {
    let targets = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI) $(RELEASE)"])
        .arg("Created-By: Packages")
        .output()?;
    let targets = String::from_utf8(targets.stdout)?;
    let of_suite = |line: &str| {
        let (address, release) = line.split_once(' ')?;
        (release == suite).then(|| address.to_owned())
    };
    let found = targets.lines().find_map(of_suite);
    Ok(found.ok_or("no mirror of this release in the settings of apt")?)
}

/// Puts what was built in place: the modules where glibc looks for them, programs in `/bench/bin`.
pub(crate) fn install(root: &Path, work: &Path) -> Result<(), Failure> {
    let this = std::env::current_exe()?;
    let programs = this.parent().ok_or("this program has no folder")?;
    let modules = programs.with_file_name("module");
    for (built, name) in [
        ("libnss_cloudid.so", "libnss_cloudid.so.2"),
        ("libnss_floor.so", "libnss_floor.so.2"),
        ("libnss_copier.so", "libnss_copier.so.2"),
    ] {
        copy(&modules.join(built), &root.join(MODULES).join(name), 0o644)?;
    }
    // As a package does it, so that a new process finds the module at once.
    quiet(Command::new("chroot").arg(root).arg("ldconfig"))?;
    for (folder, program) in [
        (programs, "identity-load"),
        (programs, "cloudid-cacher"),
        (&modules, "cloudid-authorized-keys"),
        (&modules, "empty-program"),
    ] {
        let to = work.join("bin").join(program);
        copy(&folder.join(program), &to, 0o755)?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, mode: u32) -> Result<(), Failure> {
    let copied = fs::copy(from, to);
    copied.map_err(|error| format!("{}: {error}; is it built?", from.display()))?;
    Ok(fs::set_permissions(to, fs::Permissions::from_mode(mode))?)
}
