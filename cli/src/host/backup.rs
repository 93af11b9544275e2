//! Copies of every file of the system that enrolment touches, and a journal of them, written before
//! the first change. Whatever interrupts an enrolment, the journal knows how things were.

use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::Failure;

const JOURNAL: &str = "journal.json";
const JOURNAL_FORMAT: u32 = 1;

/// How things were before an enrolment.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Backup {
    format: u32,
    #[serde(skip)]
    folder: PathBuf,
    /// Whether the enrolment was carried through.
    pub(super) complete: bool,
    files: Vec<Saved>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Saved {
    path: PathBuf,
    /// `None`: there was no such file.
    copy: Option<Copy>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Copy {
    name: String,
    mode: u32,
    uid: u32,
    gid: u32,
}

impl Backup {
    /// Copies the files and writes the journal. The journal comes last: without it nothing was
    /// changed yet.
    pub(super) fn take(folder: &Path, files: &[&str]) -> Result<Self, Failure> {
        let failed = |error| Failure::file("write the backup in", folder, &error);
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
            Ok(()) | Err(_) => {}
        }
        DirBuilder::new()
            .mode(0o700)
            .create(folder)
            .map_err(failed)?;
        let mut backup = Self {
            format: JOURNAL_FORMAT,
            folder: folder.to_owned(),
            complete: false,
            files: Vec::new(),
        };
        for path in files {
            let saved = save(folder, Path::new(path))
                .map_err(|error| Failure::file("back up", Path::new(path), &error))?;
            backup.files.push(saved);
        }
        backup.write_journal()?;
        Ok(backup)
    }

    /// The backup of an enrolment that was carried through or interrupted; `None` where there is
    /// none.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, Failure> {
        let path = folder.join(JOURNAL);
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Failure::file("read", &path, &error)),
        };
        let status = fs::symlink_metadata(folder)
            .map_err(|error| Failure::file("look at", folder, &error))?;
        let own = rustix::process::geteuid().as_raw();
        if !status.is_dir() || status.uid() != own || status.mode() & 0o077 != 0 {
            return Err(Failure::failed(format!("{} is not used", folder.display()))
                .because("somebody other than root could have written it"));
        }
        let backup: Self = serde_json::from_slice(&text).map_err(|problem| {
            Failure::failed(format!("{} cannot be understood", path.display()))
                .because(problem.to_string())
        })?;
        if backup.format != JOURNAL_FORMAT {
            return Err(
                Failure::failed(format!("{} has another format", path.display()))
                    .next("use the version of cloudid that enrolled this host"),
            );
        }
        Ok(Some(Self {
            folder: folder.to_owned(),
            ..backup
        }))
    }

    /// Remembers that the enrolment was carried through.
    pub(super) fn completed(&mut self) -> Result<(), Failure> {
        self.complete = true;
        self.write_journal()
    }

    /// Whether the enrolment touched this file.
    pub(super) fn covers(&self, path: &str) -> bool {
        self.files.iter().any(|saved| saved.path == Path::new(path))
    }

    /// A file as it was; `None` when there was none.
    pub(super) fn original(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        match self.copy_of(path) {
            Some(copy) => {
                let copy = self.folder.join(&copy.name);
                fs::read(&copy)
                    .map(Some)
                    .map_err(|error| Failure::file("read", &copy, &error))
            }
            None => Ok(None),
        }
    }

    /// Puts a file back as it was, byte for byte, with its owner and mode.
    pub(super) fn restore(&self, path: &str) -> Result<(), Failure> {
        match (self.original(path)?, self.copy_of(path)) {
            (Some(bytes), Some(copy)) => {
                replace(Path::new(path), &bytes, (copy.mode, copy.uid, copy.gid))
            }
            (None, _) | (_, None) => remove(Path::new(path)),
        }
    }

    pub(super) fn forget(self) -> Result<(), Failure> {
        remove(&self.folder.join(JOURNAL))?;
        fs::remove_dir_all(&self.folder)
            .map_err(|error| Failure::file("remove", &self.folder, &error))
    }

    fn copy_of(&self, path: &str) -> Option<&Copy> {
        let saved = self
            .files
            .iter()
            .find(|saved| saved.path == Path::new(path))?;
        saved.copy.as_ref()
    }

    fn write_journal(&self) -> Result<(), Failure> {
        let path = self.folder.join(JOURNAL);
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| Failure::failed("no journal").because(error.to_string()))?;
        let own = (
            rustix::process::geteuid().as_raw(),
            rustix::process::getegid().as_raw(),
        );
        replace(&path, &text, (0o600, own.0, own.1))
    }
}

