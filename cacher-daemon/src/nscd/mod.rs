//! The socket protocol of glibc's nscd, for programs that know no NSS: musl, static ones, those in
//! a container that has only the socket. Off unless switched on. Users, groups and group lists of
//! the host's files and of the map; every other question is answered as by an nscd that was told
//! not to serve it. Keeps nothing, shares no memory.
//!
//! A glibc program that meets the socket asks nobody else, so *not found* is said only when no
//! other source could know.

mod answer;
mod reply;
mod request;

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::lookups::Names;
use crate::peer::Peer;

pub use answer::answer;
pub use reply::{Answer, Reply};
pub use request::{HEADER_BYTES, Header, KEY_BYTES_MAX, Question, Refused, Unserved, VERSION};

/// For the whole request, and again for taking the reply: a glibc client waits for five seconds.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);

/// Answers the one request of a connection, or hangs up on what is none.
pub async fn serve(names: Arc<Names>, mut stream: UnixStream, peer: Peer) {
    let uid = peer.uid;
    if let Err(error) = exchange(&names, &mut stream).await {
        tracing::debug!(uid, %error, "an nscd connection ended");
    }
}

#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("the peer closed the connection")]
    Closed(#[from] std::io::Error),
    #[error("the peer took too long")]
    TooSlow(#[from] tokio::time::error::Elapsed),
    #[error(transparent)]
    Refused(#[from] Refused),
}

async fn exchange(names: &Names, stream: &mut UnixStream) -> Result<(), Broken> {
    let question = timeout(REQUEST_TIMEOUT, read(stream)).await??;
    let reply = answer(names, &question).await.bytes();
    timeout(REQUEST_TIMEOUT, stream.write_all(&reply)).await??;
    Ok(())
}

async fn read(stream: &mut UnixStream) -> Result<Question, Broken> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    let header = Header::read(header)?;
    let mut key = vec![0; header.key_bytes()];
    stream.read_exact(&mut key).await?;
    Ok(header.question(&key)?)
}
