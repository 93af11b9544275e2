//! From a verified slice to what the host goes by: the identity map and the tables for decisions.
//! Pure. Files win over us: a record that clashes with a local name or id is left out and
//! reported, never merged.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use identity_map::{MapContent, MapGroup, MapUser, MemberPolicy};
use policy::UserState;
use posix_names::{Gecos, Gid, GroupName, HomeDirectory, LoginShell, Uid, UserName};
use signed_bundle::{
    GroupNumbers, GroupRecord, Manifest, PersonView, ReadSlice, SharedSlice, VirtualGroup,
};

use crate::config::{Members, Nss};
use crate::factors::ssh_keys::KeyRule;
use crate::local::LocalNames;
use crate::owners::Strangers;
use crate::people::{Difference, People, Seen};
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
    let fallback = LoginShell::parse(&inputs.nss.fallback_shell).ok();
    let fallback_known = fallback.is_some();
    let people = People::of(inputs.read, fallback, |person| {
        let mut seen = own_person(person, inputs, &mut clashes)?;
        seen.other_shell &= fallback_known;
        Some(seen)
    });
    let groups = own_groups(slice, inputs, &mut clashes);
    let map = map(inputs, &people, &groups);
    let private: HashSet<u32> = people.iter().map(|person| person.view().uid).collect();
    let shared = map.groups.iter();
    let shared = shared.filter(|group| !private.contains(&group.gid.get()));
    let names_by_gid = shared.map(|group| (group.gid.get(), group.name.to_string()));
    let names_by_gid = names_by_gid.collect();
    let mut tables = tables(inputs, people);
    tables.names_by_gid = names_by_gid;
    let key_and_code = VirtualGroup::KeyAndCode.name();
    tables.key_and_code = map
        .groups
        .first()
        .is_some_and(|one| one.name == key_and_code);
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

