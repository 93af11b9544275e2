//! Where the map of one lookup comes from: the memory file that this process holds, or the published
//! file, opened for this lookup and closed after it.

use identity_map::{Bytes, LastHeader, Map, MapFile, MemoryFile, ReadError};

use crate::answer::Failure;
use crate::held;
use crate::lookup::Sources;
use crate::thread::{seconds, uncancelled};

/// The bytes of a map.
#[derive(Debug)]
pub enum Source {
    /// Read with `pread`.
    File(MapFile),
    /// Mapped.
    Memory(MemoryFile),
}

impl Bytes for Source {
    #[inline]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        match self {
            Self::Memory(memory) => memory.read_at(offset, buffer),
            Self::File(file) => file.read_at(offset, buffer),
        }
    }

    #[inline]
    fn frozen(&self, offset: u64) -> Option<&[u8]> {
        match self {
            Self::Memory(memory) => memory.frozen(offset),
            Self::File(_) => None,
        }
    }
}

/// Asks the map. One in memory that cannot tell, because its owner has spoilt it, is not the last
/// word: the published file is.
pub(crate) fn with_map<T>(
    sources: Sources<'_>,
    mut ask: impl FnMut(&Map<Source>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    if let Some(held) = held::map(sources) {
        let told = ask(&held.map);
        if !matches!(told, Err(Failure::Unavailable)) {
            return told;
        }
    }
    uncancelled(|| {
        let map = published(sources)?;
        ask(&map.with_bytes(Source::File))
    })
}

/// The published map, to be closed before this thread can be cancelled.
pub(crate) fn published(sources: Sources<'_>) -> Result<Map<MapFile>, ReadError> {
    static LAST: LastHeader = LastHeader::new();
    Map::open_file_again(sources.map, &LAST, seconds)
}
