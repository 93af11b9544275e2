//! The answer to a question: the host's files first, as in NSS, then the map.

use super::reply::{Answer, Reply};
use super::request::Question;
use crate::lookups::{Group, Names, OtherSources, Unavailable, User};

/// Answers one question.
pub async fn answer(names: &Names, question: &Question) -> Reply {
    let users = || Sources::of(names, "passwd");
    let groups = || Sources::of(names, "group");
    match question {
        Question::UserByName(name) => Reply::User(users().answer(user_by_name(names, name).await)),
        Question::UserById(uid) => Reply::User(users().answer(user_by_id(names, *uid).await)),
        Question::GroupByName(name) => {
            Reply::Group(groups().answer(group_by_name(names, name).await))
        }
        Question::GroupById(gid) => Reply::Group(groups().answer(group_by_id(names, *gid).await)),
        Question::GroupsOf(name) => Reply::Groups(groups_of(names, name)),
        Question::Unserved(what) => Reply::Unserved(*what),
    }
}

/// Who else may know what we do not.
struct Sources(OtherSources);

impl Sources {
    fn of(names: &Names, database: &str) -> Self {
        Self(names.others(database))
    }

    fn answer<T>(&self, found: Result<Option<T>, Unavailable>) -> Answer<T> {
        match (found, self.0) {
            (Err(Unavailable), _) | (_, OtherSources::Unknown) => Answer::Unsure,
            (Ok(Some(record)), _) => Answer::Found(record),
            (Ok(None), OtherSources::None) => Answer::NotFound,
            (Ok(None), OtherSources::Systemd) => Answer::Unsure,
        }
    }
}

async fn user_by_name(names: &Names, name: &[u8]) -> Result<Option<User>, Unavailable> {
    match names.local()?.user_by_name(name) {
        None => names.user_by_name(&names.map()?, name).await,
        local => Ok(local),
    }
}

async fn user_by_id(names: &Names, uid: u32) -> Result<Option<User>, Unavailable> {
    match names.local()?.user_by_id(uid) {
        None => names.user_by_id(&names.map()?, uid).await,
        local => Ok(local),
    }
}

async fn group_by_name(names: &Names, name: &[u8]) -> Result<Option<Group>, Unavailable> {
    match names.local()?.group_by_name(name) {
        None => names.group_by_name(&names.map()?, name).await,
        local => Ok(local),
    }
}

async fn group_by_id(names: &Names, gid: u32) -> Result<Option<Group>, Unavailable> {
    match names.local()?.group_by_id(gid) {
        None => names.group_by_id(&names.map()?, gid).await,
        local => Ok(local),
    }
}

/// All groups that list a user, of the files and of the map. "None" is never "ask somebody else",
/// whatever stands in nsswitch: a program in a container that takes on a user of its own would give
/// up over it. So groups that only systemd gives to a user are not told here.
fn groups_of(names: &Names, name: &[u8]) -> Answer<Vec<u32>> {
    if names.others("group") == OtherSources::Unknown
        || names.others("initgroups") == OtherSources::Unknown
    {
        return Answer::Unsure;
    }
    let Ok(local) = names.local() else {
        return Answer::Unsure;
    };
    let mut ids = local.groups_listing(name);
    match names.map().and_then(|map| map.groups_of(name)) {
        Ok(of_map) => ids.extend(of_map.unwrap_or_default()),
        // A local user has no group of the map.
        Err(Unavailable) if local.user_by_name(name).is_some() => {}
        Err(Unavailable) => return Answer::Unsure,
    }
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        Answer::NotFound
    } else {
        Answer::Found(ids)
    }
}
