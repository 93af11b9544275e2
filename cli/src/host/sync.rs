//! `cloudid sync`: fetch the newest bundle now.

use std::path::Path;

use clap::Args;
use local_protocol::{ADMIN_SOCKET, Outcome, Reply, Request, SyncNow};

use super::{cacher, must_be_root};
use crate::context::Context;
use crate::error::Failure;

/// Fetch the newest bundle of this host now (root)
#[derive(Debug, Args)]
pub(crate) struct SyncArguments {
    /// Accept a bundle that removes most people from this host
    #[arg(long)]
    accept_shrink: bool,
}

pub(crate) fn run(arguments: &SyncArguments, context: &Context) -> Result<(), Failure> {
    must_be_root("sync")?;
    if arguments.accept_shrink {
        context.confirm("accept a bundle that removes most people from this host?")?;
    }
    let request = Request::SyncNow(SyncNow {
        accept_shrink: arguments.accept_shrink,
    });
    let reply = cacher::ask(Path::new(ADMIN_SOCKET), &request)?;
    if reply != Reply::Done(Outcome::Allowed) {
        return Err(cacher::unexpected(&reply));
    }
    let version = cacher::status()?.bundle_version;
    context.output.say(&format!("bundle {version} is in force"));
    Ok(())
}
