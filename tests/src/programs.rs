//! What a package would put on a host: the programs built beside this test, and the files of
//! `packaging/`. Installing changes nothing of how the host works until it is enrolled.

use crate::base_root::cache;
use crate::command::{OrFail, fail, run};
use crate::edition::Edition;
use crate::host::Host;
use crate::init::Init;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Built file, path on the host.
const PROGRAMS: &[(&str, &str)] = &[
    ("cloudid", "/usr/bin/cloudid"),
    ("cloudid-cacher", "/usr/libexec/cloudid/cloudid-cacher"),
    ("cloudid-helper", "/usr/libexec/cloudid/cloudid-helper"),
    (
        "cloudid-authorized-keys",
        "/usr/libexec/cloudid/cloudid-authorized-keys",
    ),
    (
        "libnss_cloudid.so",
        "/lib/x86_64-linux-gnu/libnss_cloudid.so.2",
    ),
    (
        "libpam_cloudid.so",
        "/lib/x86_64-linux-gnu/security/pam_cloudid.so",
    ),
];

/// Built files that packages hold.
pub(crate) const PACKAGED: &[&str] = &[
    "cloudid",
    "cloudid-cacher",
    "cloudid-helper",
    "cloudid-authorized-keys",
    "cloudid-directory",
    "libnss_cloudid.so",
    "libpam_cloudid.so",
];

/// File of `packaging/`, path on the host.
const FILES: &[(&str, &str)] = &[
    ("pam-configs/cloudid", "/usr/share/pam-configs/cloudid"),
    (
        "pam-configs/cloudid-passwd",
        "/usr/share/pam-configs/cloudid-passwd",
    ),
];

/// The same, for a host with systemd.
const SYSTEMD_FILES: &[(&str, &str)] = &[
    (
        "sysusers.d/cloudid.conf",
        "/usr/lib/sysusers.d/cloudid.conf",
    ),
    (
        "tmpfiles.d/cloudid.conf",
        "/usr/lib/tmpfiles.d/cloudid.conf",
    ),
    (
        "systemd/cloudid-cacher.service",
        "/usr/lib/systemd/system/cloudid-cacher.service",
    ),
    (
        "systemd/cloudid-helper.service",
        "/usr/lib/systemd/system/cloudid-helper.service",
    ),
    (
        "systemd/cloudid-helper.socket",
        "/usr/lib/systemd/system/cloudid-helper.socket",
    ),
    (
        "systemd/cloudid-lookups.service",
        "/usr/lib/systemd/system/cloudid-lookups.service",
    ),
    (
        "systemd/cloudid-nscd.service",
        "/usr/lib/systemd/system/cloudid-nscd.service",
    ),
    (
        "systemd/cloudid-identity-map.service",
        "/usr/lib/systemd/system/cloudid-identity-map.service",
    ),
];

impl Host {
    /// Installs cloudid the way a package does.
    #[track_caller]
    pub fn install(&self) {
        self.install_editions(Edition::This, Edition::This);
    }

    /// The same with the command and the daemons of one edition and the modules of another, over
    /// what is there. Nothing is started anew.
    #[track_caller]
    pub fn install_editions(&self, daemons: Edition, modules: Edition) {
        self.copy_packaging(FILES);
        if let Init::Systemd(_) = self.init() {
            self.copy_packaging(SYSTEMD_FILES);
            self.ok("systemd-sysusers cloudid.conf");
            self.ok("systemd-tmpfiles --create cloudid.conf");
            self.ok("systemctl daemon-reload");
        }
        for (file, path) in PROGRAMS {
            let (edition, mode) = match file.ends_with(".so") {
                true => (modules, 0o644),
                false => (daemons, 0o755),
            };
            self.copy_in(&edition.small_program(file), path, mode);
        }
        self.ok("install -d -m 755 /etc/cloudid /etc/cloudid/conf.d");
        self.ok("install -d -m 755 -o cloudid -g cloudid /var/lib/cloudid");
    }

    #[track_caller]
    fn copy_packaging(&self, files: &[(&str, &str)]) {
        let packaging = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging");
        for (file, path) in files {
            self.copy_in(&packaging.join(file), path, 0o644);
        }
    }
}

/// A program of this workspace, built in the same folder as the running test.
#[track_caller]
pub(crate) fn built(file: &str) -> PathBuf {
    let test = std::env::current_exe().or_fail("find the running test");
    let beside = test
        .ancestors()
        .skip(1)
        .take(2)
        .map(|folder| folder.join(file));
    let found = beside.into_iter().find(|path| path.is_file());
    found.unwrap_or_else(|| {
        fail(&format!(
            "{file} is not built yet: run `cargo build --workspace`, or cargo xtask test"
        ))
    })
}

/// The program without its debugging information: a tenth of the size, copied into every host.
/// Kept until the program is built anew.
pub(crate) fn stripped(program: &Path) -> PathBuf {
    let name = program
        .file_name()
        .or_fail("name a program")
        .to_string_lossy()
        .into_owned();
    let facts = fs::metadata(program).or_fail(&format!("look at {}", program.display()));
    let changed = facts.modified().or_fail("read when a program was built");
    let built = changed
        .duration_since(std::time::UNIX_EPOCH)
        .or_fail("read a time")
        .as_nanos();
    let folder = cache().join("programs");
    fs::create_dir_all(&folder).or_fail("make the folder of stripped programs");
    let lock = File::create(folder.join("lock")).or_fail("make the lock of the programs");
    lock.lock().or_fail("lock the programs");
    let small = folder.join(format!("{name}-{built}-{}", facts.len()));
    if !small.exists() {
        remove_older(&folder, &name);
        let half = folder.join("half").display().to_string();
        run(
            "strip",
            &["--strip-debug", "-o", &half, &program.display().to_string()],
        );
        fs::rename(&half, &small).or_fail("put a stripped program in its place");
    }
    small
}

fn remove_older(folder: &Path, name: &str) {
    let entries = fs::read_dir(folder).or_fail("list the stripped programs");
    for entry in entries.flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let rest = file.strip_prefix(&format!("{name}-")).unwrap_or_default();
        if rest.starts_with(|first: char| first.is_ascii_digit()) {
            let _ = fs::remove_file(entry.path());
        }
    }
}
