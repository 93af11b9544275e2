//! The sockets of the cacher: who is let in, how many at once, and that root always finds a place.

use std::collections::HashMap;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{UnixListener, UnixStream};
use tracing::{debug, warn};

use crate::access::Entrance;
use crate::cacher::Cacher;
use crate::connection::Connection;
use crate::serve::serve;

/// Connections of one user at once.
pub const PER_UID_MAX: usize = 32;
/// Connections in all.
pub const ALL_MAX: usize = 512;
/// Of these, kept for root and for sshd's key command: nobody can keep others from logging in.
pub const KEPT_FOR_LOGINS: usize = 128;

/// Out of descriptors: leaves those who are here the time to finish.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

/// Every socket, its file name and its mode. `keys.sock` is open like the others: sshd's command
/// runs as its own user, and the table lets nobody else in.
pub const SOCKETS: &[(Entrance, &str, u32)] = &[
    (Entrance::Pam, "pam.sock", 0o666),
    (Entrance::Nss, "nss.sock", 0o666),
    (Entrance::User, "user.sock", 0o666),
    (Entrance::Keys, "keys.sock", 0o666),
    (Entrance::Admin, "admin.sock", 0o600),
];

/// Opens a socket under a temporary name and moves it in place, so that it never answers with
/// another mode and a stale one of a crashed cacher does not stand in the way.
///
/// # Errors
/// The socket cannot be made there.
pub fn open(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new");
    let temporary = Path::new(&temporary);
    match std::fs::remove_file(temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(temporary)?;
    std::fs::set_permissions(temporary, Permissions::from_mode(mode))?;
    std::fs::rename(temporary, path)?;
    Ok(listener)
}

/// Who is connected at the moment.
#[derive(Debug, Default)]
pub struct Places {
    taken: Mutex<HashMap<u32, usize>>,
}

/// A place that is given back when the connection ends.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    uid: u32,
}

impl Places {
    /// Takes a place, if this user may have one more.
    #[must_use]
    pub fn take(self: &Arc<Self>, uid: u32, for_logins: bool) -> Option<Place> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let most = if for_logins {
            ALL_MAX
        } else {
            ALL_MAX - KEPT_FOR_LOGINS
        };
        let own = taken.entry(uid).or_default();
        // Root serves everybody's logins; its own number is bounded by the total alone.
        let own_full = !for_logins && *own >= PER_UID_MAX;
        if own_full || all >= most {
            if *own == 0 {
                taken.remove(&uid);
            }
            return None;
        }
        *own += 1;
        Some(Place {
            places: Arc::clone(self),
            uid,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self
            .places
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.uid) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.uid);
            }
        }
    }
}

/// Accepts for ever. An error of one connection never ends the loop.
pub async fn accept(
    listener: UnixListener,
    entrance: Entrance,
    places: Arc<Places>,
    cacher: Arc<Cacher>,
) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => admit(stream, entrance, &places, &cacher),
            Err(error) => {
                warn!(?entrance, %error, "a connection could not be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Has a connection served, if there is a place for it.
pub(crate) fn admit(
    stream: UnixStream,
    entrance: Entrance,
    places: &Arc<Places>,
    cacher: &Arc<Cacher>,
) {
    let connection = match Connection::new(stream, entrance) {
        Ok(connection) => connection,
        Err(error) => {
            debug!(%error, "the kernel does not say who connected");
            return;
        }
    };
    let uid = connection.peer.uid;
    let for_logins = uid == 0 || Some(uid) == cacher.keys_command();
    let Some(place) = places.take(uid, for_logins) else {
        warn!(uid, ?entrance, "too many connections, refused");
        return;
    };
    let cacher = Arc::clone(cacher);
    tokio::spawn(async move {
        if let Err(error) = serve(&cacher, connection).await {
            debug!(uid, ?entrance, %error, "connection ended");
        }
        drop(place);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pf_03_one_user_gets_32_places_and_gives_them_back() {
        let places = Arc::new(Places::default());
        let held: Vec<_> = (0..PER_UID_MAX)
            .map(|_| places.take(1000, false).unwrap())
            .collect();
        assert!(places.take(1000, false).is_none());
        assert!(places.take(1001, false).is_some());
        drop(held);
        assert!(places.take(1000, false).is_some());
    }

    #[test]
    fn pf_03_a_share_is_kept_for_logins_whatever_others_hold() {
        let places = Arc::new(Places::default());
        let mut held = Vec::new();
        for uid in 1000..1100 {
            held.extend((0..PER_UID_MAX).map_while(|_| places.take(uid, false)));
        }
        assert_eq!(held.len(), ALL_MAX - KEPT_FOR_LOGINS);
        let root: Vec<_> = (0..KEPT_FOR_LOGINS)
            .map_while(|_| places.take(0, true))
            .collect();
        assert_eq!(root.len(), KEPT_FOR_LOGINS);
        assert!(places.take(0, true).is_none());
    }
}
