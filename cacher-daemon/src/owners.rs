//! Owners of ids that have no rights here: answered from memory, asked of the directory in the
//! background. A lookup never waits for the network, and "cannot say" is never "nobody".

use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use directory_api::agent::{OwnersAnswer, OwnersQuestion};
use local_protocol::{IdQuestion, Owner, Reply};
use lru::LruCache;
use posix_names::{Gid, GroupName, Uid, UserName};
use tokio::sync::Notify;

use crate::cacher::Cacher;

/// Ids that wait to be asked at once.
const WAITING_MAX: usize = 256;

#[derive(Debug, Clone)]
struct Remembered {
    owner: Owner,
    /// Since boot; `None` for a real owner, who never changes.
    until: Option<Duration>,
}

#[derive(Debug)]
struct Memory {
    known: LruCache<(bool, u32), Remembered>,
    waiting: Vec<(bool, u32)>,
}

/// What is remembered of owners.
#[derive(Debug)]
pub struct Owners {
    memory: Mutex<Memory>,
    /// Something waits to be asked.
    pub wanted: Notify,
}

impl Owners {
    /// Room for so many owners.
    #[must_use]
    pub fn new(entries: usize) -> Self {
        let entries = NonZeroUsize::new(entries).unwrap_or(NonZeroUsize::MIN);
        Self {
            memory: Mutex::new(Memory {
                known: LruCache::new(entries),
                waiting: Vec::new(),
            }),
            wanted: Notify::new(),
        }
    }

    /// Answers from the tables and from memory; what neither knows is asked in the background.
    #[must_use]
    pub fn answer(&self, cacher: &Cacher, question: IdQuestion) -> Reply {
        let tables = cacher.tables();
        let (is_user, id) = parts(question);
        let in_range = if is_user {
            Uid::new(u64::from(id)).is_ok()
        } else {
            Gid::new(u64::from(id)).is_ok()
        };
        if !in_range {
            return Reply::Owner(Owner::Nobody);
        }
        let here = if is_user {
            tables.person_with_uid(id).map(|person| Owner::User {
                name: person.username.to_string(),
                uid: id,
                gid: person.gid.get(),
            })
        } else {
            tables.group_with_gid(id).map(|name| Owner::Group {
                name: name.to_owned(),
                gid: id,
            })
        };
        here.or_else(|| self.remembered((is_user, id), cacher.since_boot()))
            .map_or_else(
                || Reply::Unavailable("asked of the directory; try again".to_owned()),
                Reply::Owner,
            )
    }

    fn remembered(&self, id: (bool, u32), now: Duration) -> Option<Owner> {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = memory
            .known
            .get(&id)
            .filter(|known| known.until.is_none_or(|until| now < until))
            .map(|known| known.owner.clone());
        if fresh.is_none() && memory.waiting.len() < WAITING_MAX && !memory.waiting.contains(&id) {
            memory.waiting.push(id);
            self.wanted.notify_one();
        }
        fresh
    }

    /// What waits to be asked.
    #[must_use]
    pub fn question(&self) -> OwnersQuestion {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let (uids, gids): (Vec<_>, Vec<_>) = std::mem::take(&mut memory.waiting)
            .into_iter()
            .partition(|(is_user, _)| *is_user);
        let numbers = |ids: Vec<(bool, u32)>| ids.into_iter().map(|(_, id)| id).collect();
        OwnersQuestion {
            uids: numbers(uids),
            gids: numbers(gids),
        }
    }

    /// Remembers what the directory said. An id that was asked and not answered is nobody's, for a
    /// while. Names that no host would accept are not believed. Says whether a user was among them,
    /// whom the next map should hold.
    pub fn learn(
        &self,
        asked: &OwnersQuestion,
        answer: &OwnersAnswer,
        negative_until: Duration,
    ) -> bool {
        let mut memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let users = asked.uids.iter().map(|uid| {
            let name = answer.users.iter().find(|(found, _)| found == uid);
            let name = name.filter(|(_, name)| UserName::parse(name).is_ok());
            let owner = name.map(|(_, name)| Owner::User {
                name: name.clone(),
                uid: *uid,
                gid: *uid,
            });
            ((true, *uid), owner)
        });
        let groups = asked.gids.iter().map(|gid| {
            let name = answer.groups.iter().find(|(found, _)| found == gid);
            let name = name.filter(|(_, name)| GroupName::parse(name).is_ok());
            let owner = name.map(|(_, name)| Owner::Group {
                name: name.clone(),
                gid: *gid,
            });
            ((false, *gid), owner)
        });
        let mut user_learned = false;
        for (id, owner) in users.chain(groups) {
            user_learned |= matches!(owner, Some(Owner::User { .. }));
            let until = owner.is_none().then_some(negative_until);
            let owner = owner.unwrap_or(Owner::Nobody);
            memory.known.put(id, Remembered { owner, until });
        }
        user_learned
    }

    /// Users without rights here whose names the next map should hold.
    #[must_use]
    pub fn strangers(&self) -> Vec<(UserName, Uid)> {
        let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let owners = memory.known.iter().map(|(_, known)| &known.owner);
        owners
            .filter_map(|owner| match owner {
                Owner::User { name, uid, .. } => {
                    Some((UserName::parse(name).ok()?, Uid::new(u64::from(*uid)).ok()?))
                }
                Owner::Group { .. } | Owner::Nobody => None,
            })
            .collect()
    }
}

fn parts(question: IdQuestion) -> (bool, u32) {
    match question {
        IdQuestion::User(uid) => (true, uid),
        IdQuestion::Group(gid) => (false, gid),
    }
}
