//! Whether the process behind a socket is one that a secret may be told to. The kernel's word on
//! the folder and on the peer counts, nothing the peer says does.

use std::os::fd::BorrowedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FileType, Mode, statat};
use rustix::net::sockopt::socket_peercred;

/// Users below this number belong to the system: neither a person, nor one of systemd's dynamic
/// users, nor anybody the directory could name.
const FIRST_PERSON: u32 = 1000;

/// Who may own the folder of a socket and listen on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Root or a system user: every real host.
    System,
    /// Also this user, who runs the cacher and asks it at once. A set-up for tests.
    AlsoUser(u32),
}

/// Why a socket is treated as if nobody were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Untrusted {
    /// The path has no folder, or it is something else, a symbolic link for example.
    #[error("the socket lies in no folder of its own")]
    NoFolder,
    /// A person could have put the socket there.
    #[error("the folder of the socket belongs to user {0}, who is not of the system")]
    FolderOwner(u32),
    /// Others could have put the socket there.
    #[error("the folder of the socket can be written to by others (mode {0:o})")]
    FolderMode(u32),
    /// Somebody else answers.
    #[error("user {peer} listens in a folder of user {owner}")]
    Peer {
        /// Whom the folder belongs to.
        owner: u32,
        /// Who listens.
        peer: u32,
    },
    /// The kernel does not tell who listens.
    #[error("the kernel does not tell who listens")]
    PeerUnknown,
}

/// Checks the folder of a socket before anything is opened; answers its owner.
pub(crate) fn owner_of_folder(socket: &Path, trust: Trust) -> Result<u32, Untrusted> {
    let folder = socket.parent().ok_or(Untrusted::NoFolder)?;
    let status = statat(CWD, folder, AtFlags::SYMLINK_NOFOLLOW).map_err(|_| Untrusted::NoFolder)?;
    if FileType::from_raw_mode(status.st_mode) != FileType::Directory {
        return Err(Untrusted::NoFolder);
    }
    let trusted = match trust {
        Trust::System => status.st_uid < FIRST_PERSON,
        Trust::AlsoUser(user) => status.st_uid < FIRST_PERSON || status.st_uid == user,
    };
    if !trusted {
        return Err(Untrusted::FolderOwner(status.st_uid));
    }
    let mode = Mode::from_raw_mode(status.st_mode);
    if mode.intersects(Mode::WGRP | Mode::WOTH) {
        return Err(Untrusted::FolderMode(mode.bits()));
    }
    Ok(status.st_uid)
}

/// Checks who listens: the owner of the folder, or root, who listens for a service that is
/// started by its socket.
pub(crate) fn peer_is(owner: u32, socket: BorrowedFd<'_>) -> Result<(), Untrusted> {
    let peer = socket_peercred(socket)
        .map_err(|_| Untrusted::PeerUnknown)?
        .uid
        .as_raw();
    if peer == owner || peer == 0 {
        Ok(())
    } else {
        Err(Untrusted::Peer { owner, peer })
    }
}
