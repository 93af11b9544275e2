//! What is known of owners, what waits to be asked, and whether the directory is worth waiting for.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::num::NonZeroUsize;
use std::time::Duration;

use directory_api::agent::{OwnersAnswer, OwnersQuestion};
use local_protocol::Owner;
use lru::LruCache;
use posix_names::{Gid, GroupName, Uid, UserName};

use super::{Asked, KNOWN_FOR, OUTAGE_REMEMBERED, Strangers};

/// Questions that wait to be asked at once; the directory takes no more.
pub(super) const WAITING_MAX: usize = 256;
/// Ids are assigned one after the other, so whoever meets one soon meets its neighbours: they are
/// asked about together, as far as there is room.
const NEIGHBOURS: u32 = 128;

#[derive(Debug, Clone)]
struct Known {
    owner: Owner,
    /// Since boot: then it is asked about anew. Nobody's is forgotten then, an owner is not.
    until: Duration,
    /// Somebody here has asked: a real owner belongs into the map.
    met: bool,
}

/// What a look into memory gives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Seen {
    Known(Owner),
    Unknown { wait: bool },
}

/// What whoever looked has to set going.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Then {
    pub(super) ask: bool,
    pub(super) news: bool,
}

#[derive(Debug)]
pub(super) struct Memory {
    known: LruCache<Asked, Known>,
    waiting: Vec<Asked>,
    resting_until: Duration,
}

impl Memory {
    pub(super) fn new(entries: usize) -> Self {
        let entries = NonZeroUsize::new(entries).unwrap_or(NonZeroUsize::MIN);
        Self {
            known: LruCache::new(entries),
            waiting: Vec::new(),
            resting_until: Duration::ZERO,
        }
    }

    /// With hope, what is not known or not fresh is put on the list.
    pub(super) fn look(&mut self, asked: &Asked, now: Duration, hope: bool) -> (Seen, Then) {
        let mut then = Then::default();
        let known = self.known.get_mut(asked).and_then(|known| {
            let fresh = now < known.until;
            if known.owner == Owner::Nobody {
                return fresh.then_some((Owner::Nobody, true));
            }
            then.news = !std::mem::replace(&mut known.met, true);
            Some((known.owner.clone(), fresh))
        });
        let fresh = known.as_ref().is_some_and(|(_, fresh)| *fresh);
        then.ask = hope && !fresh && self.put_on_list(asked);
        let wait = hope && !self.is_resting(now) && self.waiting.contains(asked);
        let seen = known.map_or(Seen::Unknown { wait }, |(owner, _)| Seen::Known(owner));
        (seen, then)
    }

    fn put_on_list(&mut self, asked: &Asked) -> bool {
        let new = self.waiting.len() < WAITING_MAX && !self.waiting.contains(asked);
        if new {
            self.waiting.push(asked.clone());
        }
        new
    }

    pub(super) fn is_resting(&self, now: Duration) -> bool {
        now < self.resting_until
    }

    pub(super) fn rest(&mut self, now: Duration) {
        self.resting_until = now + OUTAGE_REMEMBERED;
    }

    /// What waits to be asked, and the neighbours of its ids.
    pub(super) fn question(&mut self) -> OwnersQuestion {
        let (mut uids, mut gids) = (BTreeSet::new(), BTreeSet::new());
        let mut question = OwnersQuestion::default();
        for asked in self.waiting.drain(..) {
            match asked {
                Asked::Uid(uid) => drop(uids.insert(uid)),
                Asked::Gid(gid) => drop(gids.insert(gid)),
                Asked::UserName(name) => question.user_names.push(name),
                Asked::GroupName(name) => question.group_names.push(name),
            }
        }
        let names = question.user_names.len() + question.group_names.len();
        let mut room = WAITING_MAX.saturating_sub(names + uids.len() + gids.len());
        for ids in [&mut uids, &mut gids] {
            let near: Vec<u32> = ids.iter().flat_map(|id| neighbours(*id)).collect();
            for id in near {
                room -= usize::from(room > 0 && ids.insert(id));
            }
        }
        question.uids = uids.into_iter().collect();
        question.gids = gids.into_iter().collect();
        question
    }

