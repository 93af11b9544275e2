//! The ways a question can go unanswered, and what glibc is told in each.

use identity_map::ReadError;
use libc::c_int;
use libnss::interop::NssStatus;

/// Why there is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Certainly nobody: the map is complete, or the cacher knows.
    NotFound,
    /// There is a record, and the caller's buffer is too small for it.
    BufferTooSmall,
    /// There is a list, and no memory for it.
    OutOfMemory,
    /// Cannot tell.
    Unavailable,
}

impl From<ReadError> for Failure {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::BufferTooSmall => Self::BufferTooSmall,
            ReadError::Unreadable | ReadError::NotTrusted | ReadError::Damaged => Self::Unavailable,
        }
    }
}

impl Failure {
    /// Status and `errno` for glibc. ERANGE stands for a small buffer and for nothing else, because
    /// glibc answers it with a larger one; ENOENT says *nobody*, so *cannot tell* is EAGAIN.
    #[must_use]
    pub fn for_glibc(self) -> (NssStatus, c_int) {
        match self {
            Self::NotFound => (NssStatus::NotFound, libc::ENOENT),
            Self::BufferTooSmall => (NssStatus::TryAgain, libc::ERANGE),
            Self::OutOfMemory => (NssStatus::TryAgain, libc::ENOMEM),
            Self::Unavailable => (NssStatus::Unavail, libc::EAGAIN),
        }
    }
}
