//! Makes a home from the skeleton, race-free: every step works on an open folder and a single name,
//! no symlink is ever followed, and what is not a plain file or folder is not copied. The finished
//! home appears at once under its name, by rename, already owned by its user.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use local_protocol::MakeHome;
use posix_names::{BadId, Gid, HomeDirectory, Uid};
use rustix::fs::{
    AtFlags, Dir, FileType, Mode, OFlags, RenameFlags, ResolveFlags, fchmod, fchown, fstat,
    mkdirat, openat, openat2, renameat_with, statat, unlinkat,
};
use rustix::io::Errno;

use super::Places;
use crate::local::LocalNames;

const FOLDERS_DEEP_MAX: usize = 8;
const ENTRIES_MAX: usize = 10_000;
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Why there is no home.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// An id that is not the directory's.
    #[error(transparent)]
    Id(#[from] BadId),
    /// A place where homes do not lie.
    #[error(transparent)]
    Place(#[from] posix_names::BadHome),
    /// The uid or gid is the host's own.
    #[error("uid {0} or its group belongs to the host itself")]
    Local(u32),
    /// Something else is there.
    #[error("{path} belongs to uid {owner}, not to {uid}")]
    Occupied {
        /// The path.
        path: String,
        /// Whose it is.
        owner: u32,
        /// Who was to get it.
        uid: u32,
    },
    /// Something is there that is not a folder.
    #[error("{0} is not a folder")]
    NotAFolder(String),
    /// The disk, or somebody who plays with symlinks.
    #[error("{step}: {error}")]
    Disk {
        /// What was done.
        step: &'static str,
        /// What the kernel says.
        error: io::Error,
    },
}

/// To whom everything belongs.
#[derive(Clone, Copy)]
struct Owner {
    uid: rustix::fs::Uid,
    gid: rustix::fs::Gid,
    keep: u32,
}

/// Makes a home where there is none; says whether one was made.
///
/// # Errors
/// Nothing half-made is left under the home's name.
pub fn make_home(wanted: &MakeHome, places: &Places) -> Result<bool, HomeError> {
    let home = HomeDirectory::parse(&wanted.home)?;
    let uid = Uid::new(u64::from(wanted.uid))?;
    let gid = Gid::new(u64::from(wanted.gid))?;
    let local = LocalNames::read(&places.etc);
    if local.has_uid(uid.get()) || local.has_gid(gid.get()) {
        return Err(HomeError::Local(uid.get()));
    }
    let (parent, name) = parent(home.as_str(), &places.root)?;
    if existing(&parent, &name, home.as_str(), uid)? {
        return Ok(false);
    }
    let owner = Owner {
        uid: rustix::fs::Uid::from_raw(uid.get()),
        gid: rustix::fs::Gid::from_raw(gid.get()),
        keep: 0o777 & !wanted.umask,
    };
    let temporary = OsString::from(format!(".cloudid-{}-{}", uid.get(), suffix()?));
    let made = build(&parent, &temporary, owner, places)
        .and_then(|()| put_in_place(&parent, &temporary, &name));
    match made {
        Ok(()) => Ok(true),
        Err(error) => {
            remove(parent.as_fd(), &temporary, 0);
            // Another login of the same user may have been faster.
            if existing(&parent, &name, home.as_str(), uid)? {
                return Ok(false);
            }
            Err(error)
        }
    }
}

fn suffix() -> Result<String, HomeError> {
    let number = getrandom::u64().map_err(|error| HomeError::Disk {
        step: "randomness",
        error: io::Error::other(error),
    })?;
    Ok(format!("{number:016x}"))
}

/// The folder that the home goes into, reached without following a symlink or leaving the root.
/// It must belong to root: in a folder of somebody else, names change under our hands.
fn parent(home: &str, root: &Path) -> Result<(OwnedFd, OsString), HomeError> {
    let path = Path::new(home.trim_start_matches('/'));
    let folder = path.parent().unwrap_or(Path::new(""));
    let name = path.file_name().unwrap_or(OsStr::new("")).to_owned();
    let root = rustix::fs::open(
        root,
        OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
        Mode::empty(),
    )
    .map_err(at("open /"))?;
    let parent = openat2(
        &root,
        folder,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
        ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS,
    )
    .map_err(at("open the folder of homes"))?;
    let status = fstat(&parent).map_err(at("look at the folder of homes"))?;
    let ours = status.st_uid == 0 || status.st_uid == rustix::process::geteuid().as_raw();
    if !ours || status.st_mode & 0o022 != 0 {
        let error = io::Error::from(io::ErrorKind::PermissionDenied);
        let step = "the folder of homes must belong to root and be writable by nobody else";
        return Err(HomeError::Disk { step, error });
    }
    Ok((parent, name))
}

/// Whether the user's home is there. Anybody else's, and anything else, is an error.
fn existing(parent: &OwnedFd, name: &OsStr, path: &str, uid: Uid) -> Result<bool, HomeError> {
    let status = match statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
        Err(Errno::NOENT) => return Ok(false),
        other => other.map_err(at("look for the home"))?,
    };
    if FileType::from_raw_mode(status.st_mode) != FileType::Directory {
        return Err(HomeError::NotAFolder(path.to_owned()));
    }
    if status.st_uid != uid.get() {
        return Err(HomeError::Occupied {
            path: path.to_owned(),
            owner: status.st_uid,
            uid: uid.get(),
        });
    }
    Ok(true)
}

