//! A map in a file: opened for one lookup, read with `pread`, closed. No descriptor outlives the
//! lookup, and a file that is cut short while it is read is an error, never a signal.

use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::last_header::{FileState, LastHeader};
use crate::layout::{HEADER_BYTES, Header, MAP_BYTES_MAX};
use crate::read::{Bytes, Map, ReadError};

/// Owners below this id are accounts of the system, which only a package makes.
const FIRST_PERSONS_UID: u32 = 1000;
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// The bytes of a file.
#[derive(Debug)]
pub struct MapFile(File);

impl Map<MapFile> {
    /// Opens the map at a path, if it can be trusted: a plain file of root's, or of the system
    /// account that owns the folder, writable by no other.
    ///
    /// # Errors
    /// There is none, it is not to be trusted, or its header is damaged.
    pub fn open_file(path: &Path) -> Result<Self, ReadError> {
        let (file, facts) = opened(path)?;
        Self::open(MapFile(file), facts.len())
    }

    /// The same for whoever may have opened this file before: its header is read once. `now_s` tells
    /// the time, in seconds since 1970.
    ///
    /// # Errors
    /// As [`Map::open_file`].
    pub fn open_file_again(
        path: &Path,
        last: &LastHeader,
        now_s: impl FnOnce() -> i64,
    ) -> Result<Self, ReadError> {
        let (file, facts) = opened(path)?;
        let (file, state, length) = (MapFile(file), FileState::of(&facts), facts.len());
        let known = last.of(&state);
        let mut bytes = known.unwrap_or([0; HEADER_BYTES]);
        if known.is_none() {
            file.read_at(0, &mut bytes)?;
        }
        if length > MAP_BYTES_MAX {
            return Err(ReadError::Damaged);
        }
        let header = Header::parse(&bytes, length)?;
        if known.is_none() {
            last.keep(&state, &bytes, now_s());
        }
        Ok(Self {
            bytes: file,
            header,
        })
    }
}

/// A file that can be trusted.
fn opened(path: &Path) -> Result<(File, Metadata), ReadError> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC)
        .open(path)
        .map_err(|_| ReadError::Unreadable)?;
    let facts = file.metadata().map_err(|_| ReadError::Unreadable)?;
    if is_trusted(&facts, path) {
        Ok((file, facts))
    } else {
        Err(ReadError::NotTrusted)
    }
}

impl Bytes for MapFile {
    #[cold]
    #[inline(never)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.0
            .read_exact_at(buffer, offset)
            .map_err(|_| ReadError::Unreadable)
    }
}

fn is_trusted(file: &Metadata, path: &Path) -> bool {
    file.is_file()
        && file.mode() & WRITABLE_BY_OTHERS == 0
        && (file.uid() == 0 || owns_folder(file.uid(), path))
}

/// Whether a system account is the only one who can put files beside this one.
fn owns_folder(uid: u32, path: &Path) -> bool {
    let Some(Ok(folder)) = path.parent().map(std::fs::symlink_metadata) else {
        return false;
    };
    uid < FIRST_PERSONS_UID
        && folder.is_dir()
        && folder.uid() == uid
        && folder.mode() & WRITABLE_BY_OTHERS == 0
}