    /// Takes an answer in. What was asked and is not answered is nobody's.
    pub(super) fn take(
        &mut self,
        asked: &OwnersQuestion,
        answer: &OwnersAnswer,
        now: Duration,
        negative_until: Duration,
    ) {
        self.resting_until = Duration::ZERO;
        let mut found = HashMap::new();
        for owner in believed(answer) {
            for key in keys(&owner) {
                found.insert(key, owner.clone());
            }
        }
        for key in everything(asked) {
            let met = self.known.peek(&key).is_some_and(|known| known.met);
            let known = match found.remove(&key) {
                Some(owner) => Known {
                    owner,
                    until: now + KNOWN_FOR,
                    met,
                },
                None => Known {
                    owner: Owner::Nobody,
                    until: negative_until,
                    met: false,
                },
            };
            self.known.put(key, known);
        }
    }

    /// Takes in what was kept over a restart: everybody in it has been met.
    pub(super) fn take_kept(&mut self, kept: &OwnersAnswer, now: Duration) {
        for owner in believed(kept) {
            let [by_number, _] = keys(&owner);
            let known = Known {
                owner,
                until: now,
                met: true,
            };
            self.known.put(by_number, known);
        }
    }

    /// Everybody who was met, each once, in order of their ids.
    pub(super) fn strangers(&self) -> Strangers {
        let met = self.known.iter().filter(|(_, known)| known.met);
        let (mut users, mut groups) = (BTreeMap::new(), BTreeMap::new());
        for (_, known) in met {
            match &known.owner {
                Owner::User { name, uid, .. } => drop(users.insert(*uid, name)),
                Owner::Group { name, gid } => drop(groups.insert(*gid, name)),
                Owner::Nobody => {}
            }
        }
        let user = |(uid, name): (u32, &String)| {
            Some((UserName::parse(name).ok()?, Uid::new(u64::from(uid)).ok()?))
        };
        let group = |(gid, name): (u32, &String)| {
            Some((GroupName::parse(name).ok()?, Gid::new(u64::from(gid)).ok()?))
        };
        Strangers {
            users: users.into_iter().filter_map(user).collect(),
            groups: groups.into_iter().filter_map(group).collect(),
        }
    }
}

fn neighbours(id: u32) -> impl Iterator<Item = u32> {
    let first = id - id % NEIGHBOURS;
    (first..first.saturating_add(NEIGHBOURS)).filter(|id| Uid::new(u64::from(*id)).is_ok())
}

fn everything(asked: &OwnersQuestion) -> impl Iterator<Item = Asked> {
    let uids = asked.uids.iter().copied().map(Asked::Uid);
    let gids = asked.gids.iter().copied().map(Asked::Gid);
    let user_names = asked.user_names.iter().cloned().map(Asked::UserName);
    let group_names = asked.group_names.iter().cloned().map(Asked::GroupName);
    uids.chain(gids).chain(user_names).chain(group_names)
}

/// What in an answer a host accepts: names and ids that the organisation could have.
fn believed(answer: &OwnersAnswer) -> impl Iterator<Item = Owner> {
    let users = answer.users.iter().map(|(uid, name)| Owner::User {
        name: name.clone(),
        uid: *uid,
        gid: *uid,
    });
    let groups = answer.groups.iter().map(|(gid, name)| Owner::Group {
        name: name.clone(),
        gid: *gid,
    });
    let possible = |owner: &Owner| keys(owner).iter().all(Asked::is_possible);
    users.chain(groups).filter(possible)
}

/// By what somebody can be asked about: the number, and the name.
fn keys(owner: &Owner) -> [Asked; 2] {
    match owner {
        Owner::User { name, uid, .. } => [Asked::Uid(*uid), Asked::UserName(name.clone())],
        Owner::Group { name, gid } => [Asked::Gid(*gid), Asked::GroupName(name.clone())],
        // No id and no name: asked about by nobody.
        Owner::Nobody => [Asked::Uid(0), Asked::Gid(0)],
    }
}
