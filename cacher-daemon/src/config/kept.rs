//! The last settings that were good, kept in the state folder. When the files become wrong, by a slip
//! of somebody or because a newer version takes less than the one before, the cacher starts with these, as
//! one that runs stays with what it has: nobody is locked out, and nothing is allowed that was not.

use std::io;
use std::path::PathBuf;

use super::reader::Reader;
use super::{Config, FILE_BYTES_MAX, Problems};
use crate::disk::{Disk, read_bounded};
use crate::paths::Paths;

const MODE: u32 = 0o600;

impl Config {
    /// What to start with: the files, or, with what is wrong with them, the last good settings.
    ///
    /// # Errors
    /// The files are wrong, and nothing was kept.
    pub fn to_start_with(paths: &Paths) -> Result<(Self, Option<Problems>), Problems> {
        match Self::load(paths) {
            Ok(config) => Ok((config, None)),
            Err(problems) => match kept(paths) {
                Some(config) => Ok((config, Some(problems))),
                None => Err(problems),
            },
        }
    }

    /// Keeps these settings, which are in force, for a start with files that are wrong.
    ///
    /// # Errors
    /// The disk refuses; those kept before are still there.
    pub fn keep(&self, disk: &dyn Disk, paths: &Paths) -> io::Result<()> {
        let (path, text) = (place(paths), self.to_string());
        match read_bounded(&path, FILE_BYTES_MAX) {
            Ok(Some(bytes)) if bytes == text.as_bytes() => Ok(()),
            _ => disk.replace(&path, text.as_bytes(), MODE),
        }
    }
}

fn place(paths: &Paths) -> PathBuf {
    paths.state.join("settings.toml")
}

/// Written by an earlier start, perhaps of another version: a setting that this one does not have is left
/// aside, and one of a value that it does not take has its default.
fn kept(paths: &Paths) -> Option<Config> {
    let bytes = read_bounded(&place(paths), FILE_BYTES_MAX).ok()??;
    let mut reader = Reader::default();
    reader.add_text("settings.toml", &String::from_utf8(bytes).ok()?);
    reader.understood().then(|| Config::read(reader).0)
}
