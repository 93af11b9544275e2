//! From a verified slice to the tables for decisions. Pure. Files win over us: a record that clashes
//! with a local name or id is left out and reported, never merged.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use posix_names::{Gid, GroupName, LoginShell};
use signed_bundle::{GroupRecord, Manifest, PersonView, ReadSlice, VirtualGroup};

use crate::config::Nss;
use crate::factors::ssh_keys::KeyRule;
use crate::local::LocalNames;
use crate::owners::Strangers;
use crate::people::{Difference, People};
use crate::tables::Tables;

/// Everything that the result depends on.
#[derive(Debug)]
pub struct Inputs {
    /// The manifest in force.
    pub manifest: Manifest,
    /// Its content.
    pub read: Arc<ReadSlice>,
    /// Ids of users that the fast lane has suspended.
    pub revoked: BTreeSet<String>,
    /// What the host itself uses.
    pub local: LocalNames,
    /// Settings of the map.
    pub nss: Nss,
    /// Owners of ids seen on this host who have no rights here.
    pub strangers: Strangers,
}

/// What a host decides by.
#[derive(Debug)]
pub struct Applied {
    /// The tables.
    pub tables: Tables,
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

/// How a host sees people, besides what the bundle says of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Eyes {
    revoked: BTreeSet<String>,
    local: LocalNames,
    nss: Nss,
}

impl Eyes {
    fn of(inputs: &Inputs) -> Self {
        Self {
            revoked: inputs.revoked.clone(),
            local: inputs.local.clone(),
            nss: inputs.nss.clone(),
        }
    }
}

/// Applies a slice. `before`: the tables in force, of which those people stay who have not changed and
/// are seen by the same eyes.
#[must_use]
pub fn apply(inputs: &Inputs, before: Option<&Tables>) -> Applied {
    let mut clashes = Vec::new();
    let eyes = Eyes::of(inputs);
    let before = before.filter(|before| before.eyes.as_ref() == Some(&eyes));
    let before = before.map(|before| &before.people);
    let fallback = LoginShell::parse(&inputs.nss.fallback_shell).ok();
    let fallback_known = fallback.is_some();
    let people = People::of(&inputs.read, before, fallback, |person| {
        let mut seen = own_person(person, inputs, &mut clashes)?;
        seen.other_shell &= fallback_known;
        Some(seen)
    });
    let (own, taken): (Vec<_>, Vec<_>) =
        groups_of(inputs).partition(|group| is_free(inputs, group));
    clashes.extend(taken.into_iter().map(|group| Clash {
        name: group.name.to_string(),
        number: group.gid.get(),
        id: group.id.clone(),
    }));
    Applied {
        tables: tables(inputs, eyes, people, &own),
        clashes,
    }
}

/// How this host sees somebody of the bundle; not at all where the host itself uses their name or
/// number.
fn own_person(
    person: &PersonView<'_>,
    inputs: &Inputs,
    clashes: &mut Vec<Clash>,
) -> Option<Difference> {
    let local = &inputs.local;
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
        other_shell: needs_other_shell(person.shell, local, &inputs.nss),
    })
}

fn groups_of(inputs: &Inputs) -> impl Iterator<Item = &GroupRecord> {
    inputs.read.slice.groups.iter()
}

fn is_free(inputs: &Inputs, group: &GroupRecord) -> bool {
    is_unused(inputs, group.name.as_str(), group.gid)
}

/// Whether the host itself does not use the name or the number of a group.
pub(crate) fn is_unused(inputs: &Inputs, name: &str, gid: Gid) -> bool {
    !inputs.local.groups.contains_key(name) && !inputs.local.has_gid(gid.get())
}

/// The groups of the bundle that appear on this host.
pub(crate) fn own_groups(inputs: &Inputs) -> impl Iterator<Item = &GroupRecord> {
    groups_of(inputs).filter(|group| is_free(inputs, group))
}

/// Only ordinary shells are replaced when they are not installed: a restricted shell or `nologin`
/// that is missing must not become an open one.
fn needs_other_shell(shell: &str, local: &LocalNames, nss: &Nss) -> bool {
    let name = shell.rsplit('/').next().unwrap_or_default();
    !local.shells.contains(shell) && nss.fallback_for.iter().any(|one| one == name)
}

/// A group of cloudid itself, where the host does not use its name or number.
pub(crate) fn virtual_group(inputs: &Inputs, group: VirtualGroup) -> Option<(GroupName, Gid)> {
    let gid = *inputs.read.slice.host.virtual_groups.get(&group)?;
    let name = group.name();
    is_unused(inputs, name.as_str(), gid).then_some((name, gid))
}

/// Uids of those whose key must be followed by a code, in order; nobody where sshd cannot see it.
fn key_and_code(inputs: &Inputs, people: &People) -> Vec<u32> {
    let rule = KeyRule::of(&inputs.read.slice.host.policy.factor_policies);
    if !rule.demands_codes() || virtual_group(inputs, VirtualGroup::KeyAndCode).is_none() {
        return Vec::new();
    }
    let people = people.iter().map(|person| *person.view());
    let asked = people.filter(|person| rule.code_follows(person.key_kinds()));
    asked.map(|person| person.uid).collect()
}

/// Names of groups but the private ones of people, which have their owner's name and number. Those
/// of strangers stand back.
fn names_by_gid(inputs: &Inputs, people: &People, own: &[&GroupRecord]) -> HashMap<u32, String> {
    let own = own.iter().map(|group| (group.gid, group.name.as_str()));
    let own: Vec<(Gid, &str)> = own.collect();
    let names: HashSet<&str> = own.iter().map(|(_, name)| *name).collect();
    let users = inputs.strangers.users.iter();
    let users = users.map(|(name, uid)| (uid.private_group(), name.as_str()));
    let groups = inputs.strangers.groups.iter();
    let strangers = users.chain(groups.map(|(name, gid)| (*gid, name.as_str())));
    let strangers = strangers.filter(|(gid, name)| {
        is_unused(inputs, name, *gid)
            && !names.contains(name)
            && people.named(name).is_none()
            && people.with_uid(gid.get()).is_none()
    });
    let ours = [VirtualGroup::Everybody, VirtualGroup::KeyAndCode].into_iter();
    let ours: Vec<_> = ours.filter_map(|one| virtual_group(inputs, one)).collect();
    let ours = ours.iter().map(|(name, gid)| (*gid, name.as_str()));
    let all = strangers.chain(own).chain(ours);
    all.map(|(gid, name)| (gid.get(), name.to_owned()))
        .collect()
}

fn tables(inputs: &Inputs, eyes: Eyes, people: People, own: &[&GroupRecord]) -> Tables {
    let slice = &inputs.read.slice;
    let strangers = inputs.strangers.users.iter();
    Tables {
        version: inputs.manifest.version,
        issued: inputs.manifest.issued,
        expires: inputs.manifest.expires,
        host: Some(slice.host.clone()),
        names_by_gid: names_by_gid(inputs, &people, own),
        key_and_code: key_and_code(inputs, &people),
        groups: own.len(),
        strangers: strangers.map(|(name, _)| name.to_string()).collect(),
        people,
        eyes: Some(eyes),
        rules: slice.access_rules.clone(),
        unreadable: inputs.read.unreadable_rules.clone(),
    }
}
