//! The answer to a call: one record, a row of them, or why there is none.

use std::collections::HashMap;

use identity_map::Cursor;
use serde_json::Value;

use super::arguments::Arguments;
use super::call::Call;
use super::fault::Fault;
use super::record::{Filter, Named};
use super::{SERVICE, interface, record};
use crate::lookups::{Names, PublishedMap, Unavailable, User};

/// Records one after the other; the map is read as they are sent.
pub(super) type Rows = Box<dyn Iterator<Item = Result<Value, Fault>> + Send>;

/// What is sent back.
pub(super) enum Answer {
    /// One reply.
    One(Value),
    /// One reply each.
    Many(Rows),
}

/// Works out the answer. `privileged` peers are told keys.
pub(super) async fn answer(names: &Names, call: Call, privileged: bool) -> Result<Answer, Fault> {
    if call.upgrade {
        return Err(Fault::MethodNotImplemented(call.method));
    }
    let arguments = Arguments::of(call.parameters);
    let (interface, method) = call.method.rsplit_once('.').unwrap_or_default();
    match (interface, method) {
        (interface::VARLINK, "GetInfo") => {
            arguments.finish()?;
            Ok(Answer::One(interface::info()))
        }
        (interface::VARLINK, "GetInterfaceDescription") => {
            interface::description(arguments).map(Answer::One)
        }
        (interface::DATABASE, "GetUserRecord") => {
            let wanted = Wanted::take(arguments, "uid", "userName")?;
            users(names, wanted, call.more, privileged).await
        }
        (interface::DATABASE, "GetGroupRecord") => {
            let wanted = Wanted::take(arguments, "gid", "groupName")?;
            groups(names, wanted, call.more).await
        }
        (interface::DATABASE, "GetMemberships") => memberships(names, arguments, call.more),
        (interface::VARLINK | interface::DATABASE, _) => Err(Fault::MethodNotFound(call.method)),
        _ => Err(Fault::InterfaceNotFound(interface.to_owned())),
    }
}

/// Which record, or which records.
struct Wanted {
    id: Option<u32>,
    name: Option<String>,
    filter: Filter,
}

impl Wanted {
    fn take(mut arguments: Arguments, id: &str, name: &str) -> Result<Self, Fault> {
        this_service(&mut arguments)?;
        let wanted = Self {
            id: arguments.id(id)?,
            name: arguments.text(name)?,
            filter: Filter::take(&mut arguments, id)?,
        };
        arguments.finish()?;
        Ok(wanted)
    }

    /// The one record that was found by name or id is what was asked for.
    fn judged<R: Named>(&self, found: Option<R>) -> Result<R, Fault> {
        let found = found.ok_or(Fault::NoRecordFound)?;
        if self.id.is_some_and(|id| id != found.id()) {
            return Err(Fault::ConflictingRecordFound);
        }
        let wrong_name = |name: &String| name.as_bytes() != found.name();
        if self.name.as_ref().is_some_and(wrong_name) {
            return Err(Fault::ConflictingRecordFound);
        }
        if self.filter.fits(&found) {
            Ok(found)
        } else {
            Err(Fault::NonMatchingRecordFound)
        }
    }
}

fn this_service(arguments: &mut Arguments) -> Result<(), Fault> {
    match arguments.text("service") {
        Ok(Some(service)) if service == SERVICE => Ok(()),
        _ => Err(Fault::BadService),
    }
}

async fn users(
    names: &Names,
    wanted: Wanted,
    more: bool,
    privileged: bool,
) -> Result<Answer, Fault> {
    let map = names.map()?;
    let by_name = match &wanted.name {
        Some(name) => names.user_by_name(&map, name.as_bytes()).await?,
        None => None,
    };
    let found = match (by_name, wanted.id) {
        (None, Some(uid)) => names.user_by_id(&map, uid).await?,
        (None, None) if wanted.name.is_none() => {
            return listed(&map, more).map(|()| Answer::Many(every_user(map, wanted.filter)));
        }
        (by_name, _) => by_name,
    };
    let user = wanted.judged(found)?;
    let groups = GroupNames::default().of(&map, &user)?;
    // Not told is not the same as having none.
    let keys = match privileged {
        true => names.keys(&user.name).await.ok(),
        false => None,
    };
    Ok(Answer::One(record::user(&user, &groups, keys.as_deref())))
}

async fn groups(names: &Names, wanted: Wanted, more: bool) -> Result<Answer, Fault> {
    let map = names.map()?;
    let by_name = match &wanted.name {
        Some(name) => names.group_by_name(&map, name.as_bytes()).await?,
        None => None,
    };
    let found = match (by_name, wanted.id) {
        (None, Some(gid)) => names.group_by_id(&map, gid).await?,
        (None, None) if wanted.name.is_none() => {
            return listed(&map, more).map(|()| Answer::Many(every_group(map, wanted.filter)));
        }
        (by_name, _) => by_name,
    };
    Ok(Answer::One(record::group(&wanted.judged(found)?)))
}

