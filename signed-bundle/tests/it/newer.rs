//! Records with a field that only a newer directory knows: left aside where it adds something, never
//! where it could narrow a right.

use serde_json::{Value, json};
use signed_bundle::*;

use crate::world::*;

fn with_more(record: impl serde::Serialize) -> String {
    let mut record = serde_json::to_value(record).unwrap();
    record["since_a_later_version"] = json!({"something": [1, 2]});
    record.to_string()
}

#[test]
fn upg_01_people_groups_and_credentials_with_an_unknown_field_are_taken() {
    let mut world = World::new();
    let mut given = slice(vec![person(1)]);
    given.credentials = vec![credential(1)];
    let mut manifest = world.manifest(&slice(vec![]));
    manifest.chunks.clear();
    for (kind, line) in [
        (ChunkKind::Host, with_more(&given.host)),
        (ChunkKind::People, with_more(&given.people[0])),
        (ChunkKind::Groups, with_more(&given.groups[0])),
        (ChunkKind::AccessRules, rule_json("acc_1").to_string()),
        (ChunkKind::Credentials, with_more(&given.credentials[0])),
    ] {
        manifest.chunks.push(world.store_lines(kind, &[line]));
    }
    let read = world.read(&manifest).unwrap();
    assert_eq!(read.dropped, []);
    assert_eq!(read.slice.unpacked(), given);
}

#[test]
fn upg_01_a_rule_with_an_unknown_field_grants_nothing() {
    let line = with_more(rule_json("acc_2"));
    let read = World::new().read_lines(ChunkKind::AccessRules, &[line]);
    let mut kept = read.slice.access_rules.iter();
    assert!(kept.all(|rule| rule.id == "acc_1"));
    assert_eq!(read.dropped.len(), 1);
    assert_eq!(read.unreadable_rules[0].id(), "acc_2");
}

#[test]
fn upg_01_a_policy_of_factors_with_an_unknown_field_is_not_weakened_by_leaving_it_out() {
    for place in ["/fields", ""] {
        let mut policy = json!({"id": "pol_1", "fields": {"mfa_required": true}});
        let host_with = |policy: &Value| {
            let mut host = serde_json::to_value(host_record()).unwrap();
            host["policy"]["factor_policies"] = json!([policy]);
            host.to_string()
        };
        let mut world = World::new();
        let mut manifest = world.manifest(&slice(vec![person(1)]));
        let host = world.store_lines(ChunkKind::Host, &[host_with(&policy)]);
        manifest
            .chunks
            .retain(|chunk| chunk.kind != ChunkKind::Host);
        manifest.chunks.push(host);
        assert!(world.read(&manifest).is_ok(), "understood as it is");

        policy.pointer_mut(place).unwrap()["since_a_later_version"] = json!(1);
        let host = world.store_lines(ChunkKind::Host, &[host_with(&policy)]);
        manifest.chunks.pop();
        manifest.chunks.push(host);
        let refused = why(world.read(&manifest));
        assert_eq!(refused, "malformed", "the bundle before stays: {place}");
    }
}