/// Rewrites a file that keeps its owner and mode.
pub(super) fn rewrite(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let status =
        fs::symlink_metadata(path).map_err(|error| Failure::file("look at", path, &error))?;
    if !status.is_file() {
        return Err(
            Failure::failed(format!("{} is not a plain file", path.display()))
                .because("something else manages it")
                .next("edit it by what manages it"),
        );
    }
    replace(
        path,
        bytes,
        (status.mode() & 0o7777, status.uid(), status.gid()),
    )
}

/// Puts a file in place in one step: whoever reads it sees the old or the new one, whole.
pub(super) fn replace(
    path: &Path,
    bytes: &[u8],
    (mode, uid, gid): (u32, u32, u32),
) -> Result<(), Failure> {
    let failed = |error| Failure::file("write", path, &error);
    let mut next = path.as_os_str().to_owned();
    // A name with this ending is read by nobody: not by sshd, whose drop-ins end in .conf.
    next.push(".cloudid-new");
    let next = PathBuf::from(next);
    remove(&next)?;
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        let mut file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&next)?;
        file.write_all(bytes)?;
        chown(&next, Some(uid), Some(gid))?;
        fs::set_permissions(&next, Permissions::from_mode(mode))?;
        file.sync_all()?;
        fs::rename(&next, path)?;
        match path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    };
    write().map_err(|error| {
        // What is left of the attempt would only confuse; the failure itself is what counts.
        let _ = fs::remove_file(&next);
        failed(error)
    })
}

/// Removes a file that may not be there.
pub(super) fn remove(path: &Path) -> Result<(), Failure> {
    match fs::remove_file(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::file("remove", path, &error)),
    }
}

fn save(folder: &Path, path: &Path) -> io::Result<Saved> {
    let status = match fs::symlink_metadata(path) {
        Ok(status) => status,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Saved {
                path: path.to_owned(),
                copy: None,
            });
        }
        Err(error) => return Err(error),
    };
    if !status.is_file() {
        return Err(io::Error::other("it is not a plain file"));
    }
    let name = path
        .display()
        .to_string()
        .trim_start_matches('/')
        .replace('/', "+");
    let copy = folder.join(&name);
    fs::copy(path, &copy)?;
    File::open(&copy)?.sync_all()?;
    fs::set_permissions(&copy, Permissions::from_mode(0o600))?;
    Ok(Saved {
        path: path.to_owned(),
        copy: Some(Copy {
            name,
            mode: status.mode() & 0o7777,
            uid: status.uid(),
            gid: status.gid(),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Machine {
        root: tempfile::TempDir,
    }

    impl Machine {
        fn new() -> Self {
            Self {
                root: tempfile::tempdir().unwrap(),
            }
        }

        fn path(&self, name: &str) -> String {
            self.root.path().join(name).display().to_string()
        }
    }

    #[test]
    fn pkg_02_files_come_back_byte_for_byte_with_their_mode() {
        let machine = Machine::new();
        let (edited, made) = (
            machine.path("nsswitch.conf"),
            machine.path("20-cloudid.conf"),
        );
        fs::write(&edited, b"passwd: files\n\xff").unwrap();
        fs::set_permissions(&edited, Permissions::from_mode(0o640)).unwrap();
        let folder = machine.root.path().join("backup");
        Backup::take(&folder, &[&edited, &made]).unwrap();

        rewrite(Path::new(&edited), b"changed").unwrap();
        fs::write(&made, b"new").unwrap();
        fs::set_permissions(&edited, Permissions::from_mode(0o600)).unwrap();

        let backup = Backup::open(&folder).unwrap().unwrap();
        assert!(!backup.complete);
        backup.restore(&edited).unwrap();
        backup.restore(&made).unwrap();
        assert_eq!(fs::read(&edited).unwrap(), b"passwd: files\n\xff");
        assert_eq!(fs::metadata(&edited).unwrap().mode() & 0o7777, 0o640);
        assert!(!Path::new(&made).exists());
        backup.forget().unwrap();
        assert!(!folder.exists());
    }

    #[test]
    fn a_backup_that_others_could_write_is_not_believed() {
        let machine = Machine::new();
        let folder = machine.root.path().join("backup");
        Backup::take(&folder, &[]).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        assert!(Backup::open(&folder).is_err());
    }

    #[test]
    fn pkg_08_a_link_in_place_of_a_file_is_neither_followed_nor_replaced() {
        let machine = Machine::new();
        let (link, target) = (machine.path("link"), machine.path("target"));
        fs::write(&target, b"target").unwrap();
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(Backup::take(&machine.root.path().join("backup"), &[&link]).is_err());
        assert!(rewrite(Path::new(&link), b"x").is_err());
        assert_eq!(fs::read(&target).unwrap(), b"target");
    }

    #[test]
    fn without_a_journal_nothing_was_changed() {
        let machine = Machine::new();
        assert_eq!(
            Backup::open(&machine.root.path().join("none")).unwrap(),
            None
        );
    }
}
