//! Who may come in, and how many at once: anybody, a bounded number of times.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tracing::{debug, warn};

use crate::listen::{self, Places};
use crate::lookups::Names;
use crate::peer::Peer;

/// Pause when there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

/// A socket that listens, with places of its own: [`listen::ALL_MAX`] in all, and
/// [`listen::PER_UID_MAX`] for one user.
#[derive(Debug)]
pub struct Door {
    listener: UnixListener,
    places: Arc<Places>,
}

impl Door {
    /// Makes the socket; one that a former process left behind is replaced.
    ///
    /// # Errors
    /// It cannot be made there.
    pub fn at(path: &Path, mode: u32) -> io::Result<Self> {
        Ok(Self {
            listener: listen::open(path, mode)?,
            places: Arc::default(),
        })
    }

    /// Lets clients in for ever, each served by a task of its own.
    pub async fn open<S, F>(self, names: Arc<Names>, serve: S)
    where
        S: Fn(Arc<Names>, UnixStream, Peer) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => self.admit(stream, &names, &serve),
                Err(error) => {
                    warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    fn admit<S, F>(&self, stream: UnixStream, names: &Arc<Names>, serve: &S)
    where
        S: Fn(Arc<Names>, UnixStream, Peer) -> F,
        F: Future<Output = ()> + Send + 'static,
    {
        let peer = match Peer::of(stream.as_fd()) {
            Ok(peer) => peer,
            Err(error) => {
                debug!(%error, "the kernel does not say who connected");
                return;
            }
        };
        let uid = peer.uid;
        let Some(place) = self.places.take(uid, uid == 0) else {
            debug!(uid, "too many connections, refused");
            return;
        };
        let served = serve(Arc::clone(names), stream, peer);
        tokio::spawn(async move {
            served.await;
            drop(place);
        });
    }
}
