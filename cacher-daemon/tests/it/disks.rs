//! Disks that fail: below one folder for good, or at the n-th step as a power cut would.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use cacher_daemon::disk::{Disk, HostDisk};

/// Refuses everything below a folder, as a full or read-only disk does.
pub(crate) struct Broken(PathBuf);

impl Broken {
    pub(crate) fn below(folder: PathBuf) -> Self {
        Self(folder)
    }

    fn check(&self, path: &Path) -> io::Result<()> {
        if path.starts_with(&self.0) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        Ok(())
    }
}

impl Disk for Broken {
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        self.check(path)?;
        HostDisk.write(path, bytes, mode)
    }
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.check(path)?;
        HostDisk.append(path, bytes)
    }
    fn sync(&self, path: &Path) -> io::Result<()> {
        self.check(path)?;
        HostDisk.sync(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.check(to)?;
        HostDisk.rename(from, to)
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        self.check(folder)?;
        HostDisk.sync_folder(folder)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.check(path)?;
        HostDisk.remove(path)
    }
}

/// Works for a number of steps; the one after leaves half of what it writes, and from then on
/// nothing happens any more: the power is gone.
pub(crate) struct PowerCut {
    steps: AtomicUsize,
    last: usize,
}

impl PowerCut {
    pub(crate) fn after(last: usize) -> Self {
        Self {
            steps: AtomicUsize::new(0),
            last,
        }
    }

    /// Whether the power went.
    pub(crate) fn happened(&self) -> bool {
        self.steps.load(Ordering::SeqCst) > self.last
    }

    fn step(&self) -> Step {
        match self.steps.fetch_add(1, Ordering::SeqCst) {
            step if step < self.last => Step::Whole,
            step if step == self.last => Step::Half,
            _ => Step::Nothing,
        }
    }
}

#[derive(PartialEq)]
enum Step {
    Whole,
    Half,
    Nothing,
}

fn gone() -> io::Error {
    io::Error::other("the power is gone")
}

impl Disk for PowerCut {
    fn write(&self, path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
        match self.step() {
            Step::Whole => HostDisk.write(path, bytes, mode),
            Step::Half => {
                HostDisk.write(path, &bytes[..bytes.len() / 2], mode)?;
                Err(gone())
            }
            Step::Nothing => Err(gone()),
        }
    }
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match self.step() {
            Step::Whole => HostDisk.append(path, bytes),
            Step::Half => {
                HostDisk.append(path, &bytes[..bytes.len() / 2])?;
                Err(gone())
            }
            Step::Nothing => Err(gone()),
        }
    }
    fn sync(&self, path: &Path) -> io::Result<()> {
        if self.step() == Step::Whole {
            HostDisk.sync(path)
        } else {
            Err(gone())
        }
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        if self.step() == Step::Whole {
            HostDisk.rename(from, to)
        } else {
            Err(gone())
        }
    }
    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        if self.step() == Step::Whole {
            HostDisk.sync_folder(folder)
        } else {
            Err(gone())
        }
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        if self.step() == Step::Whole {
            HostDisk.remove(path)
        } else {
            Err(gone())
        }
    }
}