fn memberships(names: &Names, mut arguments: Arguments, more: bool) -> Result<Answer, Fault> {
    this_service(&mut arguments)?;
    let user = arguments.text("userName")?;
    let group = arguments.text("groupName")?;
    arguments.finish()?;
    let map = names.map()?;
    let rows: Vec<Value> = match (user, group) {
        (Some(user), Some(group)) => {
            let group = map.group_by_name(group.as_bytes())?;
            let group = group.ok_or(Fault::NoRecordFound)?;
            let ids = map.groups_of(user.as_bytes())?.unwrap_or_default();
            return if ids.contains(&group.gid) {
                Ok(Answer::One(record::membership(
                    user.as_bytes(),
                    &group.name,
                )))
            } else {
                Err(Fault::NoRecordFound)
            };
        }
        (Some(user), None) => {
            let user = map
                .user_by_name(user.as_bytes())?
                .ok_or(Fault::NoRecordFound)?;
            let groups = GroupNames::default().of(&map, &user)?;
            let row = |group: &String| record::membership(&user.name, group.as_bytes());
            groups.iter().map(row).collect()
        }
        (None, Some(group)) => {
            let group = map
                .group_by_name(group.as_bytes())?
                .ok_or(Fault::NoRecordFound)?;
            let row = |user: &Vec<u8>| record::membership(user, &group.name);
            group.members.iter().map(row).collect()
        }
        (None, None) => {
            listed(&map, more)?;
            return Ok(Answer::Many(every_membership(map)));
        }
    };
    if more {
        Ok(Answer::Many(Box::new(rows.into_iter().map(Ok))))
    } else {
        Err(Fault::ExpectedMore)
    }
}

/// Whether users and groups may be listed, to this call.
fn listed(map: &PublishedMap, more: bool) -> Result<(), Fault> {
    match (map.enumerates(), more) {
        (false, _) => Err(Fault::EnumerationNotSupported),
        (true, false) => Err(Fault::ExpectedMore),
        (true, true) => Ok(()),
    }
}

fn every_user(map: PublishedMap, filter: Filter) -> Rows {
    let mut group_names = GroupNames::default();
    let mut cursor = Cursor::default();
    Box::new(ended_by_a_fault(move || {
        loop {
            let (user, next) = map.user_after(cursor)?.ok_or(Fault::NoRecordFound)?;
            cursor = next;
            if filter.fits(&user) {
                let groups = group_names.of(&map, &user)?;
                return Ok(record::user(&user, &groups, None));
            }
        }
    }))
}

fn every_group(map: PublishedMap, filter: Filter) -> Rows {
    let mut cursor = Cursor::default();
    Box::new(ended_by_a_fault(move || {
        loop {
            let (group, next) = map.group_after(cursor)?.ok_or(Fault::NoRecordFound)?;
            cursor = next;
            if filter.fits(&group) {
                return Ok(record::group(&group));
            }
        }
    }))
}

fn every_membership(map: PublishedMap) -> Rows {
    let mut group_names = GroupNames::default();
    let mut cursor = Cursor::default();
    let mut of_one_user: Vec<Value> = Vec::new();
    Box::new(ended_by_a_fault(move || {
        loop {
            if let Some(row) = of_one_user.pop() {
                return Ok(row);
            }
            let (user, next) = map.user_after(cursor)?.ok_or(Fault::NoRecordFound)?;
            cursor = next;
            let groups = group_names.of(&map, &user)?;
            let row = |group: &String| record::membership(&user.name, group.as_bytes());
            of_one_user = groups.iter().rev().map(row).collect();
        }
    }))
}

/// Rows until there is none; a fault other than that is the last of them.
fn ended_by_a_fault(
    mut next: impl FnMut() -> Result<Value, Fault> + Send,
) -> impl Iterator<Item = Result<Value, Fault>> + Send {
    let mut ended = false;
    std::iter::from_fn(move || {
        if ended {
            return None;
        }
        let row = next();
        ended = row.is_err();
        (row != Err(Fault::NoRecordFound)).then_some(row)
    })
}

/// Names of groups, each read once.
#[derive(Debug, Default)]
struct GroupNames(HashMap<u32, Option<String>>);

impl GroupNames {
    /// The further groups of a user. A group that is not in the map has no name to tell.
    fn of(&mut self, map: &PublishedMap, user: &User) -> Result<Vec<String>, Unavailable> {
        let ids = map.groups_of(&user.name)?.unwrap_or_default();
        let mut names = Vec::with_capacity(ids.len());
        for gid in ids {
            let name = match self.0.get(&gid) {
                Some(name) => name.clone(),
                None => {
                    let name = map.group_name(gid)?.map(|name| record::text(&name));
                    self.0.insert(gid, name.clone());
                    name
                }
            };
            names.extend(name);
        }
        Ok(names)
    }
}
