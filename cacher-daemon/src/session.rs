//! Open sessions of directory users: who, where from, which process. A failing session step never
//! ends a login.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use local_protocol::{Login, MakeHome, Outcome, Reply, SessionId, Verb};

use crate::cacher::Cacher;
use crate::events::Event;
use crate::peer::{Peer, lives};

/// Sessions registered at once; each holds a descriptor, and connections need theirs, too.
const SESSIONS_MAX: usize = 2_048;

#[derive(Debug)]
struct Session {
    user: String,
    service: String,
    opened: Timestamp,
    /// The process that opened it; when it is gone the session is, too.
    process: Option<OwnedFd>,
}

/// All open sessions.
#[derive(Debug, Default)]
pub struct Sessions {
    open: Mutex<HashMap<SessionId, Session>>,
}

impl Sessions {
    /// How many are open.
    #[must_use]
    pub fn count(&self) -> usize {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    fn add(&self, id: SessionId, session: Session) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let room = open.len() < SESSIONS_MAX;
        if room {
            open.insert(id, session);
        }
        room
    }

    fn remove(&self, id: SessionId) -> Option<Session> {
        self.open
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id)
    }

    /// Sessions whose process is gone without a word.
    fn abandoned(&self) -> Vec<SessionId> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter()
            .filter(|(_, session)| {
                session
                    .process
                    .as_ref()
                    .is_some_and(|process| !lives(process))
            })
            .map(|(id, _)| *id)
            .collect()
    }
}

/// Makes the home where there is none, and registers the session.
pub async fn open(cacher: &Cacher, peer: &Peer, login: &Login) -> Reply {
    let tables = cacher.tables();
    let Some(person) = tables.person(&login.user) else {
        return Reply::Done(Outcome::NotOurs);
    };
    if cacher.config().pam.create_home {
        let verb = Verb::MakeHome(MakeHome {
            home: person.home.to_string(),
            uid: person.uid.get(),
            gid: person.gid.get(),
            umask: cacher.config().pam.home_umask,
        });
        if let Err(error) = cacher.helper.ask(&verb).await {
            // The login goes on: a shell without a home is better than no shell.
            tracing::error!(user = %person.username, %error, "home not made");
        }
    }
    let mut number = [0; 16];
    if getrandom::fill(&mut number).is_err() {
        return Reply::Unavailable("no randomness for a session number".to_owned());
    }
    let id = SessionId(number);
    let session = Session {
        user: login.user.clone(),
        service: login.service.clone(),
        opened: cacher.now(),
        process: peer.process(),
    };
    if !cacher.sessions.add(id, session) {
        return Reply::Unavailable("too many sessions are registered".to_owned());
    }
    let event = Event::new("session.opened", "success")
        .user(&login.user)
        .detail("service", login.service.as_str())
        .detail("tty", login.terminal.as_str())
        .detail("remote", login.remote_host.as_str())
        .detail("session", crate::mirror::store::hex(&number));
    cacher.record(event).await;
    Reply::SessionOpened(id)
}

/// Strikes a session off. An unknown number is no error: the cacher may have been restarted.
pub async fn close(cacher: &Cacher, id: SessionId) {
    ended(cacher, id, "closed").await;
}

/// Strikes off sessions whose process died without closing them.
pub async fn sweep(cacher: &Cacher) {
    for id in cacher.sessions.abandoned() {
        ended(cacher, id, "process_gone").await;
    }
}

async fn ended(cacher: &Cacher, id: SessionId, reason: &'static str) {
    let Some(session) = cacher.sessions.remove(id) else {
        return;
    };
    let lasted = cacher.now().duration_since(session.opened).as_secs().max(0);
    let event = Event::new("session.closed", "success")
        .user(&session.user)
        .detail("service", session.service.as_str())
        .detail("seconds", lasted)
        .detail("reason", reason)
        .detail("session", crate::mirror::store::hex(&id.0));
    cacher.record(event).await;
}
