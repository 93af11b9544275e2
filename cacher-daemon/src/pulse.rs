//! Whether this cacher still does its work: a lookup asked for as any program asks, through its own
//! socket, and a decision about somebody it knows. The service manager ends and starts a process that
//! does not; what its readers have is the last good map, meanwhile as ever.

use std::io;
use std::path::Path;
use std::time::Duration;

use local_protocol::{
    HEADER_BYTES, IdQuestion, Login, Reply, Request, body_length, decode, encode,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{sleep, timeout};
use tracing::{error, info};

use crate::account;
use crate::cacher::Cacher;
use crate::paths::Paths;

/// Longer than any peer waits for an answer of this kind.
const ANSWER_LIMIT: Duration = Duration::from_secs(2);
/// Between two tries of a cacher that does not work yet.
const NEXT_TRY: Duration = Duration::from_millis(100);

/// Tells the service manager that the cacher is ready as soon as it works, and from then on, where it
/// wants to know, that it still does. Never ends.
pub(crate) async fn beat(cacher: &Cacher, paths: &Paths) {
    let socket = paths.socket("nss.sock");
    while !works(cacher, &socket, ANSWER_LIMIT).await {
        sleep(NEXT_TRY).await;
    }
    // Without a service manager there is nobody to tell.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    info!(version = cacher.tables().version, "ready");
    let Some(patience) = sd_notify::watchdog_enabled() else {
        return std::future::pending().await;
    };
    loop {
        if works(cacher, &socket, ANSWER_LIMIT).await {
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        } else {
            error!("no answer to a question of our own");
        }
        sleep(patience / 4).await;
    }
}

/// True when a lookup and a decision came to an end within the limit, whatever they said.
pub async fn works(cacher: &Cacher, socket: &Path, limit: Duration) -> bool {
    // Root has no owner in the directory: answered, but by the table alone.
    let (mut id, mut decided) = (0, true);
    if let Some(somebody) = cacher.tables().people.iter().next() {
        id = somebody.view().uid;
        let login = Login {
            user: somebody.view().username.to_owned(),
            service: "sshd".to_owned(),
            ..Login::default()
        };
        decided = matches!(account::explain(cacher, &login), Reply::Explained(_));
    }
    let asked = timeout(limit, asked(socket, IdQuestion::User(id))).await;
    decided && matches!(asked, Ok(Ok(Reply::Owner(_))))
}

async fn asked(socket: &Path, question: IdQuestion) -> io::Result<Reply> {
    let mut stream = UnixStream::connect(socket).await?;
    let request = encode(&Request::OwnerOfId(question)).map_err(io::Error::other)?;
    stream.write_all(&request).await?;
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header).await?;
    let mut body = vec![0; body_length(header).map_err(io::Error::other)?];
    stream.read_exact(&mut body).await?;
    decode(&body).map_err(io::Error::other)
}
