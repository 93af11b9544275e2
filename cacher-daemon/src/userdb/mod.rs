//! systemd's user database over varlink: `io.systemd.UserDatabase`, so that `userdbctl`, `loginctl`
//! and whoever asks systemd see the same people as NSS. Anybody may ask who is who; SSH keys are
//! for root and sshd's key command, and come from the cacher by the very question that sshd's
//! command puts.
//!
//! The three methods need a tenth of varlink: JSON objects with a NUL behind each. The crate `zlink`
//! was looked at; it buffers up to 100 MiB for whoever connects and gives nobody a deadline.

mod answer;
mod arguments;
mod call;
mod connection;
mod fault;
mod interface;
mod record;

use std::sync::Arc;

use tokio::net::UnixStream;

use crate::lookups::Names;
use crate::peer::Peer;

pub use call::{Call, MESSAGE_BYTES_MAX, Malformed, NESTING_MAX};
pub use connection::{IDLE_TIMEOUT, MESSAGE_TIMEOUT};

/// The name of the service, and of its socket below `/run/systemd/userdb`.
pub const SERVICE: &str = "io.cloudid.UserDatabase";

/// Answers calls until the peer leaves or breaks a rule.
pub async fn serve(names: Arc<Names>, stream: UnixStream, peer: Peer) {
    let uid = peer.uid;
    if let Err(error) = connection::serve(&names, stream, &peer).await {
        tracing::debug!(uid, %error, "a user database connection ended");
    }
}
