//! Programs, modules, folders and secrets: there, of the right owner, and of no use to others.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::super::local_accounts;
use super::super::places::{CACHER, STATE, TOKEN};
use super::{Check, Mend, Verdict};

const LIBRARIES: [&str; 3] = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];
const HELPER: &str = "/usr/libexec/cloudid/cloudid-helper";
const KEYS: &str = "/usr/libexec/cloudid/cloudid-authorized-keys";
const WRITABLE_BY_OTHERS: u32 = 0o022;
const REINSTALL: &str = "apt-get install --reinstall cloudid-cacher libnss-cloudid libpam-cloudid";

pub(super) const CHECKS: [Check; 9] = [
    Check {
        id: "nss-module",
        why: "without it no name of the directory resolves",
        advice: REINSTALL,
        mend: None,
        look: |_| module("libnss_cloudid.so.2", "_nss_cloudid_getpwnam_r"),
    },
    Check {
        id: "pam-module",
        why: "without it nobody of the directory logs in",
        advice: REINSTALL,
        mend: None,
        look: |_| module("security/pam_cloudid.so", "pam_sm_authenticate"),
    },
    Check {
        id: "programs",
        why: "sshd runs only a key command that nobody but root can change",
        advice: REINSTALL,
        mend: None,
        look: |_| programs(),
    },
    Check {
        id: "settings-folder",
        why: "who can write settings decides who logs in",
        advice: "chown -R root:root /etc/cloudid && chmod -R go-w /etc/cloudid",
        mend: Some(Mend::Run(&[
            "/bin/sh",
            "-c",
            "chown -R root:root /etc/cloudid && chmod -R go-w /etc/cloudid",
        ])),
        look: |_| settings_folder(),
    },
    Check {
        id: "settings",
        why: "settings with anything wrong are not in force: the last good ones are, if there were any",
        advice: "cloudid-cacher --check names file, line and column; mend it there",
        mend: None,
        look: |facts| match &facts.settings {
            Ok(_) => Verdict::good(),
            Err(why) => Verdict::Fail(why.clone()),
        },
    },
    Check {
        id: "directory-certificate",
        why: "without it the directory is a stranger, and no news comes",
        advice: "chmod 644 /etc/cloudid/ca.pem, or enrol again: cloudid unenroll; cloudid enroll",
        mend: Some(Mend::Run(&["/bin/chmod", "644", "/etc/cloudid/ca.pem"])),
        look: |_| match fs::metadata("/etc/cloudid/ca.pem") {
            Ok(status) if status.mode() & 0o444 == 0o444 => Verdict::good(),
            Ok(_) => Verdict::Fail("/etc/cloudid/ca.pem is not readable for the cacher".to_owned()),
            Err(error) => Verdict::Fail(format!("/etc/cloudid/ca.pem: {error}")),
        },
    },
    Check {
        id: "state-folder",
        why: "modules believe only what a folder of the cacher holds",
        advice: "chown cloudid:cloudid /var/lib/cloudid && chmod 755 /var/lib/cloudid",
        mend: Some(Mend::Run(&[
            "/bin/sh",
            "-c",
            "chown cloudid:cloudid /var/lib/cloudid && chmod 755 /var/lib/cloudid",
        ])),
        look: |_| owned_by_cloudid(STATE, 0o755),
    },
    Check {
        id: "secrets",
        why: "who reads them is this host",
        advice: "enrol again if anybody could have read them: cloudid unenroll; cloudid enroll",
        mend: Some(Mend::Run(&[
            "/bin/sh",
            "-c",
            "cd /var/lib/cloudid && chown cloudid:cloudid host.key sealing.key bundle events && \
             chmod 600 host.key sealing.key && chmod 700 bundle events",
        ])),
        look: |_| secrets(),
    },
    Check {
        id: "token-left",
        why: "an enrolment token is not needed after the enrolment",
        advice: "rm /var/lib/cloudid/enrollment.token",
        mend: Some(Mend::Token),
        look: |_| match Path::new(TOKEN).exists() {
            false => Verdict::good(),
            true => Verdict::Warn(format!("{TOKEN} is still there")),
        },
    },
];

