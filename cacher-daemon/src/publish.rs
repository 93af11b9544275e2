//! The identity map in its two places: kept in the state folder for the next boot, published in
//! `/run/cloudid` for every process, there beside it as a memory file. Replaced whole, readable by
//! everybody.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use identity_map::{MAP_BYTES_MAX, Map, WriteError};

use crate::disk::{Disk, read_bounded};
use crate::memory_files::{MemoryFile, MemoryFiles};
use crate::paths::Paths;

const MODE: u32 = 0o644;

/// Why there is no new map.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The content does not fit a map.
    #[error(transparent)]
    Content(#[from] WriteError),
    /// The disk refuses.
    #[error("{path}: {error}")]
    Disk {
        /// Which file.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// Puts a map in both places. Says whether it differs from the published one.
///
/// # Errors
/// The map in force before stays in force.
pub fn publish(
    disk: &dyn Disk,
    paths: &Paths,
    map: &[u8],
    memory: Option<&MemoryFiles>,
) -> Result<bool, PublishError> {
    // Published first: a full disk below the state folder must not keep a change from processes.
    let published = paths.published_map();
    let changed = !is_there(&published, map);
    // Made before the rename, so that the former is superseded right after it.
    let file = memory
        .filter(|memory| changed || memory.is_empty())
        .and_then(|_| memory_file(map));
    if changed {
        put(disk, &published, map)?;
    }
    match memory {
        Some(memory) if changed || file.is_some() => memory.replace(file),
        Some(_) | None => {}
    }
    let kept = paths.kept_map();
    if !is_there(&kept, map) {
        put(disk, &kept, map)?;
    }
    Ok(changed)
}

/// Makes a memory file of the map that is published, where there is none: nothing may have been
/// published since the start, or it could not be made at the time.
pub fn offer_published(paths: &Paths, memory: &MemoryFiles) {
    if !memory.is_empty() {
        return;
    }
    let read = read_bounded(&paths.published_map(), MAP_BYTES_MAX);
    let map = read.ok().flatten().unwrap_or_default();
    if Map::open(map.as_slice(), map.len() as u64).is_ok() {
        memory.replace(memory_file(&map));
    }
}

/// Without a memory file every process reads the published one, with the same answers.
fn memory_file(map: &[u8]) -> Option<MemoryFile> {
    MemoryFile::new(map)
        .inspect_err(|error| tracing::warn!(%error, "no memory file of the identity map"))
        .ok()
}

/// Whether exactly this map lies there, as every process would believe it.
fn is_there(path: &Path, map: &[u8]) -> bool {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_CLOEXEC;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path);
    file.and_then(|file| holds(&file, map)).unwrap_or(false)
}

fn holds(mut file: &File, mut map: &[u8]) -> io::Result<bool> {
    let facts = file.metadata()?;
    let own = facts.uid() == 0 || facts.uid() == rustix::process::geteuid().as_raw();
    if !facts.is_file() || facts.mode() & 0o7777 != MODE || !own {
        return Ok(false);
    }
    let mut part = vec![0; 64 * 1024];
    loop {
        let read = file.read(&mut part)?;
        let (found, expected) = (part.get(..read), map.split_at_checked(read));
        let Some((expected, rest)) = expected else {
            return Ok(false);
        };
        if read == 0 {
            return Ok(map.is_empty());
        }
        if found != Some(expected) {
            return Ok(false);
        }
        map = rest;
    }
}

/// Copies the kept map to where processes look, before the cacher runs. Says whether there was one.
///
/// # Errors
/// The kept map cannot be read, or the run folder not be written.
pub fn publish_kept(disk: &dyn Disk, paths: &Paths) -> Result<bool, PublishError> {
    let kept = paths.kept_map();
    let map = read_bounded(&kept, MAP_BYTES_MAX).map_err(|error| at(&kept, error))?;
    let Some(map) = map else {
        return Ok(false);
    };
    put(disk, &paths.published_map(), &map)?;
    Ok(true)
}

fn put(disk: &dyn Disk, path: &Path, map: &[u8]) -> Result<(), PublishError> {
    disk.replace(path, map, MODE)
        .map_err(|error| at(path, error))
}

fn at(path: &Path, error: io::Error) -> PublishError {
    PublishError::Disk {
        path: path.display().to_string(),
        error,
    }
}
