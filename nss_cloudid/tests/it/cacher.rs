//! What the cacher does for the module, and what it might do wrong: hands out memory files, says who
//! owns what, or misbehaves as a test wants.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{IoSlice, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use identity_map::{MapContent, Mark, SealedMap, write_map};
use local_protocol::{HEADER_BYTES, Owner, Reply, Request, body_length, decode, encode};
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

use crate::host::Host;

/// A cacher on a host's socket, until it is dropped.
pub(crate) struct Cacher {
    state: Arc<State>,
    socket: std::path::PathBuf,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    memory: Mutex<Option<Memory>>,
    owners: Mutex<VecDeque<Owner>>,
    asked: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    leaving: AtomicBool,
}

/// What is handed out as the map in memory.
enum Memory {
    /// Each with a mark of its own, so that it is superseded by one that is the same.
    Sealed(SealedMap, Mark),
    Other(File, Mark),
}

impl Cacher {
    /// One that has no memory file and knows no owner.
    pub(crate) fn on(host: &Host) -> Self {
        let state = Arc::new(State::default());
        let listener = UnixListener::bind(host.socket()).unwrap();
        let serving = Arc::clone(&state);
        let thread = std::thread::spawn(move || serve(&listener, &serving));
        Self {
            state,
            socket: host.socket(),
            thread: Some(thread),
        }
    }

    /// One that hands out the map which the host has published.
    pub(crate) fn of(host: &Host, content: &MapContent<'_>) -> Self {
        let cacher = Self::on(host);
        cacher.hands_out(&write_map(content).unwrap());
        cacher
    }

    /// Hands out these bytes, sealed; what was handed out before is superseded.
    pub(crate) fn hands_out(&self, bytes: &[u8]) {
        let (map, mark) = (SealedMap::new(bytes).unwrap(), Mark::new().unwrap());
        mark.put(Some(&map));
        let new = Memory::Sealed(map, mark);
        let old = self.state.memory.lock().unwrap().replace(new);
        if let Some(Memory::Sealed(_, mark)) = old {
            mark.put(None);
        }
    }

    /// Hands out a file of a test's own.
    pub(crate) fn hands_out_file(&self, file: File) {
        let other = Memory::Other(file, Mark::new().unwrap());
        *self.state.memory.lock().unwrap() = Some(other);
    }

    /// Hands out a file in the place of this map, with a mark that says it is in force.
    pub(crate) fn hands_out_instead(&self, file: File, map: &[u8]) {
        let mark = Mark::new().unwrap();
        mark.put(Some(&SealedMap::new(map).unwrap()));
        *self.state.memory.lock().unwrap() = Some(Memory::Other(file, mark));
    }

    /// Publishes a map as the cacher does: the file, and then the memory file.
    pub(crate) fn publish(&self, host: &Host, content: &MapContent<'_>) {
        host.publish(content);
        self.hands_out(&write_map(content).unwrap());
    }

    /// Says these owners, one to each question; then it cannot tell.
    pub(crate) fn knows(&self, owners: impl IntoIterator<Item = Owner>) {
        self.state.owners.lock().unwrap().extend(owners);
    }

    /// Questions about owners so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.state.asked.lock().unwrap().clone()
    }

    /// How often somebody connected.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Cacher {
    fn drop(&mut self) {
        self.state.leaving.store(true, Ordering::SeqCst);
        let _ = UnixStream::connect(&self.socket);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || std::thread::panicking());
        let _ = std::fs::remove_file(&self.socket);
    }
}

fn serve(listener: &UnixListener, state: &State) {
    loop {
        let (peer, _) = listener.accept().unwrap();
        if state.leaving.load(Ordering::SeqCst) {
            return;
        }
        state.connections.fetch_add(1, Ordering::SeqCst);
        // Whoever hangs up, or was killed, in the middle of a question is no business of a cacher.
        let _ = answer(peer, state);
    }
}

fn answer(mut peer: UnixStream, state: &State) -> std::io::Result<()> {
    let mut header = [0; HEADER_BYTES];
    peer.read_exact(&mut header)?;
    let mut body = vec![0; body_length(header).unwrap()];
    peer.read_exact(&mut body)?;
    let request = decode(&body).unwrap();
    if request == Request::IdentityMap {
        let memory = state.memory.lock().unwrap();
        return match memory.as_ref() {
            Some(Memory::Sealed(map, mark)) => send_memory(&peer, [map.file(), mark.file()]),
            Some(Memory::Other(file, mark)) => send_memory(&peer, [file.as_fd(), mark.file()]),
            None => say(&mut peer, &Reply::Unavailable("no map yet".to_owned())),
        };
    }
    state.asked.lock().unwrap().push(request);
    let owner = state.owners.lock().unwrap().pop_front();
    let unknown = || Reply::Unavailable("the directory is away".to_owned());
    say(&mut peer, &owner.map_or_else(unknown, Reply::Owner))
}

fn say(peer: &mut UnixStream, reply: &Reply) -> std::io::Result<()> {
    peer.write_all(&encode(reply).unwrap())
}

fn send_memory(peer: &UnixStream, files: [BorrowedFd<'_>; 2]) -> std::io::Result<()> {
    let frame = encode(&Reply::IdentityMap).unwrap();
    let mut room = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
    let mut messages = SendAncillaryBuffer::new(&mut room);
    assert!(messages.push(SendAncillaryMessage::ScmRights(&files)));
    sendmsg(
        peer,
        &[IoSlice::new(&frame)],
        &mut messages,
        SendFlags::NOSIGNAL,
    )?;
    Ok(())
}
