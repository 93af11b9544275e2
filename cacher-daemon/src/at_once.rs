//! Questions of lookups and of sshd's key command that can be told at once: answered on the thread
//! that has accepted the connection, before anything is set up for it. Whatever does not come with the
//! connection, or has to be asked of the directory, goes the way of all other requests, which finds it
//! untouched.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use local_protocol::{HEADER_BYTES, Reply, Request, body_length, decode, encode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::access::{self, Entrance, KnownUsers, Stage};
use crate::cacher::Cacher;
use crate::connection::send_first;
use crate::keys;
use crate::listen::{Place, Places};
use crate::peer::{Peer, Standing};

/// Longer than any question of a lookup, and one about an RSA key of 4096 bits; whoever sends more is
/// not served here.
const FRAME_BYTES_MAX: usize = 1024;
/// Whoever connects asks at once. This thread may have been quicker: then it lets the other go on, for
/// no longer than it would take to set the connection up.
const PATIENCE: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 50_000,
};

/// What has come of a connection.
#[derive(Debug)]
pub(crate) enum Told {
    /// The peer knows what it wanted to know.
    All,
    /// Files are on their way to it, which count until it has taken them.
    Files(Place),
    /// Nothing yet.
    Nothing,
}

/// Tells the peer what can be told at once.
pub(crate) fn told(
    cacher: &Cacher,
    places: &Arc<Places>,
    entrance: Entrance,
    socket: BorrowedFd<'_>,
) -> Told {
    let mut frame = [0; FRAME_BYTES_MAX];
    let there = come(socket, &mut frame).unwrap_or_default();
    let answered = frame.get(..there).and_then(request).and_then(|question| {
        let standing = allowed(cacher, &question, entrance, socket)?;
        answer(cacher, places, standing, &question, socket)
    });
    if answered.is_some() {
        // To hang up on unread bytes would be an error to the peer.
        let _ = recv(socket, &mut frame, RecvFlags::DONTWAIT);
    }
    answered.unwrap_or(Told::Nothing)
}

/// How many bytes have come; they stay where they are.
fn come(socket: BorrowedFd<'_>, frame: &mut [u8]) -> Result<usize, Errno> {
    let mut look = || recv(socket, &mut *frame, RecvFlags::PEEK | RecvFlags::DONTWAIT);
    let there = look().or_else(|_| {
        let mut watched = [PollFd::from_borrowed_fd(socket, PollFlags::IN)];
        poll(&mut watched, Some(&PATIENCE))?;
        look()
    });
    Ok(there?.0)
}

/// The one request that has come, if it has come whole.
fn request(bytes: &[u8]) -> Option<Request> {
    let (header, body) = bytes.split_first_chunk::<HEADER_BYTES>()?;
    let whole = body_length(*header).ok()? == body.len();
    whole.then(|| decode(body).ok())?
}

/// Who asks, if the table lets them. Who is refused is refused, and told so, as any other.
fn allowed(
    cacher: &Cacher,
    question: &Request,
    entrance: Entrance,
    socket: BorrowedFd<'_>,
) -> Option<Standing> {
    let standing = match entrance {
        Entrance::Nss => Peer::passing(socket).ok()?,
        Entrance::Keys | Entrance::Pam | Entrance::User | Entrance::Admin => {
            Peer::of(socket).ok()?.standing()
        }
    };
    let users = KnownUsers {
        keys_command: cacher.keys_command(),
        named: None,
    };
    let checked = access::check(question, entrance, standing, Stage::Fresh, users);
    checked.ok().map(|()| standing)
}

/// Sends the answer, where there is one.
fn answer(
    cacher: &Cacher,
    places: &Arc<Places>,
    standing: Standing,
    question: &Request,
    socket: BorrowedFd<'_>,
) -> Option<Told> {
    let reply = match question {
        Request::OwnerOfId(question) => cacher.owners.at_once(cacher, &(*question).into())?,
        Request::OwnerOfName(question) => {
            cacher.owners.at_once(cacher, &question.clone().into())?
        }
        Request::AuthorizedKeys(question) => Reply::Keys(keys::lines(cacher, question)),
        Request::IdentityMap => {
            let [map, mark] = cacher.memory_files.newest()?;
            let place = places.take(standing.uid, standing.uid == 0)?;
            let frame = encode(&Reply::IdentityMap).ok()?;
            let sent = send_first(socket, &frame, [map.as_fd(), mark.as_fd()]);
            return (sent.ok()? == frame.len()).then_some(Told::Files(place));
        }
        Request::Begin(_)
        | Request::BeginAfterKey(_)
        | Request::Answer(_)
        | Request::Account(_)
        | Request::OpenSession(_)
        | Request::CloseSession(_)
        | Request::Status
        | Request::SyncNow(_)
        | Request::Explain(_)
        | Request::IdentityMemory => return None,
    };
    let frame = encode(&reply).ok()?;
    let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
    // A fresh socket has room for it; whoever is gone is told nothing.
    let _ = send(socket, &frame, flags);
    Some(Told::All)
}
