//! Root's verbs on a host. They take nothing from the environment, and talk to the cacher over its
//! socket only. `enroll` is the one that changes files of the system; `undo` takes all of it back.

pub(crate) mod auth_test;
mod backup;
pub(crate) mod cacher;
pub(crate) mod config;
pub(crate) mod doctor;
pub(crate) mod enroll;
mod getent;
mod local_accounts;
mod nsswitch;
mod pam;
mod places;
mod programs;
mod services;
mod sshd;
pub(crate) mod status;
pub(crate) mod sync;
mod undo;
pub(crate) mod unenroll;

use crate::error::{Failure, Kind};

fn must_be_root(verb: &str) -> Result<(), Failure> {
    if rustix::process::geteuid().is_root() {
        Ok(())
    } else {
        Err(
            Failure::new(Kind::Refused, format!("cloudid {verb} is for root"))
                .next(format!("sudo cloudid {verb} …")),
        )
    }
}
