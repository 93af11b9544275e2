//! The identity map in its two places: kept in the state folder for the next boot, published in
//! `/run/cloudid` for every process. Replaced whole, readable by everybody.

use std::io;
use std::path::Path;

use identity_map::{MAP_BYTES_MAX, MapContent, WriteError, write_map};

use crate::disk::{Disk, read_bounded};
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

/// Writes the map and puts it in both places. Says whether it differs from the published one.
///
/// # Errors
/// The map in force before stays in force.
pub fn publish(disk: &dyn Disk, paths: &Paths, content: &MapContent) -> Result<bool, PublishError> {
    let map = write_map(content)?;
    // Published first: a full disk below the state folder must not keep a change from processes.
    let changed = put_if_new(disk, &paths.published_map(), &map)?;
    put_if_new(disk, &paths.kept_map(), &map)?;
    Ok(changed)
}

fn put_if_new(disk: &dyn Disk, path: &Path, map: &[u8]) -> Result<bool, PublishError> {
    let before = read_bounded(path, MAP_BYTES_MAX).ok().flatten();
    if before.as_deref() == Some(map) {
        return Ok(false);
    }
    put(disk, path, map).map(|()| true)
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
