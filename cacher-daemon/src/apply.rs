//! From a verified slice to what the host goes by: the identity map and the tables for decisions.
//! Pure. Files win over us: a record that clashes with a local name or id is left out and
//! reported, never merged.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use identity_map::{MapContent, MapGroup, MapUser, MemberPolicy};
use policy::UserState;
use posix_names::{Gecos, Gid, GroupName, HomeDirectory, LoginShell, UserName};
use signed_bundle::{GroupRecord, Manifest, PersonRecord, ReadSlice, SharedSlice, VirtualGroup};

use crate::config::{Members, Nss};
use crate::local::LocalNames;
use crate::owners::Strangers;
use crate::people::People;
use crate::tables::Tables;

const NO_LOGIN_SHELL: &str = "/usr/sbin/nologin";

/// Everything that the result depends on.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The manifest in force.
    pub manifest: &'a Manifest,
    /// Its content.
    pub read: &'a Arc<ReadSlice>,
    /// Ids of users that the fast lane has suspended.
    pub revoked: &'a BTreeSet<String>,
    /// What the host itself uses.
    pub local: &'a LocalNames,
    /// Settings of the map.
    pub nss: &'a Nss,
    /// Owners of ids seen on this host who have no rights here.
    pub strangers: &'a Strangers,
}

/// What a host goes by.
#[derive(Debug)]
pub struct Applied {
    /// For decisions.
    pub tables: Tables,
    /// For lookups.
    pub map: MapContent,
    /// What was left out because the host already uses it.
    pub clashes: Vec<Clash>,
}

/// A record that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// `usr_…` or `grp_…`
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its uid or gid.
    pub number: u32,
}

/// Applies a slice.
#[must_use]
pub fn apply(inputs: &Inputs<'_>) -> Applied {
    let slice = &inputs.read.slice;
    let mut clashes = Vec::new();
    let people = People::of(inputs.read, |record| {
        own_person(record, inputs, &mut clashes)
    });
    let groups = own_groups(slice, inputs, &mut clashes);
    let map = map(inputs, &people, &groups);
    let shared = map.groups.iter();
    let shared = shared.filter(|group| people.with_uid(group.gid.get()).is_none());
    let names_by_gid = shared.map(|group| (group.gid.get(), group.name.to_string()));
    let names_by_gid = names_by_gid.collect();
    let mut tables = tables(inputs, people);
    tables.names_by_gid = names_by_gid;
    tables.groups = groups.len();
    tables.strangers = inputs
        .strangers
        .users
        .iter()
        .map(|(name, _)| name.to_string())
        .collect();
    Applied {
        tables,
        map,
        clashes,
    }
}

/// How this host sees somebody of the bundle: not at all, as the bundle does, or differently.
fn own_person(
    record: &PersonRecord,
    inputs: &Inputs<'_>,
    clashes: &mut Vec<Clash>,
) -> Option<Option<PersonRecord>> {
    let local = inputs.local;
    let (uid, gid) = (record.uid.get(), record.gid.get());
    let name = record.username.as_str();
    // A local group of the person's name would take the private group's place.
    let taken = local.users.contains_key(name)
        || local.groups.contains_key(name)
        || local.has_uid(uid)
        || local.has_gid(uid)
        || local.has_gid(gid);
    if taken {
        clashes.push(Clash {
            id: record.id.clone(),
            name: name.to_owned(),
            number: uid,
        });
        return None;
    }
    let suspended = inputs.revoked.contains(&record.id);
    let shell = other_shell(&record.shell, local, inputs.nss);
    if !suspended && shell.is_none() {
        return Some(None);
    }
    let mut record = record.clone();
    if suspended {
        record.state = UserState::Suspended;
    }
    record.shell = shell.unwrap_or(record.shell);
    Some(Some(record))
}

fn own_groups(
    slice: &SharedSlice,
    inputs: &Inputs<'_>,
    clashes: &mut Vec<Clash>,
) -> Vec<GroupRecord> {
    let local = inputs.local;
    let (own, taken): (Vec<_>, Vec<_>) = slice.groups.iter().cloned().partition(|group| {
        !local.groups.contains_key(group.name.as_str()) && !local.has_gid(group.gid.get())
    });
    clashes.extend(taken.into_iter().map(|group| Clash {
        name: group.name.to_string(),
        number: group.gid.get(),
        id: group.id,
    }));
    own
}

/// Only ordinary shells are replaced when they are not installed: a restricted shell or `nologin`
/// that is missing must not become an open one.
fn other_shell(shell: &LoginShell, local: &LocalNames, nss: &Nss) -> Option<LoginShell> {
    let name = shell.as_str().rsplit('/').next().unwrap_or_default();
    let ordinary = nss.fallback_for.iter().any(|one| one == name);
    if local.shells.contains(shell.as_str()) || !ordinary {
        return None;
    }
    LoginShell::parse(&nss.fallback_shell).ok()
}

fn map(inputs: &Inputs<'_>, people: &People, groups: &[GroupRecord]) -> MapContent {
    let everybody = everybody_group(inputs);
    let gid_of: HashMap<&str, Gid> = groups
        .iter()
        .map(|group| (group.id.as_str(), group.gid))
        .collect();
    let users: Vec<MapUser> = people
        .iter()
        .map(|person| MapUser {
            name: person.username.clone(),
            uid: person.uid,
            gid: person.gid,
            gecos: person.gecos.clone(),
            home: person.home.clone(),
            shell: person.shell.clone(),
            groups: person
                .groups
                .iter()
                .filter_map(|id| gid_of.get(id).copied())
                .chain(everybody.as_ref().map(|(_, gid)| *gid))
                .collect(),
        })
        .collect();
    let mut map = MapContent {
        version: inputs.manifest.version,
        issued_at_ms: inputs.manifest.issued.as_millisecond(),
        enumerate: inputs.nss.enumerate,
        member_policy: match inputs.nss.members {
            Members::All | Members::Here => MemberPolicy::All,
            Members::None => MemberPolicy::None,
        },
        owners: inputs.nss.owners,
        groups: map_groups(inputs.nss.members, people, groups, everybody),
        users,
    };
    add_strangers(&mut map, inputs);
    first_of_each(&mut map);
    map
}

