//! The cacher of this host, over its sockets.

use std::path::Path;
use std::time::Duration;

use local_protocol::{ADMIN_SOCKET, Client, ClientError, HostStatus, Reply, Request};

use crate::error::{Failure, Kind};

const BUDGET: Duration = Duration::from_secs(2);
/// A synchronisation fetches from the directory before it answers.
const SYNC_BUDGET: Duration = Duration::from_secs(60);

pub(crate) fn ask(socket: &Path, request: &Request) -> Result<Reply, Failure> {
    let budget = if matches!(request, Request::SyncNow(_)) {
        SYNC_BUDGET
    } else {
        BUDGET
    };
    Client::connect(socket, budget)
        .and_then(|mut client| client.ask(request))
        .map_err(|error| unreachable(&error))
}

/// The state of this host.
pub(super) fn status() -> Result<HostStatus, Failure> {
    let reply = ask(Path::new(ADMIN_SOCKET), &Request::Status)?;
    let Reply::Status(status) = reply else {
        return Err(unexpected(&reply));
    };
    Ok(status)
}

pub(crate) fn unexpected(reply: &Reply) -> Failure {
    match reply {
        Reply::Refused => Failure::new(Kind::Refused, "the cacher refuses this")
            .next("the reason stands in its log: journalctl -u cloudid-cacher"),
        Reply::Unavailable(why) => {
            Failure::new(Kind::Unreachable, "the cacher cannot answer").because(why.clone())
        }
        Reply::Prompt(_)
        | Reply::Say(_)
        | Reply::Done(_)
        | Reply::SessionOpened(_)
        | Reply::Keys(_)
        | Reply::Owner(_)
        | Reply::Status(_)
        | Reply::Explained(_)
        | Reply::IdentityMemory
        | Reply::IdentityMap => Failure::failed("the answer of the cacher cannot be understood")
            .next("is the running cacher as new as this command? systemctl restart cloudid-cacher"),
    }
}

pub(super) fn unreachable(error: &ClientError) -> Failure {
    Failure::new(Kind::Unreachable, "the cacher of this host does not answer")
        .because(error.to_string())
        .next("systemctl status cloudid-cacher; cloudid enroll if this host was never enrolled")
}