/// Copies the skeleton into a folder that still belongs to root and only root can enter.
fn build(parent: &OwnedFd, name: &OsStr, owner: Owner, places: &Places) -> Result<(), HomeError> {
    mkdirat(parent, name, Mode::from_raw_mode(0o700)).map_err(at("make the home"))?;
    let home = folder(parent.as_fd(), name).map_err(at("open the new home"))?;
    match rustix::fs::open(
        &places.skeleton,
        OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW,
        Mode::empty(),
    ) {
        Ok(skeleton) => {
            let mut left = ENTRIES_MAX;
            copy_folder(&skeleton, &home, owner, FOLDERS_DEEP_MAX, &mut left)?;
        }
        Err(Errno::NOENT) => {}
        Err(error) => return Err(at("open the skeleton")(error)),
    }
    give(&home, owner, 0o777)
}

fn put_in_place(parent: &OwnedFd, from: &OsStr, to: &OsStr) -> Result<(), HomeError> {
    renameat_with(parent, from, parent, to, RenameFlags::NOREPLACE).map_err(at("name the home"))?;
    rustix::fs::fsync(parent).map_err(at("make the home durable"))
}

fn copy_folder(
    from: &OwnedFd,
    to: &OwnedFd,
    owner: Owner,
    deep: usize,
    left: &mut usize,
) -> Result<(), HomeError> {
    for entry in Dir::read_from(from).map_err(at("read the skeleton"))? {
        let entry = entry.map_err(at("read the skeleton"))?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let Some(fewer) = left.checked_sub(1) else {
            let error = io::Error::from(io::ErrorKind::FileTooLarge);
            return Err(HomeError::Disk {
                step: "the skeleton has too many files",
                error,
            });
        };
        *left = fewer;
        let status =
            statat(from, name, AtFlags::SYMLINK_NOFOLLOW).map_err(at("look at the skeleton"))?;
        match FileType::from_raw_mode(status.st_mode) {
            FileType::RegularFile => copy_file(from, to, name, owner, status.st_mode)?,
            FileType::Directory if deep > 0 => {
                mkdirat(to, name, Mode::from_raw_mode(0o700)).map_err(at("make a folder"))?;
                let below = folder(to.as_fd(), name).map_err(at("open a new folder"))?;
                let source = folder(from.as_fd(), name).map_err(at("open the skeleton"))?;
                copy_folder(&source, &below, owner, deep - 1, left)?;
                give(&below, owner, status.st_mode)?;
            }
            // What lies too deep, and whatever a user would be surprised to own.
            FileType::Directory
            | FileType::Symlink
            | FileType::Fifo
            | FileType::Socket
            | FileType::CharacterDevice
            | FileType::BlockDevice
            | FileType::Unknown => tracing::warn!(?name, "in the skeleton, not copied"),
        }
    }
    Ok(())
}

fn copy_file(
    from: &OwnedFd,
    to: &OwnedFd,
    name: &OsStr,
    owner: Owner,
    mode: u32,
) -> Result<(), HomeError> {
    let read = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let source =
        openat(from, name, read, Mode::empty()).map_err(at("open a file of the skeleton"))?;
    let write = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = openat(to, name, write, Mode::from_raw_mode(0o600)).map_err(at("make a file"))?;
    let mut target = std::fs::File::from(target);
    let mut source = io::Read::take(std::fs::File::from(source), FILE_BYTES_MAX);
    io::copy(&mut source, &mut target).map_err(|error| HomeError::Disk {
        step: "copy",
        error,
    })?;
    give(&OwnedFd::from(target), owner, mode)
}

fn folder(parent: BorrowedFd<'_>, name: &OsStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    openat(parent, name, flags, Mode::empty())
}

/// The mode first: after the owner has changed, a set-id bit could be in play.
fn give(file: &OwnedFd, owner: Owner, mode: u32) -> Result<(), HomeError> {
    let mode = Mode::from_raw_mode(mode & owner.keep);
    fchmod(file, mode).map_err(at("set a mode"))?;
    fchown(file, Some(owner.uid), Some(owner.gid)).map_err(at("give a file to its owner"))
}

/// Takes a half-made home away. Nothing depends on its success.
fn remove(parent: BorrowedFd<'_>, name: &OsStr, deep: usize) {
    if let Ok(folder) = folder(parent, name) {
        for entry in Dir::read_from(&folder).into_iter().flatten().flatten() {
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            if unlinkat(&folder, name, AtFlags::empty()).is_err() && deep <= FOLDERS_DEEP_MAX {
                remove(folder.as_fd(), name, deep + 1);
            }
        }
    }
    let _ = unlinkat(parent, name, AtFlags::REMOVEDIR);
}

fn at(step: &'static str) -> impl Fn(Errno) -> HomeError {
    move |error| HomeError::Disk {
        step,
        error: error.into(),
    }
}

use std::os::unix::ffi::OsStrExt;
