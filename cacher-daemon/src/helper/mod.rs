//! `cloudid-helper`: the whole list of what is done as root. Talks to nobody but the cacher, never
//! to the network, and checks every argument again: the cacher may have been taken over.

mod home;
mod name_cache;
mod sessions;

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use local_protocol::{HEADER_BYTES, Verb, VerbResult, body_length, decode, encode};

pub use home::{HomeError, make_home};
pub use sessions::{EndError, end_sessions};

use crate::local::LocalNames;
use crate::peer::{Peer, Standing};

/// Verbs at once; the cacher asks for few.
const AT_ONCE_MAX: usize = 64;
const FRAME_TIMEOUT: Duration = Duration::from_secs(2);
const CACHER_USER: &str = "cloudid";

/// Where the helper works. Tests hand in other places.
#[derive(Debug, Clone)]
pub struct Places {
    /// The host's own users and groups.
    pub etc: PathBuf,
    /// What new homes are copied from.
    pub skeleton: PathBuf,
    /// Root of the tree that homes lie in.
    pub root: PathBuf,
}

impl Places {
    /// The places of an installed host.
    #[must_use]
    pub fn installed() -> Self {
        Self {
            etc: PathBuf::from("/etc"),
            skeleton: PathBuf::from("/etc/skel"),
            root: PathBuf::from("/"),
        }
    }
}

/// Opens the socket for root and the cacher's group. The folder may belong to the cacher: the name
/// is taken by rename, and what stands there before is only ever replaced, never followed.
///
/// # Errors
/// The socket cannot be made.
pub fn open(path: &Path, etc: &Path) -> io::Result<UnixListener> {
    use std::os::unix::fs::lchown;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    match std::fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // The mode comes from the umask: a chmod by name could be led elsewhere by whoever owns the
    // folder. For the same reason the group is given without following a link.
    let before = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o117));
    let listener = UnixListener::bind(temporary);
    rustix::process::umask(before);
    let listener = listener?;
    let group = LocalNames::read(etc).groups.get(CACHER_USER).copied();
    if group.is_some() && rustix::process::geteuid().is_root() {
        lchown(temporary, None, group)?;
    }
    std::fs::rename(temporary, path)?;
    Ok(listener)
}

/// Serves for ever.
///
/// # Errors
/// The socket fails for good.
pub fn serve(listener: &UnixListener, places: &Places) -> io::Result<()> {
    let busy = Arc::new(AtomicUsize::new(0));
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if busy.fetch_add(1, Ordering::SeqCst) >= AT_ONCE_MAX {
            busy.fetch_sub(1, Ordering::SeqCst);
            tracing::warn!("too many verbs at once, refused");
            continue;
        }
        let (busy, places) = (Arc::clone(&busy), places.clone());
        std::thread::spawn(move || {
            if let Err(error) = one(stream, &places) {
                tracing::warn!(%error, "a verb was not served");
            }
            busy.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

fn one(mut stream: UnixStream, places: &Places) -> io::Result<()> {
    stream.set_read_timeout(Some(FRAME_TIMEOUT))?;
    stream.set_write_timeout(Some(FRAME_TIMEOUT))?;
    let peer = Peer::of(stream.as_fd())?;
    if !serves(peer.standing(), &places.etc) {
        tracing::warn!(uid = peer.uid, pid = peer.pid, "refused: not the cacher");
        return Ok(());
    }
    let verb = read(&mut stream)?;
    tracing::info!(?verb, uid = peer.uid, "asked");
    let result = carry_out(&verb, places);
    tracing::info!(?verb, ?result, "done");
    stream.write_all(&encode(&result).map_err(io::Error::other)?)
}

/// Whether this peer is root or the cacher.
#[must_use]
pub fn serves(peer: Standing, etc: &Path) -> bool {
    let cacher = LocalNames::read(etc).users.get(CACHER_USER).copied();
    peer.alive && peer.of_this_host && (peer.uid == 0 || cacher == Some(peer.uid))
}

fn read(stream: &mut UnixStream) -> io::Result<Verb> {
    let mut header = [0; HEADER_BYTES];
    stream.read_exact(&mut header)?;
    let mut body = vec![0; body_length(header).map_err(io::Error::other)?];
    stream.read_exact(&mut body)?;
    decode(&body).map_err(io::Error::other)
}

/// Does one verb. Every argument is checked here again.
#[must_use]
pub fn carry_out(verb: &Verb, places: &Places) -> VerbResult {
    let done = match verb {
        Verb::MakeHome(wanted) => make_home(wanted, places)
            .map(u32::from)
            .map_err(|error| error.to_string()),
        Verb::EndSessions { uid } => end_sessions(*uid, places).map_err(|error| error.to_string()),
        Verb::ForgetNameCache => name_cache::forget().map_err(|error| error.to_string()),
    };
    match done {
        Ok(count) => VerbResult::Done(count),
        Err(why) => VerbResult::Failed(why),
    }
}