/// A map with two records of one name or number is not written at all, so the first stays: people
/// of the bundle before strangers, shared groups before private ones.
fn first_of_each(map: &mut MapContent) {
    let (mut names, mut uids) = (HashSet::new(), HashSet::new());
    let fresh = map.users.iter().map(|user| {
        !names.contains(user.name.as_str())
            && uids.insert(user.uid)
            && names.insert(user.name.as_str())
    });
    let fresh: Vec<bool> = fresh.collect();
    keep(&mut map.users, fresh);
    let (mut names, mut gids) = (HashSet::new(), HashSet::new());
    let fresh = map.groups.iter().map(|group| {
        !names.contains(group.name.as_str())
            && gids.insert(group.gid)
            && names.insert(group.name.as_str())
    });
    let fresh: Vec<bool> = fresh.collect();
    keep(&mut map.groups, fresh);
}

fn keep<T>(records: &mut Vec<T>, wanted: Vec<bool>) {
    let mut wanted = wanted.into_iter();
    records.retain(|_| wanted.next().unwrap_or(false));
}

fn everybody_group(inputs: &Inputs<'_>) -> Option<(GroupName, Gid)> {
    let host = &inputs.read.slice.host;
    let gid = *host.virtual_groups.get(&VirtualGroup::Everybody)?;
    let name = VirtualGroup::Everybody.name();
    let free = !inputs.local.groups.contains_key(name.as_str()) && !inputs.local.has_gid(gid.get());
    free.then_some((name, gid))
}

/// The groups of the bundle, a private group for each person, and the virtual ones.
fn map_groups(
    listed: Members,
    people: &People,
    groups: &[GroupRecord],
    everybody: Option<(GroupName, Gid)>,
) -> Vec<MapGroup> {
    let listed = |person: &&PersonRecord| match listed {
        Members::All => true,
        Members::Here => person.state == UserState::Active,
        Members::None => false,
    };
    let mut members: HashMap<&str, Vec<UserName>> = HashMap::new();
    for person in people.iter().filter(listed) {
        for id in person.groups.iter() {
            let of_group = members.entry(id).or_default();
            of_group.push(person.username.clone());
        }
    }
    let mut all: Vec<MapGroup> = groups
        .iter()
        .map(|group| MapGroup {
            name: group.name.clone(),
            gid: group.gid,
            members: members.remove(group.id.as_str()).unwrap_or_default(),
        })
        .collect();
    let gids: HashSet<Gid> = all.iter().map(|group| group.gid).collect();
    let private = people.iter().filter_map(|person| {
        let gid = person.uid.private_group();
        (!gids.contains(&gid)).then_some(MapGroup {
            name: GroupName::parse(person.username.as_str()).ok()?,
            gid,
            members: Vec::new(),
        })
    });
    let private: Vec<MapGroup> = private.collect();
    all.extend(private);
    // First: no group of the bundle takes the name that sshd's settings go by.
    all.splice(
        0..0,
        everybody.map(|(name, gid)| MapGroup {
            name,
            gid,
            members: people
                .iter()
                .filter(listed)
                .map(|person| person.username.clone())
                .collect(),
        }),
    );
    all
}

/// Owners of files without rights here: name and number agree, and nobody can log in as them.
fn add_strangers(map: &mut MapContent, inputs: &Inputs<'_>) {
    let shell = LoginShell::parse(NO_LOGIN_SHELL);
    let Ok(shell) = shell else { return };
    let local = inputs.local;
    let free = |name: &str, gid: Gid| !local.groups.contains_key(name) && !local.has_gid(gid.get());
    for (name, gid) in &inputs.strangers.groups {
        map.groups
            .extend(free(name.as_str(), *gid).then(|| MapGroup {
                name: name.clone(),
                gid: *gid,
                members: Vec::new(),
            }));
    }
    for (name, uid) in &inputs.strangers.users {
        if local.users.contains_key(name.as_str()) || local.has_uid(uid.get()) {
            continue;
        }
        let gid = uid.private_group();
        let group = GroupName::parse(name.as_str()).ok();
        map.groups.extend(
            group
                .filter(|name| free(name.as_str(), gid))
                .map(|name| MapGroup {
                    name,
                    gid,
                    members: Vec::new(),
                }),
        );
        map.users.push(MapUser {
            name: name.clone(),
            uid: *uid,
            gid,
            gecos: Gecos::default(),
            home: HomeDirectory::of(name),
            shell: shell.clone(),
            groups: Vec::new(),
        });
    }
}

fn tables(inputs: &Inputs<'_>, people: People) -> Tables {
    let slice = &inputs.read.slice;
    Tables {
        version: inputs.manifest.version,
        issued: inputs.manifest.issued,
        expires: inputs.manifest.expires,
        host: Some(slice.host.clone()),
        people,
        rules: slice.access_rules.clone(),
        unreadable: inputs.read.unreadable_rules.clone(),
        ..Tables::default()
    }
}
