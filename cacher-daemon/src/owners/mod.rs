//! Owners of ids, and holders of names, that have no rights here: answered from the tables and from
//! memory, asked of the directory in the background. A lookup waits for a quick answer and never for
//! the network, and "cannot say" is never "nobody".

mod background;
mod kept;
mod memory;

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use directory_api::agent::{OwnersAnswer, OwnersQuestion};
use identity_map::Owners as Policy;
use local_protocol::{IdQuestion, NameQuestion, Owner, Reply};
use posix_names::{Gid, GroupName, Uid, UserName};
use tokio::sync::Notify;

use crate::cacher::Cacher;
pub(crate) use background::{learn, publish};
use memory::{Memory, Seen};

/// How long a lookup waits for the directory's word: less than the module waits for ours.
pub const LOOKUP_WAIT: Duration = Duration::from_millis(40);
/// After a directory that failed or was slow, no lookup waits for so long.
pub const OUTAGE_REMEMBERED: Duration = Duration::from_secs(2);
/// A known owner is asked about again after this, and answered from memory meanwhile.
pub const KNOWN_FOR: Duration = Duration::from_secs(24 * 3600);

/// What is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Asked {
    Uid(u32),
    Gid(u32),
    UserName(String),
    GroupName(String),
}

/// Users and groups without rights here whose names the next map should hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Strangers {
    /// Users; each has a private group of the same name and number.
    pub users: Vec<(UserName, Uid)>,
    /// Groups.
    pub groups: Vec<(GroupName, Gid)>,
}

/// What is remembered of owners.
#[derive(Debug)]
pub struct Owners {
    memory: Mutex<Memory>,
    /// Something waits to be asked.
    wanted: Notify,
    /// The directory has answered, or will not.
    answered: Notify,
    /// A stranger is known whom the map lacks.
    news: Notify,
}

impl From<IdQuestion> for Asked {
    fn from(question: IdQuestion) -> Self {
        match question {
            IdQuestion::User(uid) => Self::Uid(uid),
            IdQuestion::Group(gid) => Self::Gid(gid),
        }
    }
}

impl From<NameQuestion> for Asked {
    fn from(question: NameQuestion) -> Self {
        match question {
            NameQuestion::User(name) => Self::UserName(name),
            NameQuestion::Group(name) => Self::GroupName(name),
        }
    }
}

impl Asked {
    /// Whether the organisation could have such a thing at all.
    fn is_possible(&self) -> bool {
        match self {
            Self::Uid(uid) => Uid::new(u64::from(*uid)).is_ok(),
            Self::Gid(gid) => Gid::new(u64::from(*gid)).is_ok(),
            Self::UserName(name) => UserName::parse(name).is_ok(),
            Self::GroupName(name) => GroupName::parse(name).is_ok(),
        }
    }

    fn is_allowed(&self, policy: Policy) -> bool {
        match self {
            Self::Uid(_) | Self::Gid(_) => policy != Policy::Off,
            Self::UserName(_) | Self::GroupName(_) => policy == Policy::All,
        }
    }
}

