//! The sockets of lookups and of sshd's key command, each on a thread of its own. It answers at once
//! what can be told at once, and hands on what cannot: no other thread is woken for a question that
//! takes less than that.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use rustix::net::{Shutdown, shutdown};
use tokio::io::Interest;
use tokio::runtime::Handle;
use tokio::time::timeout;
use tracing::{debug, error, warn};

use crate::access::Entrance;
use crate::at_once::{self, Told};
use crate::cacher::Cacher;
use crate::connection::{IDLE_TIMEOUT, taken};
use crate::listen::{PAUSE, Place, Places, admit};

/// The thread that answers. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Questions {
    listener: Arc<UnixListener>,
}

impl Questions {
    /// Starts it, inside the runtime that gets what takes longer.
    ///
    /// # Errors
    /// There can be no thread.
    pub(crate) fn answer(
        listener: tokio::net::UnixListener,
        entrance: Entrance,
        places: Arc<Places>,
        cacher: Arc<Cacher>,
    ) -> io::Result<Self> {
        let listener = listener.into_std()?;
        listener.set_nonblocking(false)?;
        let listener = Arc::new(listener);
        let (heard, runtime) = (Arc::clone(&listener), Handle::current());
        let accept = move || {
            let _inside = runtime.enter();
            accept(&heard, entrance, &places, &cacher);
        };
        thread::Builder::new()
            .name("questions".to_owned())
            .spawn(accept)?;
        Ok(Self { listener })
    }
}

impl Drop for Questions {
    fn drop(&mut self) {
        // Whoever accepts is told that nobody will come.
        let _ = shutdown(&*self.listener, Shutdown::Both);
    }
}

/// Until the listener is shut down. An error of one connection never ends the loop.
fn accept(listener: &UnixListener, entrance: Entrance, places: &Arc<Places>, cacher: &Arc<Cacher>) {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                // As in a task: a panic ends one connection, and not all that would come.
                let served = AssertUnwindSafe(|| serve(stream, entrance, places, cacher));
                if catch_unwind(served).is_err() {
                    error!("a question was not answered");
                }
            }
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return,
            Err(error) => {
                warn!(%error, "a connection for a question could not be accepted");
                pause();
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a thread that can do nothing else meanwhile"
)]
fn pause() {
    thread::sleep(PAUSE);
}

fn serve(stream: UnixStream, entrance: Entrance, places: &Arc<Places>, cacher: &Arc<Cacher>) {
    let handed_on = match at_once::told(cacher, places, entrance, stream.as_fd()) {
        Told::All => Ok(()),
        Told::Files(place) => waited_for(stream).map(|stream| keep(stream, place)),
        Told::Nothing => waited_for(stream).map(|stream| admit(stream, entrance, places, cacher)),
    };
    if let Err(error) = handed_on {
        debug!(%error, "a connection for a question could not be set up");
    }
}

/// The same connection, of which the runtime sees what happens to it.
fn waited_for(stream: UnixStream) -> io::Result<tokio::net::UnixStream> {
    stream.set_nonblocking(true)?;
    tokio::net::UnixStream::from_std(stream)
}

/// Keeps a connection and its place until the peer hangs up and has what was sent.
fn keep(stream: tokio::net::UnixStream, place: Place) {
    tokio::spawn(async move {
        let _ = timeout(IDLE_TIMEOUT, stream.ready(Interest::READABLE)).await;
        taken(stream.as_fd()).await;
        drop(place);
    });
}
