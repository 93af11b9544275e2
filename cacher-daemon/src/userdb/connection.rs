//! One connection: calls of bounded size within bounded time, replies to whoever reads them.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::answer::{Answer, Rows, answer};
use super::call::{Call, MESSAGE_BYTES_MAX, Malformed};
use super::fault::Fault;
use crate::access::may_be_told_keys;
use crate::lookups::Names;
use crate::peer::Peer;

/// From the first byte of a call to its last, and for taking a part of the reply.
pub const MESSAGE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection may say nothing between calls.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// Read at once.
const PART_BYTES: usize = 4096;
/// Written at once, where there is so much to say.
const REPLY_PART_BYTES: usize = 32 * 1024;

/// Why a connection came to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The other side left in the middle.
    #[error("the peer closed the connection")]
    Closed(#[from] std::io::Error),
    /// Slower than allowed.
    #[error("the peer took too long")]
    TooSlow,
    /// Not varlink.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Answers calls until the peer leaves.
pub(super) async fn serve(names: &Names, stream: UnixStream, peer: &Peer) -> Result<(), Broken> {
    let mut wire = Wire {
        stream,
        unread: Vec::new(),
        unsent: Vec::new(),
    };
    while let Some(message) = wire.next().await? {
        let call = Call::read(&message)?;
        let oneway = call.oneway;
        let answer = answer(names, call, is_privileged(peer)).await;
        if oneway {
            continue;
        }
        match answer {
            Ok(Answer::One(parameters)) => wire.put(&json!({ "parameters": parameters })),
            Ok(Answer::Many(rows)) => wire.send_all(rows).await?,
            Err(fault) => wire.put(&fault.reply()),
        }
        wire.flush().await?;
    }
    Ok(())
}

/// This process has the user of sshd's key command.
fn is_privileged(peer: &Peer) -> bool {
    let own = rustix::process::geteuid().as_raw();
    may_be_told_keys(peer.standing(), Some(own))
}

struct Wire {
    stream: UnixStream,
    unread: Vec<u8>,
    unsent: Vec<u8>,
}

impl Wire {
    /// The next message; `None` when the peer is done or has nothing to say.
    async fn next(&mut self) -> Result<Option<Vec<u8>>, Broken> {
        if self.unread.is_empty() {
            match timeout(IDLE_TIMEOUT, self.read_part()).await {
                Err(_) | Ok(Ok(0)) => return Ok(None),
                Ok(read) => read?,
            };
        }
        timeout(MESSAGE_TIMEOUT, self.rest_of_message())
            .await
            .map_err(|_| Broken::TooSlow)?
            .map(Some)
    }

    async fn rest_of_message(&mut self) -> Result<Vec<u8>, Broken> {
        let mut searched = 0;
        loop {
            let new = self.unread.get(searched..).unwrap_or_default();
            if let Some(at) = new.iter().position(|byte| *byte == 0) {
                let mut message: Vec<u8> = self.unread.drain(..=searched + at).collect();
                message.pop();
                return Ok(message);
            }
            searched = self.unread.len();
            if searched > MESSAGE_BYTES_MAX {
                return Err(Malformed.into());
            }
            if self.read_part().await? == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
        }
    }

    async fn read_part(&mut self) -> Result<usize, std::io::Error> {
        let mut part = [0; PART_BYTES];
        let read = self.stream.read(&mut part).await?;
        self.unread.extend(part.iter().take(read));
        Ok(read)
    }

    /// Sends rows; each but the last says that more will come.
    async fn send_all(&mut self, rows: Rows) -> Result<(), Broken> {
        let mut rows = rows.peekable();
        let mut none = true;
        while let Some(row) = rows.next() {
            none = false;
            match row {
                Ok(parameters) if rows.peek().is_some() => {
                    self.put(&json!({ "parameters": parameters, "continues": true }));
                }
                Ok(parameters) => self.put(&json!({ "parameters": parameters })),
                Err(fault) => self.put(&fault.reply()),
            }
            if self.unsent.len() >= REPLY_PART_BYTES {
                self.flush().await?;
            }
        }
        if none {
            self.put(&Fault::NoRecordFound.reply());
        }
        Ok(())
    }

    fn put(&mut self, message: &Value) {
        self.unsent.extend(message.to_string().as_bytes());
        self.unsent.push(0);
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        timeout(MESSAGE_TIMEOUT, self.stream.write_all(&self.unsent))
            .await
            .map_err(|_| Broken::TooSlow)??;
        self.unsent.clear();
        Ok(())
    }
}
