//! A blocking client with one deadline for a whole exchange, for programs that must not hang,
//! die of a signal, or tell a secret to a stranger.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendFlags, SocketAddrUnix,
    SocketFlags, SocketType, connect, recv, recvmsg, send, socket_with,
};

use crate::deadline::Deadline;
use crate::frame::{FrameError, HEADER_BYTES, body_length, decode, encode};
use crate::message::{Reply, Request};
use crate::trust::{Trust, Untrusted, owner_of_folder, peer_is};

/// A connection to one of the cacher's sockets.
#[derive(Debug)]
pub struct Client {
    socket: OwnedFd,
    deadline: Deadline,
}

/// The files that came with a reply, in the order in which they were sent.
pub type Files = [Option<OwnedFd>; 2];

/// Why an exchange with the cacher came to nothing. Whatever it is, it is neither a yes nor a no.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens, or the kernel lets us not ask.
    #[error("the cacher cannot be reached: {0}")]
    Unreachable(Errno),
    /// Somebody listens who is not the cacher.
    #[error("refused to talk: {0}")]
    Untrusted(#[from] Untrusted),
    /// No answer in time.
    #[error("no answer in time")]
    TooLate,
    /// The other side hung up in the middle.
    #[error("the cacher hung up")]
    HungUp,
    /// The other side speaks another language.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl Client {
    /// Connects to the cacher of this host. Everything until [`Client::renew`] has to happen
    /// within `budget`.
    ///
    /// # Errors
    /// Nobody listens in time, or somebody who is not the cacher.
    pub fn connect(path: &Path, budget: Duration) -> Result<Self, ClientError> {
        Self::connect_trusting(path, budget, Trust::System)
    }

    /// The same with a say in who may listen.
    ///
    /// # Errors
    /// Nobody listens in time, or somebody who is not trusted.
    pub fn connect_trusting(
        path: &Path,
        budget: Duration,
        trust: Trust,
    ) -> Result<Self, ClientError> {
        let deadline = Deadline::after(budget);
        let owner = match owner_of_folder(path, trust) {
            Err(Untrusted::NoFolder) => return Err(ClientError::Unreachable(Errno::NOENT)),
            checked => checked?,
        };
        let socket = connected(path, deadline)?;
        peer_is(owner, socket.as_fd())?;
        Ok(Self { socket, deadline })
    }

    /// Starts a new budget: a person has typed in between, and that time is theirs.
    pub fn renew(&mut self, budget: Duration) {
        self.deadline = Deadline::after(budget);
    }

    /// Asks one question and reads the reply.
    ///
    /// # Errors
    /// No reply in time, or none that can be understood.
    pub fn ask(&mut self, request: &Request) -> Result<Reply, ClientError> {
        self.send(request)?;
        self.receive()
    }

    /// Asks one question whose reply may come with files. A third one is closed unseen, and those
    /// that are kept do not survive an exec.
    ///
    /// # Errors
    /// No reply in time, or none that can be understood.
    pub fn ask_for_files(&mut self, request: &Request) -> Result<(Reply, Files), ClientError> {
        self.send(request)?;
        let mut files = Files::default();
        let reply =
            self.receive_by(|socket, buffer| receive_with_files(socket, buffer, &mut files))?;
        Ok((reply, files))
    }

    /// Sends one request.
    ///
    /// # Errors
    /// The request is too long, or the cacher does not take it in time.
    pub fn send(&mut self, request: &Request) -> Result<(), ClientError> {
        self.send_bytes(&encode(request)?)
    }

    pub(crate) fn send_bytes(&mut self, frame: &[u8]) -> Result<(), ClientError> {
        let mut rest = frame;
        while !rest.is_empty() {
            match send(
                &self.socket,
                rest,
                SendFlags::NOSIGNAL | SendFlags::DONTWAIT,
            ) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) => self.wait_after(error, PollFlags::OUT)?,
            }
        }
        Ok(())
    }

    /// Reads one reply.
    ///
    /// # Errors
    /// No reply in time, or none that can be understood.
    pub fn receive(&mut self) -> Result<Reply, ClientError> {
        self.receive_by(Self::receive_some)
    }

    pub(crate) fn receive_some(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<usize, Errno> {
        let (received, _) = recv(socket, buffer, RecvFlags::DONTWAIT)?;
        Ok(received)
    }

    fn receive_by(&self, mut some: impl ReceiveSome) -> Result<Reply, ClientError> {
        let mut header = [0; HEADER_BYTES];
        self.fill(&mut header, &mut some)?;
        let mut body = vec![0; body_length(header)?];
        self.fill(&mut body, &mut some)?;
        Ok(decode(&body)?)
    }

    pub(crate) fn fill(
        &self,
        buffer: &mut [u8],
        some: &mut impl ReceiveSome,
    ) -> Result<(), ClientError> {
        let mut rest = buffer;
        while !rest.is_empty() {
            match some(self.socket.as_fd(), &mut *rest) {
                Ok(0) => return Err(ClientError::HungUp),
                Ok(received) => rest = rest.get_mut(received..).unwrap_or_default(),
                Err(error) => self.wait_after(error, PollFlags::IN)?,
            }
        }
        Ok(())
    }

    /// Waits until the socket is ready again. A signal of the host process ends no exchange: the
    /// deadline does.
    fn wait_after(&self, error: Errno, event: PollFlags) -> Result<(), ClientError> {
        match error {
            Errno::AGAIN | Errno::INTR => {}
            Errno::PIPE | Errno::CONNRESET => return Err(ClientError::HungUp),
            other => return Err(ClientError::Unreachable(other)),
        }
        let timeout = self.deadline.poll_timeout().ok_or(ClientError::TooLate)?;
        let mut watched = [PollFd::new(&self.socket, event)];
        match poll(&mut watched, Some(&timeout)) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(other) => Err(ClientError::Unreachable(other)),
        }
    }
}

/// Receives what is there without waiting; how many bytes that were.
pub(crate) trait ReceiveSome:
    FnMut(BorrowedFd<'_>, &mut [u8]) -> Result<usize, Errno>
{
}

impl<F: FnMut(BorrowedFd<'_>, &mut [u8]) -> Result<usize, Errno>> ReceiveSome for F {}

/// As `recv`; the first files that come along are kept, the kernel or the drop of the messages closes
/// all others.
pub(crate) fn receive_with_files(
    socket: BorrowedFd<'_>,
    buffer: &mut [u8],
    files: &mut Files,
) -> Result<usize, Errno> {
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut messages = RecvAncillaryBuffer::new(&mut room);
    let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut messages, flags)?;
    let came = messages.drain().filter_map(|message| {
        let RecvAncillaryMessage::ScmRights(files) = message else {
            return None;
        };
        Some(files)
    });
    for one in came.flatten() {
        if let Some(place) = files.iter_mut().find(|place| place.is_none()) {
            *place = Some(one);
        }
    }
    Ok(received.bytes)
}

/// Connects within the deadline, also when the cacher's queue of connections is full.
fn connected(path: &Path, deadline: Deadline) -> Result<OwnedFd, ClientError> {
    let address = SocketAddrUnix::new(path).map_err(ClientError::Unreachable)?;
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(ClientError::Unreachable)?;
    loop {
        let remaining = deadline.remaining().ok_or(ClientError::TooLate)?;
        set_socket_timeout(&socket, Timeout::Send, Some(remaining))
            .map_err(ClientError::Unreachable)?;
        match connect(&socket, &address) {
            Ok(()) => return Ok(socket),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Err(ClientError::TooLate),
            Err(error) => return Err(ClientError::Unreachable(error)),
        }
    }
}
