//! What `--fix` does: only what enrolment did, done again.

use std::path::Path;

use super::super::backup;
use super::super::nsswitch;
use super::super::places::{NSSWITCH, SSHD_DROP_IN, TOKEN};
use super::super::{pam, programs, services, sshd};
use crate::error::Failure;

const DROP_IN_MODE: (u32, u32, u32) = (0o644, 0, 0);

/// One way to mend something of ours.
pub(super) enum Mend {
    /// A program of the system with these words.
    Run(&'static [&'static str]),
    /// The word in `/etc/nsswitch.conf`.
    Nsswitch,
    /// The profiles of PAM.
    Pam,
    /// The drop-in of sshd, tested, and sshd told to read it.
    Sshd,
    /// The daemons, now and at boot.
    Daemons,
    /// A token that was used or forgotten.
    Token,
}

impl Mend {
    pub(super) async fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Run([program, words @ ..]) => programs::run(program, words)
                .await?
                .or_fail(&format!("{program} failed"))
                .map(|_| ()),
            Self::Run([]) => Ok(()),
            Self::Nsswitch => nsswitch_again(),
            Self::Pam => pam::enable().await,
            Self::Sshd => sshd_again().await,
            Self::Daemons => services::start().await.map(|_| ()),
            Self::Token => backup::remove(Path::new(TOKEN)),
        }
    }
}

fn nsswitch_again() -> Result<(), Failure> {
    let path = Path::new(NSSWITCH);
    let present = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let edited = nsswitch::inserted(&present).map_err(|problem| {
        Failure::failed(format!("{NSSWITCH} cannot be edited")).because(problem.to_string())
    })?;
    backup::rewrite(path, &edited)
}

/// The old file comes back when sshd does not like the new one.
async fn sshd_again() -> Result<(), Failure> {
    let path = Path::new(SSHD_DROP_IN);
    let before = std::fs::read(path).ok();
    backup::replace(path, sshd::DROP_IN.as_bytes(), DROP_IN_MODE)?;
    if let Err(failure) = sshd::test().await {
        match before {
            Some(bytes) => backup::replace(path, &bytes, DROP_IN_MODE)?,
            None => backup::remove(path)?,
        }
        return Err(failure);
    }
    sshd::reload().await.map(|_| ())
}
