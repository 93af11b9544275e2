//! Who is at the other end of a socket, as the kernel reports it; never as it describes itself.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open, test_kill_process};

/// The uid the kernel shows for users that do not exist in our user namespace.
const OVERFLOW_UID: u32 = 65_534;

/// The process at the other end.
#[derive(Debug)]
pub struct Peer {
    /// Its user when it connected.
    pub uid: u32,
    /// Its number; 0 when it lives in a pid namespace that we cannot see into.
    pub pid: u32,
    handle: Option<OwnedFd>,
}

/// What the table needs to know of a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Its user when it connected.
    pub uid: u32,
    /// It still lives, so its pid cannot have been given to somebody else.
    pub alive: bool,
    /// Visible in our user and pid namespaces: container root is not root.
    pub of_this_host: bool,
}

impl Peer {
    /// Asks the kernel who connected.
    ///
    /// # Errors
    /// The kernel does not say.
    pub fn of(socket: BorrowedFd<'_>) -> std::io::Result<Self> {
        let (pid, uid) = crate::ffi::peer_credentials(socket)?;
        let handle = crate::ffi::peer_pidfd(socket).or_else(|| handle_by_number(pid));
        Ok(Self { uid, pid, handle })
    }

    /// The same without a handle on the process, which takes longer than to answer a lookup. Whether
    /// its number means another process by now is not known: for what anybody may ask.
    ///
    /// # Errors
    /// The kernel does not say.
    pub(crate) fn passing(socket: BorrowedFd<'_>) -> std::io::Result<Standing> {
        let (pid, uid) = crate::ffi::peer_credentials(socket)?;
        let number = i32::try_from(pid).ok().and_then(Pid::from_raw);
        let is_gone = |pid| test_kill_process(pid) == Err(Errno::SRCH);
        Ok(Standing {
            uid,
            alive: number.is_some_and(|pid| !is_gone(pid)),
            of_this_host: is_of_this_host(pid, uid),
        })
    }

    /// A handle of its own on the process.
    #[must_use]
    pub fn process(&self) -> Option<OwnedFd> {
        self.handle.as_ref()?.try_clone().ok()
    }

    /// What holds of the peer at this moment.
    #[must_use]
    pub fn standing(&self) -> Standing {
        Standing {
            uid: self.uid,
            alive: self.handle.as_ref().is_some_and(lives),
            of_this_host: is_of_this_host(self.pid, self.uid),
        }
    }
}

fn is_of_this_host(pid: u32, uid: u32) -> bool {
    pid != 0 && uid != OVERFLOW_UID
}

/// Kernels before 6.5: the number may already belong to another process, which is why a peer whose
/// user matters is asked again by the kernel at each request (it must live).
fn handle_by_number(pid: u32) -> Option<OwnedFd> {
    let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Whether the process behind a pidfd has not ended yet.
pub(crate) fn lives(handle: &OwnedFd) -> bool {
    let mut ended = [PollFd::from_borrowed_fd(handle.as_fd(), PollFlags::IN)];
    let at_once = Timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    matches!(poll(&mut ended, Some(&at_once)), Ok(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    #[test]
    fn pf_08_the_kernel_says_who_connected() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let peer = Peer::of(ours.as_fd()).unwrap();
        assert_eq!(peer.uid, rustix::process::getuid().as_raw());
        assert_eq!(peer.pid, std::process::id());
        assert!(peer.standing().alive);
        assert!(peer.standing().of_this_host);
    }
}
