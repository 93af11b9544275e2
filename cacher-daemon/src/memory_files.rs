//! The published map as a sealed memory file, for processes that look up much. Only the newest is
//! handed out; the one before is told that it is superseded. Whoever keeps superseded ones keeps
//! memory that is the cacher's, so there is a bound to it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use identity_map::SealedMap;
use rustix::fs::Mode;

use crate::ffi::is_open_elsewhere;

/// What superseded memory files that somebody still holds may take. Beyond it there is no new one,
/// and every process reads the published map, with the same answers.
pub const HELD_BYTES_MAX: u64 = 256 << 20;
/// What a small one counts: it takes a descriptor as well.
pub const COUNTED_BYTES_MIN: u64 = 1 << 20;

/// A memory file, made and not yet handed out to anybody.
#[derive(Debug)]
pub struct MemoryFile {
    sealed: SealedMap,
    /// What is handed out: it can be read, and not be opened anew for writing.
    shared: File,
    watch: Watch,
}

/// Tells whether somebody still holds a memory file.
#[derive(Debug)]
struct Watch {
    own: File,
    bytes: u64,
}

#[derive(Debug, Default)]
struct State {
    newest: Option<MemoryFile>,
    superseded: Vec<Watch>,
}

/// The newest memory file, and those before it that are still held.
#[derive(Debug, Default)]
pub struct MemoryFiles(Mutex<State>);

impl MemoryFile {
    /// Puts a map into a memory file.
    ///
    /// # Errors
    /// The kernel refuses, or there is no memory.
    pub fn new(map: &[u8]) -> io::Result<Self> {
        let sealed = SealedMap::new(map)?;
        rustix::fs::fchmod(sealed.file(), Mode::from_raw_mode(0o444))?;
        Ok(Self {
            shared: opened_anew(&sealed)?,
            watch: Watch {
                own: opened_anew(&sealed)?,
                bytes: (map.len() as u64).max(COUNTED_BYTES_MIN),
            },
            sealed,
        })
    }
}

/// Another open file of the same memory: the kernel counts each open file by itself.
fn opened_anew(sealed: &SealedMap) -> io::Result<File> {
    File::open(format!("/proc/self/fd/{}", sealed.file().as_raw_fd()))
}

impl Watch {
    fn is_held(&self) -> bool {
        is_open_elsewhere(self.own.as_fd())
    }
}

impl State {
    fn forget_released(&mut self) {
        self.superseded.retain(Watch::is_held);
    }

    fn held_bytes(&self) -> u64 {
        self.superseded.iter().map(|watch| watch.bytes).sum()
    }
}

impl MemoryFiles {
    /// Puts another one in the place of the newest, or none. To be called once the map it was made
    /// of is published: nobody may hear that his is superseded and then find the old one there.
    pub fn replace(&self, new: Option<MemoryFile>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget_released();
        let former = std::mem::take(&mut state.newest);
        if let Some(former) = former {
            former.sealed.supersede();
            state.superseded.push(former.watch);
        }
        let Some(new) = new else { return };
        // Whether the former is held shows only now that our own shared file is closed.
        state.forget_released();
        if state.held_bytes() + new.watch.bytes > HELD_BYTES_MAX {
            tracing::warn!("superseded identity maps are kept open: no memory file of the newest");
            return;
        }
        state.newest = Some(new);
    }

    /// Whether there is one to hand out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.newest.is_none()
    }

    /// The newest one, to be handed out.
    #[must_use]
    pub fn newest(&self) -> Option<OwnedFd> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = state.newest.as_ref()?;
        newest.shared.try_clone().ok().map(OwnedFd::from)
    }
}

#[cfg(test)]
mod tests {
    use identity_map::{Map, MapContent, write_map};

    use super::*;

    fn map(version: u64) -> Vec<u8> {
        let content = MapContent {
            version,
            ..MapContent::default()
        };
        write_map(&content).unwrap()
    }

    fn put(files: &MemoryFiles, version: u64) {
        files.replace(Some(MemoryFile::new(&map(version)).unwrap()));
    }

    #[test]
    fn nss_03_the_former_one_is_superseded_when_the_newer_is_handed_out() {
        let files = MemoryFiles::default();
        assert!(files.newest().is_none());
        put(&files, 1);
        let first = Map::open_memory(files.newest().unwrap().as_fd()).unwrap();
        assert!(!first.is_superseded());
        put(&files, 2);
        assert!(first.is_superseded());
        let second = Map::open_memory(files.newest().unwrap().as_fd()).unwrap();
        assert_eq!((first.version(), second.version()), (1, 2));
        files.replace(None);
        assert!(second.is_superseded(), "nobody would tell it any more");
    }

    #[test]
    fn nss_17_nobody_can_open_a_memory_file_for_writing() {
        let files = MemoryFiles::default();
        put(&files, 1);
        let file = files.newest().unwrap();
        let mode = rustix::fs::fstat(&file).unwrap().st_mode;
        assert_eq!(mode & 0o777, 0o444);
        assert!(rustix::io::write(&file, b"x").is_err());
        assert!(rustix::fs::ftruncate(&file, 0).is_err());
    }

    #[test]
    fn nss_04_what_superseded_files_take_is_bounded_whoever_keeps_them() {
        let files = MemoryFiles::default();
        let most = usize::try_from(HELD_BYTES_MAX / COUNTED_BYTES_MIN).unwrap();
        let mut kept = Vec::new();
        for version in 0..1_000_u32 {
            put(&files, u64::from(version));
            kept.extend(files.newest());
        }
        assert_eq!(kept.len(), most);
        // A mapping holds as well as a descriptor does.
        let mapped = Map::open_memory(kept.remove(0).as_fd()).unwrap();
        put(&files, 2_000);
        assert!(files.is_empty());
        drop(mapped);
        put(&files, 2_001);
        assert!(!files.is_empty());
    }

    #[test]
    fn nss_04_who_lets_superseded_files_go_gets_every_newer_one() {
        let files = MemoryFiles::default();
        for version in 0..1_000 {
            put(&files, version);
            assert!(files.newest().is_some());
        }
        let state = files.0.lock().unwrap();
        assert!(state.superseded.len() <= 1);
    }
}
