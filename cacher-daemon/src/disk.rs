//! The few things done to a disk, each a step after which the power may go. Everything that must
//! survive goes through [`Disk::replace`]: temporary file, fsync, rename, fsync of the folder.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Steps on a disk. Tests make the n-th one fail, as a full disk or a power cut would.
pub trait Disk: Send + Sync {
    /// Writes a new file, replacing any of that name. Not durable yet.
    ///
    /// # Errors
    /// The disk refuses; a part of the file may be there.
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()>;
    /// Appends to a file, creating it. Not durable yet.
    ///
    /// # Errors
    /// The disk refuses; a part may be appended.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes a file's contents durable.
    ///
    /// # Errors
    /// The disk refuses.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Gives a file its final name.
    ///
    /// # Errors
    /// The disk refuses; the old file is untouched.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    ///
    /// # Errors
    /// The disk refuses.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
    /// Removes a file; a missing one is no error.
    ///
    /// # Errors
    /// The disk refuses.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the contents of several files of one filesystem durable.
    ///
    /// # Errors
    /// The disk refuses.
    fn sync_all(&self, paths: &[PathBuf]) -> io::Result<()> {
        paths.iter().try_for_each(|path| self.sync(path))
    }

    /// Puts a file in place so that, whenever the power goes, the old or the new one is there whole.
    ///
    /// # Errors
    /// The disk refuses; the old file is still there.
    fn replace(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.replace_all(&[(path.to_owned(), bytes)], mode)
    }

    /// Puts several files of one folder in place, each as [`Disk::replace`] does, one after the other.
    ///
    /// # Errors
    /// The disk refuses; of each file the old or the new one is there.
    fn replace_all(&self, files: &[(PathBuf, &[u8])], mode: u32) -> io::Result<()> {
        let Some((first, _)) = files.first() else {
            return Ok(());
        };
        let temporaries: Vec<PathBuf> =
            files.iter().map(|(path, _)| temporary_name(path)).collect();
        let put = || {
            for (temporary, (_, bytes)) in temporaries.iter().zip(files) {
                self.write(temporary, bytes, mode)?;
            }
            self.sync_all(&temporaries)?;
            for (temporary, (path, _)) in temporaries.iter().zip(files) {
                self.rename(temporary, path)?;
            }
            Ok(())
        };
        if let Err(error) = put() {
            for temporary in &temporaries {
                // The temporary file is of no use; that it stays behind is harmless.
                let _ = self.remove(temporary);
            }
            return Err(error);
        }
        self.sync_folder(first.parent().unwrap_or(Path::new("/")))
    }
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    PathBuf::from(name)
}

/// More files than this are made durable at once, with all else that the filesystem holds.
const FSYNC_EACH_UP_TO: usize = 16;

/// The disk of the host.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostDisk;

impl Disk for HostDisk {
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        // A temporary file left by a crash may have another mode; it is never reused.
        self.remove(path)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)?;
        // The mode given to open is cut by the umask; the map must be readable by everybody.
        rustix::fs::fchmod(&file, rustix::fs::Mode::from_raw_mode(mode))?;
        file.write_all(bytes)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .open(path)?
            .write_all(bytes)
    }

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    /// Every fsync waits for the journal by itself; for many files the whole filesystem is quicker.
    fn sync_all(&self, paths: &[PathBuf]) -> io::Result<()> {
        match paths.first() {
            Some(first) if paths.len() > FSYNC_EACH_UP_TO => {
                Ok(rustix::fs::syncfs(File::open(first)?)?)
            }
            Some(_) | None => paths.iter().try_for_each(|path| self.sync(path)),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        File::open(folder)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }
}

/// Reads a file of bounded size; a missing one is `None`.
///
/// # Errors
/// The file cannot be read or is longer than `bytes_max`.
pub fn read_bounded(path: &Path, bytes_max: u64) -> io::Result<Option<Vec<u8>>> {
    let file = match OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
    {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bytes_max {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("{} has more than {bytes_max} bytes", path.display()),
        ));
    }
    Ok(Some(bytes))
}

/// Makes a folder with a mode, unless it is there.
///
/// # Errors
/// The folder cannot be made.
pub fn make_folder(path: &Path, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    match fs::DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}
