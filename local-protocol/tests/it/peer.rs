//! A peer that does what a test tells it, on a socket in a folder of its own.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::thread::JoinHandle;
use std::time::Duration;

use local_protocol::{Client, ClientError, Trust};
use tempfile::TempDir;

/// Long enough for a loaded machine, short enough to wait for.
pub(crate) const BUDGET: Duration = Duration::from_secs(20);

pub(crate) struct Peer {
    pub(crate) folder: TempDir,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    /// Listens and gives the first connection to `act`.
    pub(crate) fn new(act: impl FnOnce(UnixStream) + Send + 'static) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("cacher.sock")).unwrap();
        let thread = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            act(stream);
        });
        Self {
            folder,
            thread: Some(thread),
        }
    }

    /// Says these bytes, then is silent until the client hangs up.
    pub(crate) fn that_says(bytes: Vec<u8>) -> Self {
        Self::new(move |mut stream| {
            stream.write_all(&bytes).unwrap();
            // A client that closes with bytes unread resets the connection: both are an end.
            let _ = stream.read_to_end(&mut Vec::new());
        })
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("cacher.sock")
    }

    pub(crate) fn connect(&self, budget: Duration) -> Result<Client, ClientError> {
        Client::connect_trusting(&self.socket(), budget, myself())
    }

    /// Waits for the peer's own assertions.
    pub(crate) fn finish(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

pub(crate) fn myself() -> Trust {
    Trust::AlsoUser(rustix::process::geteuid().as_raw())
}