/// How this host sees somebody of the bundle; not at all where the host itself uses their name or
/// number.
fn own_person(
    person: &PersonView<'_>,
    inputs: &Inputs<'_>,
    clashes: &mut Vec<Clash>,
) -> Option<Difference> {
    let local = inputs.local;
    // A local group of the person's name would take the private group's place.
    let taken = local.users.contains_key(person.username)
        || local.groups.contains_key(person.username)
        || local.has_uid(person.uid)
        || local.has_gid(person.uid)
        || local.has_gid(person.gid);
    if taken {
        clashes.push(Clash {
            id: person.id.to_owned(),
            name: person.username.to_owned(),
            number: person.uid,
        });
        return None;
    }
    Some(Difference {
        suspended: inputs.revoked.contains(person.id),
        other_shell: needs_other_shell(person.shell, local, inputs.nss),
    })
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
fn needs_other_shell(shell: &str, local: &LocalNames, nss: &Nss) -> bool {
    let name = shell.rsplit('/').next().unwrap_or_default();
    !local.shells.contains(shell) && nss.fallback_for.iter().any(|one| one == name)
}

fn map(inputs: &Inputs<'_>, people: &People, groups: &[GroupRecord]) -> MapContent {
    let everybody = virtual_group(inputs, VirtualGroup::Everybody);
    let mut map = MapContent {
        version: inputs.manifest.version,
        issued_at_ms: inputs.manifest.issued.as_millisecond(),
        enumerate: inputs.nss.enumerate,
        member_policy: match inputs.nss.members {
            Members::All | Members::Here => MemberPolicy::All,
            Members::None => MemberPolicy::None,
        },
        owners: inputs.nss.owners,
        ..everyone(inputs, people, groups, everybody)
    };
    add_key_and_code(&mut map, inputs, people);
    add_strangers(&mut map, inputs);
    first_of_each(&mut map);
    map
}

/// A map with two records of one name or number is not written at all, so the first stays: people
/// of the bundle before strangers, shared groups before private ones.
fn first_of_each(map: &mut MapContent) {
    let room = map.users.len();
    let (mut names, mut uids) = (HashSet::with_capacity(room), HashSet::with_capacity(room));
    let fresh = map.users.iter().map(|user| {
        !names.contains(user.name.as_str())
            && uids.insert(user.uid)
            && names.insert(user.name.as_str())
    });
    let fresh: Vec<bool> = fresh.collect();
    keep(&mut map.users, fresh);
    let room = map.groups.len();
    let (mut names, mut gids) = (HashSet::with_capacity(room), HashSet::with_capacity(room));
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

fn virtual_group(inputs: &Inputs<'_>, group: VirtualGroup) -> Option<(GroupName, Gid)> {
    let host = &inputs.read.slice.host;
    let gid = *host.virtual_groups.get(&group)?;
    let name = group.name();
    let free = !inputs.local.groups.contains_key(name.as_str()) && !inputs.local.has_gid(gid.get());
    free.then_some((name, gid))
}

/// The group of those whose key must be followed by a code. Always listed in full: what sshd does
/// not see there it does not do. First, as the group of everybody is: no group of the bundle takes
/// the name that sshd's settings go by.
fn add_key_and_code(map: &mut MapContent, inputs: &Inputs<'_>, people: &People) {
    let rule = KeyRule::of(&inputs.read.slice.host.policy.factor_policies);
    let group = virtual_group(inputs, VirtualGroup::KeyAndCode);
    let Some((name, gid)) = group.filter(|_| rule.demands_codes()) else {
        return;
    };
    let records = people.iter().filter_map(|person| person.record());
    let members = records.filter(|person| rule.code_follows(person));
    let members: BTreeSet<UserName> = members.map(|person| person.username).collect();
    if members.is_empty() {
        return;
    }
    for user in &mut map.users {
        user.groups
            .extend(members.contains(&user.name).then_some(gid));
    }
    let members = members.into_iter().collect();
    map.groups.insert(0, MapGroup { name, gid, members });
}

/// The people of the bundle, its groups, a private group for each person, and the virtual ones.
fn everyone(
    inputs: &Inputs<'_>,
    people: &People,
    groups: &[GroupRecord],
    everybody: Option<(GroupName, Gid)>,
) -> MapContent {
    let shared: HashSet<Gid> = groups.iter().map(|group| group.gid).collect();
    let mut numbered = Numbered::of(groups, inputs.read.group_numbers());
    let mut users = Vec::with_capacity(people.len());
    let mut private = Vec::with_capacity(people.len());
    let mut all = Vec::new();
    for person in people.iter() {
        let Some(mut user) = map_user(&person) else {
            continue;
        };
        let is_listed = match inputs.nss.members {
            Members::All => true,
            Members::Here => person.state() == UserState::Active,
            Members::None => false,
        };
        for group in person.view().groups() {
            user.groups
                .extend(numbered.join(group, &user.name, is_listed));
        }
        user.groups.extend(everybody.as_ref().map(|(_, gid)| *gid));
        all.extend((is_listed && everybody.is_some()).then(|| user.name.clone()));
        let gid = user.uid.private_group();
        private.extend((!shared.contains(&gid)).then(|| MapGroup {
            name: GroupName::private(&user.name),
            gid,
            members: Vec::new(),
        }));
        users.push(user);
    }
    // First: no group of the bundle takes the name that sshd's settings go by.
    let everybody = everybody.map(|(name, gid)| MapGroup {
        name,
        gid,
        members: all,
    });
    let groups = everybody.into_iter().chain(numbered.groups).chain(private);
    MapContent {
        users,
        groups: groups.collect(),
        ..MapContent::default()
    }
}

/// Somebody without their groups.
fn map_user(person: &Seen<'_>) -> Option<MapUser> {
    let view = person.view();
    Some(MapUser {
        name: UserName::parse(view.username).ok()?,
        uid: Uid::new(u64::from(view.uid)).ok()?,
        gid: Gid::new(u64::from(view.gid)).ok()?,
        gecos: Gecos::cleaned(view.gecos),
        home: view.home()?,
        shell: person.shell()?,
        groups: Vec::new(),
    })
}

/// The groups of the bundle as they fill, found by the numbers that stand in people's records.
struct Numbered {
    groups: Vec<MapGroup>,
    /// By number: the place among the groups, for those that are on this host.
    places: Vec<Option<usize>>,
}

impl Numbered {
    fn of(groups: &[GroupRecord], numbers: &GroupNumbers) -> Self {
        let mut places = Vec::new();
        for (place, group) in groups.iter().enumerate() {
            let Some(number) = numbers.number(&group.id) else {
                continue;
            };
            let number = number as usize;
            places.resize(places.len().max(number + 1), None);
            if let Some(empty) = places.get_mut(number) {
                *empty = Some(place);
            }
        }
        let empty = groups.iter().map(|group| MapGroup {
            name: group.name.clone(),
            gid: group.gid,
            members: Vec::new(),
        });
        Self {
            groups: empty.collect(),
            places,
        }
    }

    /// The gid of the group, which lists the person where members are listed.
    fn join(&mut self, number: u32, name: &UserName, is_listed: bool) -> Option<Gid> {
        let place = (*self.places.get(number as usize)?)?;
        let group = self.groups.get_mut(place)?;
        group.members.extend(is_listed.then(|| name.clone()));
        Some(group.gid)
    }
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
