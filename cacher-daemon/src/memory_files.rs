//! The published map as a sealed memory file, for processes that look up much, and the one mark that
//! tells all of them which map is in force. Only the newest is handed out. Whoever keeps superseded
//! ones keeps memory that is the cacher's, so there is a bound to it.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::{Mutex, PoisonError};

use identity_map::{Mark, SealedMap};
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

/// The mark, and what of it is handed out.
#[derive(Debug)]
struct SharedMark {
    mark: Mark,
    shared: File,
}

#[derive(Debug, Default)]
struct State {
    /// Made with the first memory file, and the same from then on.
    mark: Option<SharedMark>,
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
        Ok(Self {
            shared: readable_only(sealed.file())?,
            watch: Watch {
                own: readable_only(sealed.file())?,
                bytes: (map.len() as u64).max(COUNTED_BYTES_MIN),
            },
            sealed,
        })
    }
}

impl SharedMark {
    fn new() -> io::Result<Self> {
        let mark = Mark::new()?;
        let shared = readable_only(mark.file())?;
        Ok(Self { mark, shared })
    }
}

/// Another open file of the same memory, which can only be read: the kernel counts each open file
/// by itself.
fn readable_only(file: BorrowedFd<'_>) -> io::Result<File> {
    rustix::fs::fchmod(file, Mode::from_raw_mode(0o444))?;
    File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

impl Watch {
    fn is_held(&self) -> bool {
        is_open_elsewhere(self.own.as_fd())
    }
}

impl State {
    fn put_mark(&self, map: Option<&SealedMap>) {
        if let Some(SharedMark { mark, .. }) = &self.mark {
            mark.put(map);
        }
    }

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
        state.put_mark(None);
        let former = std::mem::take(&mut state.newest);
        state.superseded.extend(former.map(|former| former.watch));
        let Some(new) = new else { return };
        // Whether the former is held shows only now that our own shared file is closed.
        state.forget_released();
        if state.held_bytes() + new.watch.bytes > HELD_BYTES_MAX {
            tracing::warn!("superseded identity maps are kept open: no memory file of the newest");
            return;
        }
        if state.mark.is_none() {
            state.mark = SharedMark::new()
                .inspect_err(|error| tracing::warn!(%error, "no mark for memory files"))
                .ok();
        }
        state.put_mark(Some(&new.sealed));
        state.newest = Some(new);
    }

    /// Whether there is one to hand out.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.newest.is_none()
    }

    /// The newest one and the mark, to be handed out.
    #[must_use]
    pub fn newest(&self) -> Option<[OwnedFd; 2]> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let map = state.newest.as_ref()?.shared.try_clone().ok()?;
        let mark = state.mark.as_ref()?.shared.try_clone().ok()?;
        Some([map.into(), mark.into()])
    }
}

#[cfg(test)]
mod tests {
    use identity_map::{Map, MapContent, Standing, write_map};

    use super::*;

    fn map(version: u64) -> Vec<u8> {
        let content = MapContent {
            version,
            ..MapContent::default()
        };
        write_map(&content).unwrap()
    }

    fn mapped(files: &MemoryFiles) -> Map<identity_map::MemoryFile> {
        let [map, mark] = files.newest().unwrap();
        Map::open_memory(map.as_fd(), mark.as_fd()).unwrap()
    }

    fn put(files: &MemoryFiles, version: u64) {
        files.replace(Some(MemoryFile::new(&map(version)).unwrap()));
    }

    #[test]
    fn nss_03_the_former_one_is_superseded_when_the_newer_is_handed_out() {
        let files = MemoryFiles::default();
        assert!(files.newest().is_none());
        put(&files, 1);
        let first = mapped(&files);
        assert_eq!(first.standing(), Standing::InForce);
        put(&files, 2);
        assert_eq!(first.standing(), Standing::Superseded);
        let second = mapped(&files);
        assert_eq!((first.version(), second.version()), (1, 2));
        files.replace(None);
        assert_eq!(
            second.standing(),
            Standing::Superseded,
            "nobody would tell it"
        );
    }

    #[test]
    fn nss_17_nobody_can_open_a_memory_file_for_writing() {
        let files = MemoryFiles::default();
        put(&files, 1);
        for file in files.newest().unwrap() {
            let mode = rustix::fs::fstat(&file).unwrap().st_mode;
            assert_eq!(mode & 0o777, 0o444);
            assert!(rustix::io::write(&file, b"x").is_err());
            assert!(rustix::fs::ftruncate(&file, 0).is_err());
        }
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
        let [map, mark] = kept.remove(0);
        let mapped = Map::open_memory(map.as_fd(), mark.as_fd()).unwrap();
        drop((map, mark));
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