/// A module must be there for programs like this one, of ours, and root's alone.
fn module(name: &str, symbol: &str) -> Verdict {
    let found = LIBRARIES.map(|folder| Path::new(folder).join(name));
    let Some(path) = found.iter().find(|path| path.exists()) else {
        return Verdict::Fail(format!("{name} is not installed"));
    };
    let (Ok(bytes), Ok(status)) = (fs::read(path), fs::metadata(path)) else {
        return Verdict::Fail(format!("{} cannot be read", path.display()));
    };
    let own = fs::read("/proc/self/exe").unwrap_or_default();
    // class and byte order, then the machine
    let same = |range: std::ops::Range<usize>| bytes.get(range.clone()) == own.get(range);
    if !bytes.starts_with(b"\x7fELF") || !same(4..6) || !same(18..20) {
        return Verdict::Fail(format!("{} is not for this machine", path.display()));
    }
    let named = |part: &[u8]| part == symbol.as_bytes();
    if !bytes.windows(symbol.len()).any(named) {
        return Verdict::Fail(format!("{} is something else", path.display()));
    }
    Verdict::unless(of_root(path, &status).as_slice())
}

fn programs() -> Verdict {
    let mut wrong = Vec::new();
    for program in [CACHER, HELPER, KEYS] {
        match fs::metadata(program) {
            Ok(status) => {
                wrong.extend(of_root(Path::new(program), &status));
                if status.mode() & 0o111 != 0o111 {
                    wrong.push(format!("{program} is not executable for all"));
                }
            }
            Err(error) => wrong.push(format!("{program}: {error}")),
        }
    }
    Verdict::unless(&wrong)
}

fn settings_folder() -> Verdict {
    let mut wrong = Vec::new();
    let mut folders = vec![Path::new("/etc/cloudid").to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            if let Ok(status) = entry.metadata() {
                wrong.extend(of_root(&entry.path(), &status));
                if status.is_dir() {
                    folders.push(entry.path());
                }
            }
        }
        if let Ok(status) = fs::metadata(&folder) {
            wrong.extend(of_root(&folder, &status));
        }
    }
    wrong.dedup();
    Verdict::unless(&wrong)
}

fn of_root(path: &Path, status: &Metadata) -> Option<String> {
    if status.uid() != 0 || status.mode() & WRITABLE_BY_OTHERS != 0 {
        Some(format!(
            "{} can be changed by others than root (owner {}, mode {:o})",
            path.display(),
            status.uid(),
            status.mode() & 0o7777
        ))
    } else {
        None
    }
}

/// Whether a folder is the cacher's, with exactly this mode.
pub(super) fn owned_by_cloudid(path: &str, mode: u32) -> Verdict {
    Verdict::unless(not_cloudids(path, mode).as_slice())
}

fn not_cloudids(path: &str, mode: u32) -> Option<String> {
    let status = match fs::symlink_metadata(path) {
        Ok(status) => status,
        Err(error) => return Some(format!("{path}: {error}")),
    };
    let owner = local_accounts::uid_of("cloudid");
    let found = status.mode() & 0o7777;
    (Some(status.uid()) != owner || found != mode).then(|| {
        format!(
            "{path} has owner {} and mode {found:o}, not cloudid and {mode:o}",
            status.uid()
        )
    })
}

fn secrets() -> Verdict {
    let files = ["host.key", "sealing.key"].map(|name| (name, 0o600));
    let folders = ["bundle", "events"].map(|name| (name, 0o700));
    let wrong: Vec<_> = files
        .into_iter()
        .chain(folders)
        .filter_map(|(name, mode)| not_cloudids(&format!("{STATE}/{name}"), mode))
        .collect();
    Verdict::unless(&wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_others_can_change_is_told_with_owner_and_mode() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
        let told = of_root(&path, &fs::metadata(&path).unwrap()).unwrap();
        assert!(told.contains("mode 666"), "{told}");
    }
}