impl Owners {
    /// Room for so many owners.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        Self {
            memory: Mutex::new(Memory::new(entries)),
            wanted: Notify::new(),
            answered: Notify::new(),
            news: Notify::new(),
        }
    }

    /// The same, with those whom an earlier cacher has met.
    #[must_use]
    pub fn reopened(entries: usize, path: &Path, now: Duration) -> Self {
        let owners = Self::new(entries);
        owners.locked().take_kept(&kept::load(path), now);
        owners
    }

    /// Who owns an id?
    pub async fn of_id(&self, cacher: &Cacher, question: IdQuestion) -> Reply {
        self.answer(cacher, &question.into()).await
    }

    /// Who has a name?
    pub async fn of_name(&self, cacher: &Cacher, question: NameQuestion) -> Reply {
        self.answer(cacher, &question.into()).await
    }

    async fn answer(&self, cacher: &Cacher, asked: &Asked) -> Reply {
        match self.at_once(cacher, asked) {
            Some(reply) => reply,
            None => reply(self.awaited(asked, cacher).await),
        }
    }

    /// The answer, unless the directory is worth waiting for.
    pub(crate) fn at_once(&self, cacher: &Cacher, asked: &Asked) -> Option<Reply> {
        if !asked.is_possible() || !asked.is_allowed(cacher.config().nss.owners) {
            return Some(Reply::Owner(Owner::Nobody));
        }
        if let Some(owner) = here(cacher, asked) {
            return Some(Reply::Owner(owner));
        }
        match self.look(asked, cacher, true) {
            Seen::Known(owner) => Some(reply(Some(owner))),
            Seen::Unknown { wait: false } => Some(reply(None)),
            Seen::Unknown { wait: true } => None,
        }
    }

    /// Looks into memory; what is not there is put on the list, where there is hope.
    fn look(&self, asked: &Asked, cacher: &Cacher, put_on_list: bool) -> Seen {
        let now = cacher.since_boot();
        let hope = put_on_list && cacher.online();
        let (seen, then) = self.locked().look(asked, now, hope);
        if then.ask {
            self.wanted.notify_one();
        }
        if then.news {
            self.news.notify_one();
        }
        seen
    }

    async fn awaited(&self, asked: &Asked, cacher: &Cacher) -> Option<Owner> {
        let in_time = tokio::time::timeout(LOOKUP_WAIT, async {
            loop {
                let mut answered = std::pin::pin!(self.answered.notified());
                // From here on no answer is missed.
                answered.as_mut().enable();
                if let Seen::Known(owner) = self.look(asked, cacher, false) {
                    return Some(owner);
                }
                if self.locked().is_resting(cacher.since_boot()) {
                    return None;
                }
                answered.await;
            }
        });
        in_time.await.unwrap_or_else(|_| {
            // The next ones do not wait for it as well.
            self.locked().rest(cacher.since_boot());
            None
        })
    }

    /// What waits to be asked; empty when nothing does.
    #[must_use]
    pub fn question(&self) -> OwnersQuestion {
        self.locked().question()
    }

    /// The directory failed: whoever waits need not, and nothing is remembered of anybody.
    fn failed(&self, cacher: &Cacher) {
        self.locked().rest(cacher.since_boot());
        self.answered.notify_waiters();
    }

    /// Remembers what the directory said. What was asked and is not answered is nobody's, for a
    /// while. What no host would accept is not believed.
    pub fn take(&self, asked: &OwnersQuestion, answer: &OwnersAnswer, cacher: &Cacher) {
        let now = cacher.since_boot();
        let negative_until = now + cacher.config().nss.negative_ttl;
        self.locked().take(asked, answer, now, negative_until);
        self.answered.notify_waiters();
    }

    /// Users and groups without rights here whose names the next map should hold.
    #[must_use]
    pub fn strangers(&self, policy: Policy) -> Strangers {
        match policy {
            Policy::Off => Strangers::default(),
            Policy::Ids | Policy::All => self.locked().strangers(),
        }
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reply(known: Option<Owner>) -> Reply {
    known.map_or_else(
        || Reply::Unavailable("the directory has not said".to_owned()),
        Reply::Owner,
    )
}

/// Somebody of this host's own slice: the map in that process's hands is about to be replaced.
fn here(cacher: &Cacher, asked: &Asked) -> Option<Owner> {
    let tables = cacher.tables();
    let user = |person: signed_bundle::PersonRecord| Owner::User {
        name: person.username.to_string(),
        uid: person.uid.get(),
        gid: person.gid.get(),
    };
    let group = |(gid, name): (u32, &str)| Owner::Group {
        name: name.to_owned(),
        gid,
    };
    match asked {
        Asked::Uid(uid) => tables.person_with_uid(*uid).map(user),
        Asked::UserName(name) => tables.person(name).map(user),
        Asked::Gid(gid) => tables.group_with_gid(*gid).map(|name| group((*gid, name))),
        Asked::GroupName(name) => tables.group_named(name).map(group),
    }
}
