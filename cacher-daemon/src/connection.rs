//! One accepted socket: frames of bounded size within bounded time, and what has happened on it.

use std::io::IoSlice;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use local_protocol::{FrameError, Reply, Request, body_length, decode, encode};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::UnixStream;
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::access::{Entrance, Stage};
use crate::peer::Peer;

/// From the first byte of a frame to its last, and for writing one.
const FRAME_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection may say nothing between requests.
pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often to look whether the peer has taken what it was sent.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long a person may take to type an answer.
pub(crate) const TYPING_TIMEOUT: Duration = Duration::from_secs(300);

/// Why a connection came to its end.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// The other side left, at once or in the middle of a frame.
    #[error("the peer closed the connection")]
    Closed,
    /// Slower than allowed.
    #[error("the peer took too long")]
    TooSlow,
    /// Not a frame of ours.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// The conversation was left for something else.
    #[error("the peer did not answer the prompt")]
    NotAnAnswer,
}

impl From<std::io::Error> for Broken {
    fn from(_: std::io::Error) -> Self {
        Self::Closed
    }
}

/// An accepted socket.
#[derive(Debug)]
pub struct Connection {
    stream: UnixStream,
    /// Who connected.
    pub peer: Peer,
    /// By which socket.
    pub entrance: Entrance,
    /// What has happened so far.
    pub stage: Stage,
}

impl Connection {
    /// Takes a socket over.
    ///
    /// # Errors
    /// The kernel does not say who connected.
    pub fn new(stream: UnixStream, entrance: Entrance) -> std::io::Result<Self> {
        let peer = Peer::of(stream.as_fd())?;
        Ok(Self {
            stream,
            peer,
            entrance,
            stage: Stage::Fresh,
        })
    }

    /// The next request; `None` when the peer is done or stays silent for `patience`.
    ///
    /// # Errors
    /// The frame is too long, too slow or not ours.
    pub async fn next(&mut self, patience: Duration) -> Result<Option<Request>, Broken> {
        let Ok(first) = timeout(patience, self.stream.read_u8()).await else {
            return Ok(None);
        };
        let Ok(version) = first else {
            return Ok(None);
        };
        timeout(FRAME_TIMEOUT, self.rest_of_frame(version))
            .await
            .map_err(|_| Broken::TooSlow)?
            .map(Some)
    }

    async fn rest_of_frame(&mut self, version: u8) -> Result<Request, Broken> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).await?;
        let [a, b, c, d] = length;
        // The length is checked before a byte is allocated for it.
        let length = body_length([version, a, b, c, d])?;
        // Wiped: it may hold a password.
        let mut body = Zeroizing::new(vec![0; length]);
        self.stream.read_exact(&mut body).await?;
        Ok(decode(&body)?)
    }

    /// Sends one reply.
    ///
    /// # Errors
    /// The peer is gone or does not read.
    pub async fn send(&mut self, reply: &Reply) -> Result<(), Broken> {
        let frame = encode(reply)?;
        timeout(FRAME_TIMEOUT, self.stream.write_all(&frame))
            .await
            .map_err(|_| Broken::TooSlow)?
            .map_err(Broken::from)
    }

    /// Sends one reply with files.
    ///
    /// # Errors
    /// The peer is gone or does not read.
    pub async fn send_with_files(
        &mut self,
        reply: &Reply,
        files: [BorrowedFd<'_>; 2],
    ) -> Result<(), Broken> {
        let frame = encode(reply)?;
        let sending = async {
            let first = || send_first(self.stream.as_fd(), &frame, files);
            let sent = self.stream.async_io(Interest::WRITABLE, first).await?;
            let rest = frame.get(sent..).unwrap_or_default();
            self.stream.write_all(rest).await
        };
        timeout(FRAME_TIMEOUT, sending)
            .await
            .map_err(|_| Broken::TooSlow)?
            .map_err(Broken::from)
    }

    /// Waits until the peer has read everything, or is gone.
    pub async fn taken(&self) {
        taken(self.stream.as_fd()).await;
    }

    /// Waits until the peer has hung up, so that work for somebody who is gone can be dropped.
    pub async fn hung_up(&self) {
        let mut byte = [0; 1];
        loop {
            if self.stream.ready(Interest::READABLE).await.is_err() {
                return;
            }
            match self.stream.try_read(&mut byte) {
                // Nobody speaks out of turn: whoever does is treated as gone.
                Ok(_) => return,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }
}

/// Waits until the peer has read everything, or is gone. Files that nobody takes count against the
/// few that the kernel lets us have under way, so they must not outlive their place here.
pub(crate) async fn taken(socket: BorrowedFd<'_>) {
    while crate::ffi::unread_bytes(socket).is_ok_and(|unread| unread > 0) {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Sends the beginning of a frame, and with its first byte the files. Waits for nothing.
pub(crate) fn send_first(
    socket: BorrowedFd<'_>,
    frame: &[u8],
    files: [BorrowedFd<'_>; 2],
) -> std::io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut with_it = SendAncillaryBuffer::new(&mut space);
    if !with_it.push(SendAncillaryMessage::ScmRights(&files)) {
        return Err(std::io::Error::other("no room for two descriptors"));
    }
    let bytes = [IoSlice::new(frame)];
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    Ok(sendmsg(socket, &bytes, &mut with_it, flags)?)
}
