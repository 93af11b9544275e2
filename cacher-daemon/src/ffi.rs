//! The system calls that no library of ours wraps soundly: who connected a Unix socket (`rustix`
//! reads the pid into a type that cannot be zero, and it is zero for a peer in a pid namespace that
//! we cannot see into), whether the peer has read what it was sent, who else has a file open, and
//! how the allocator keeps house.
#![expect(
    unsafe_code,
    reason = "getsockopt, ioctl(SIOCOUTQ), fcntl(F_SETLEASE), mallopt and malloc_trim"
)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `(pid, uid)` of the process that connected this socket; pid 0 when it is invisible to us.
pub(crate) fn peer_credentials(socket: BorrowedFd<'_>) -> io::Result<(u32, u32)> {
    let mut credentials = libc::ucred {
        pid: 0,
        uid: u32::MAX,
        gid: u32::MAX,
    };
    option(socket, libc::SO_PEERCRED, &mut credentials)?;
    Ok((u32::try_from(credentials.pid).unwrap_or(0), credentials.uid))
}

/// A pidfd of the process that connected this socket; `None` on kernels before 6.5 and when that
/// process is gone.
pub(crate) fn peer_pidfd(socket: BorrowedFd<'_>) -> Option<OwnedFd> {
    let mut descriptor: libc::c_int = -1;
    option(socket, libc::SO_PEERPIDFD, &mut descriptor).ok()?;
    if descriptor < 0 {
        return None;
    }
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Some(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Bytes sent on a Unix socket that the peer has not read yet.
pub(crate) fn unread_bytes(socket: BorrowedFd<'_>) -> io::Result<u32> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the kernel writes one C int, which is live and writable.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    u32::try_from(bytes).map_err(io::Error::other)
}

/// Whether anybody but us has this file open or mapped: then the kernel refuses a write lease. If
/// it refuses for another reason, somebody is taken to.
pub(crate) fn is_open_elsewhere(file: BorrowedFd<'_>) -> bool {
    // SAFETY: a number goes in and none comes out; the descriptor is borrowed and stays open.
    let leased = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_WRLCK) };
    if leased != 0 {
        return true;
    }
    // SAFETY: as above. Gives the lease back, so that nobody's open ever breaks it.
    unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) };
    false
}

/// Lets all threads share two heaps.
pub(crate) fn share_heaps() {
    #[cfg(target_env = "gnu")]
    // SAFETY: two numbers go in; the allocator guards itself.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// Gives the free pages of all heaps back to the kernel.
pub(crate) fn trim_heaps() {
    #[cfg(target_env = "gnu")]
    // SAFETY: a number goes in; the allocator guards itself.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// Reads a socket option into a plain C value; refuses an answer of another size.
fn option<T: Copy>(socket: BorrowedFd<'_>, name: libc::c_int, value: &mut T) -> io::Result<()> {
    let expected = libc::socklen_t::try_from(size_of::<T>()).map_err(io::Error::other)?;
    let mut length = expected;
    // SAFETY: value is a live, writable plain C value of exactly the length that the kernel is
    // told, so it cannot write beyond it; the descriptor is borrowed and stays open.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            name,
            std::ptr::from_mut(value).cast(),
            &raw mut length,
        )
    };
    match result {
        0 if length == expected => Ok(()),
        0 => Err(io::Error::other("the kernel's answer has another size")),
        _ => Err(io::Error::last_os_error()),
    }
}
