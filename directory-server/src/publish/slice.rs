//! What one host receives of the organisation: people who can reach it, rules that concern it,
//! groups that matter there, verifiers of those who may log in. Nothing else.

use std::collections::{BTreeMap, BTreeSet};

use policy::{AccessRule, Subject, could_ever_reach};
use posix_names::Gid;
use signed_bundle::{EffectivePolicy, GroupRecord, HostRecord, Slice, VirtualGroup};

use super::factors::Bits;
use super::world::{World, WorldHost, WorldPerson};

pub(super) fn slice_of(
    world: &World,
    host: &WorldHost,
    virtual_groups: &BTreeMap<VirtualGroup, Gid>,
    bits: &mut Bits<'_>,
) -> Slice {
    let concerning = |rule: &&AccessRule| rule.concerns_host(&host.policy);
    let access_rules: Vec<AccessRule> = world.rules.iter().filter(concerning).cloned().collect();
    let here: Vec<&WorldPerson> = world
        .people
        .iter()
        .filter(|person| {
            let record = &person.record;
            could_ever_reach(&record.id, &person.groups, &host.policy, &access_rules)
        })
        .collect();
    let groups = groups_of(world, &here);
    let known = known_groups(&access_rules, &groups);
    let people = here.iter().map(|person| {
        let mut record = person.record.clone();
        let groups = person.groups.iter();
        record.groups = groups
            .filter(|group| known.contains(group.as_str()))
            .cloned()
            .collect();
        record
    });
    let factors = world.factors.of_slice(&host.policy, &here, bits);
    Slice {
        people: people.collect(),
        factors: factors.factors,
        check_bits: factors.check_bits,
        credentials: here
            .iter()
            .filter_map(|person| person.credential.clone())
            .collect(),
        host: HostRecord {
            id: host.policy.id.clone(),
            name: host.policy.name.clone(),
            project: host.policy.project.clone(),
            tags: host.policy.tags.clone(),
            state: host.policy.state,
            virtual_groups: virtual_groups.clone(),
            policy: EffectivePolicy {
                factor_policies: factors.policies,
                ..EffectivePolicy::default()
            },
        },
        groups: groups.clone(),
        access_rules,
    }
}

/// POSIX groups of which somebody here is a member.
fn groups_of(world: &World, here: &[&WorldPerson]) -> Vec<GroupRecord> {
    let members: BTreeSet<&str> = here
        .iter()
        .flat_map(|person| person.groups.iter().map(String::as_str))
        .collect();
    world
        .groups
        .iter()
        .filter(|group| members.contains(group.id.as_str()))
        .cloned()
        .collect()
}

/// Of all the groups a person is in, a host learns those that a rule names or that exist there.
fn known_groups<'a>(rules: &'a [AccessRule], groups: &'a [GroupRecord]) -> BTreeSet<&'a str> {
    let named = rules
        .iter()
        .flat_map(|rule| &rule.subjects)
        .filter_map(|subject| match subject {
            Subject::Group(id) => Some(id.as_str()),
            Subject::User(_) => None,
        });
    let existing = groups.iter().map(|group| group.id.as_str());
    named.chain(existing).collect()
}
