//! Those who were met, kept on disk: files do not lose their owners' names because the host was
//! started again while the directory is away. Not signed, as it carries no rights; names and ids are
//! checked again when it is read.

use std::io;
use std::path::Path;

use directory_api::agent::OwnersAnswer;

use super::Strangers;
use crate::disk::{Disk, read_bounded};

const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

pub(super) fn save(disk: &dyn Disk, path: &Path, strangers: &Strangers) -> io::Result<()> {
    let users = strangers.users.iter();
    let groups = strangers.groups.iter();
    let kept = OwnersAnswer {
        users: users
            .map(|(name, uid)| (uid.get(), name.to_string()))
            .collect(),
        groups: groups
            .map(|(name, gid)| (gid.get(), name.to_string()))
            .collect(),
    };
    disk.replace(path, &serde_json::to_vec(&kept)?, 0o600)
}

/// What was kept; nothing when there is nothing that can be used.
pub(super) fn load(path: &Path) -> OwnersAnswer {
    let read = read_bounded(path, FILE_BYTES_MAX).and_then(|bytes| match bytes {
        Some(bytes) => Ok(serde_json::from_slice(&bytes)?),
        None => Ok(OwnersAnswer::default()),
    });
    read.unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), %error, "owners are asked anew");
        OwnersAnswer::default()
    })
}
