//! A bundle that shares chunks with the one before is read like one that shares none.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use signed_bundle::*;

use crate::world::*;

/// Kinds of chunks, and which lines of the kind stand in each; then what root says.
type Step = (Vec<(usize, u8)>, usize);

fn with(mut record: Value, field: &str, value: Value) -> Value {
    record[field] = value;
    record
}

/// Eight lines of a kind: right ones, ones that are wrong, and ones that do not go together.
fn lines_of(kind: ChunkKind) -> [Value; 8] {
    let somebody = |number| serde_json::to_value(person(number)).unwrap();
    let group = |id, name, gid| json!({"id": id, "name": name, "gid": gid});
    let proof = |user, text| json!({"user": user, "password_verifier": text});
    let no_key = json!([{"fingerprint": "SHA256:x", "line": "ssh-ed25519 AAAA"}]);
    match kind {
        ChunkKind::Host => std::array::from_fn(|number| json!({"id": number})),
        ChunkKind::People => [
            somebody(1),
            somebody(2),
            with(somebody(3), "id", json!("usr_1")),
            with(somebody(4), "username", json!("user2")),
            with(somebody(5), "state", json!("staged")),
            with(somebody(6), "gid", json!(70_500)),
            with(somebody(7), "ssh_keys", no_key),
            json!("nobody"),
        ],
        ChunkKind::Groups => [
            group("grp_1", "engineers", 70_500),
            group("grp_2", "engineers", 70_501),
            group("grp_3", "user1", 70_502),
            group("grp_4", "others", 71_002),
            group("grp_5", "more", 70_500),
            group("usr_1", "person", 70_503),
            group("grp_6", "root", 70_504),
            json!("nobody"),
        ],
        ChunkKind::AccessRules => std::array::from_fn(|number| match number {
            0..4 => rule_json(&format!("acc_{number}")),
            _ => with(
                rule_json(&format!("acc_{number}")),
                "effect",
                json!("maybe"),
            ),
        }),
        ChunkKind::Credentials => [
            proof("usr_1", "$6$salt$one"),
            proof("usr_1", "$6$salt$two"),
            proof("usr_2", "plain"),
            proof("usr_2", "$6$salt$three"),
            proof("usr_6", "$6$salt$four"),
            proof("usr_7", "$6$salt$five"),
            proof("usr_9", "$6$salt$six"),
            json!("nobody"),
        ],
        ChunkKind::Factors => [
            factors("usr_1", "$argon2id$one"),
            factors("usr_1", "$argon2id$two"),
            factors("usr_2", "plain"),
            factors("usr_2", "$argon2id$three"),
            factors("usr_6", "$argon2id$four"),
            factors("usr_7", "$argon2id$five"),
            factors("usr_9", "$argon2id$six"),
            json!("nobody"),
        ],
        ChunkKind::CheckBits => [
            stock("mfa_1", "usr_1", "AAAA"),
            stock("mfa_1", "usr_2", "AAAA"),
            stock("mfa_2", "usr_1", "AAAAAAAA"),
            stock("mfa_3", "usr_9", "AAAA"),
            stock("mfa_4", "usr_2", "not base64"),
            stock("mfa_5", "usr_2", "AAAAAAA"),
            stock("mfa_6", "usr_6", ""),
            json!("nobody"),
        ],
    }
}

fn factors(user: &str, verifier: &str) -> Value {
    let code = json!({ "id": "bkc_1", "verifier": verifier });
    json!({ "user": user, "enrolled": ["totp"], "backup_codes": [code] })
}

fn stock(device: &str, user: &str, bits: &str) -> Value {
    json!({ "device": device, "user": user, "first_step": 7, "bits": bits })
}

fn limits(number: usize) -> Limits {
    let mut limits = Limits::default();
    match number {
        0 => {}
        1 => limits.protected_names.extend(["user1".to_owned()]),
        _ => {
            limits.id_ranges = vec![IdRange {
                first: 70_500,
                last: 71_005,
            }];
        }
    }
    limits
}

fn manifest(world: &mut World, chunks: &[(usize, u8)]) -> Manifest {
    const KINDS: [ChunkKind; 9] = [
        ChunkKind::People,
        ChunkKind::Groups,
        ChunkKind::Credentials,
        ChunkKind::AccessRules,
        ChunkKind::People,
        ChunkKind::Credentials,
        ChunkKind::Factors,
        ChunkKind::CheckBits,
        ChunkKind::Host,
    ];
    let host = serde_json::to_string(&host_record()).unwrap();
    let mut references = vec![world.store_lines(ChunkKind::Host, &[host])];
    let mut seen = BTreeSet::new();
    for (kind, choice) in chunks {
        // Two hosts in one bundle are refused: seldom.
        let seldom = KINDS[*kind] == ChunkKind::Host && choice % 8 != 0;
        let kind = if seldom {
            ChunkKind::People
        } else {
            KINDS[*kind]
        };
        let chosen = lines_of(kind).into_iter().zip(0..);
        let chosen = chosen.filter(|(_, bit)| choice & (1 << bit) != 0);
        let lines: Vec<String> = chosen.map(|(line, _)| line.to_string()).collect();
        let reference = world.store_lines(kind, &lines);
        if seen.insert(reference.sha256) {
            references.push(reference);
        }
    }
    manifest_of(references)
}

/// Reads it after `before`; says as well which chunks were asked for.
fn read_after(
    world: &World,
    before: Option<&ReadSlice>,
    manifest: &Manifest,
) -> (Result<ReadSlice, Refusal>, Vec<ChunkReference>) {
    let accepted = world.accept(&world.sign(manifest), None).unwrap();
    let mut asked = Vec::new();
    let fetch = |reference: &ChunkReference| {
        asked.push(*reference);
        world.chunks.get(&reference.sha256).cloned()
    };
    let read = read_next_slice(before, &accepted, fetch, &world.sealing_key);
    (read, asked)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_is_shared_with_the_bundle_before_changes_nothing_that_is_read(
        steps in prop::collection::vec(
            (prop::collection::vec((0_usize..9, any::<u8>()), 0..6), 0_usize..3),
            2..6,
        ),
    ) {
        let mut world = World::new();
        let mut before: Option<ReadSlice> = None;
        let mut known: Vec<ChunkReference> = Vec::new();
        let mut last: Vec<(usize, u8)> = Vec::new();
        let steps: Vec<Step> = steps;
        for (fresh, root) in steps {
            // Half of the chunks stay from step to step.
            let staying = last.len() / 2;
            last.drain(..staying);
            last.extend(fresh);
            world.root.limits = limits(root);
            let manifest = manifest(&mut world, &last);
            let alone = world.read(&manifest);
            let (shared, asked) = read_after(&world, before.as_ref(), &manifest);
            match (alone, shared) {
                (Ok(alone), Ok(shared)) => {
                    prop_assert_eq!(&alone.slice, &shared.slice);
                    prop_assert_eq!(&alone.dropped, &shared.dropped);
                    prop_assert_eq!(&alone.unreadable_rules, &shared.unreadable_rules);
                    prop_assert!(!asked.iter().any(|one| known.contains(one)));
                    before = Some(shared);
                    known = manifest.chunks;
                }
                (Err(alone), Err(shared)) => prop_assert_eq!(alone.to_string(), shared.to_string()),
                (alone, shared) => prop_assert!(false, "{alone:?} but {shared:?}"),
            }
        }
    }
}

fn many() -> Slice {
    let mut slice = slice((0..200).map(person).collect());
    slice.credentials = (0..200).map(credential).collect();
    slice
}

#[test]
fn of_one_changed_person_one_chunk_is_asked_for_and_the_others_are_shared() {
    let (mut world, mut given) = (World::new(), many());
    let first = world.manifest(&given);
    let before = world.read(&first).unwrap();
    given.people[7].state = policy::UserState::Suspended;
    let second = world.manifest(&given);
    let (read, asked) = read_after(&world, Some(&before), &second);
    let read = read.unwrap();
    assert_eq!(asked.len(), 1);
    let is_shared = |person: &&HeldPerson| {
        let mut old = before.slice.people.iter();
        old.any(|old| old.is_same(person))
    };
    let shared = read.slice.people.iter().filter(is_shared).count();
    assert!((100..200).contains(&shared), "{shared}");
    assert_eq!(suspensions(&before.slice, &read.slice), ["usr_7"]);
    assert!(vanished(&before.slice, &read.slice).is_empty());
}

#[test]
fn bits_of_coming_codes_are_held_once_and_by_the_next_bundle_too() {
    let mut world = World::new();
    let mut given = many();
    let codes = (0..100).map(|number| format!("{number:06}"));
    let codes: Vec<String> = codes.collect();
    let bits = CheckBits::of_codes("usr_1", 7, codes.iter().map(String::as_str));
    given.check_bits = vec![CheckBitsRecord {
        device: "mfa_1".to_owned(),
        user: "usr_1".to_owned(),
        first_step: 7,
        bits: bits.packed(),
    }];
    let first = world.manifest(&given);
    let before = world.read(&first).unwrap();
    given.people[7].state = policy::UserState::Suspended;
    let second = world.manifest(&given);
    let read = read_after(&world, Some(&before), &second).0.unwrap();
    let (old, new) = (&before.slice.check_bits[0], &read.slice.check_bits[0]);
    assert!(Arc::ptr_eq(old, new));
    // Each bundle holds them, and the decoded chunk that both share: nobody has a copy.
    assert_eq!(Arc::strong_count(new), 3);
    assert_eq!(read.slice.unpacked().check_bits, given.check_bits);
}

#[test]
fn what_root_protects_since_is_dropped_from_shared_chunks() {
    let mut world = World::new();
    let manifest = world.manifest(&many());
    let before = world.read(&manifest).unwrap();
    world
        .root
        .limits
        .protected_names
        .extend(["user7".to_owned()]);
    let (read, asked) = read_after(&world, Some(&before), &manifest);
    let read = read.unwrap();
    assert_eq!(asked, []);
    assert_eq!(read.slice.people.len(), 199);
    assert_eq!(read.dropped.len(), 2, "the person and what proves them");
}

#[test]
fn who_vanishes_is_found_wherever_they_stood() {
    let (mut world, mut given) = (World::new(), many());
    let manifest = world.manifest(&given);
    let before = world.read(&manifest).unwrap();
    let gone: BTreeSet<u32> = [0, 3, 77, 150, 199].into();
    given.people = (0..200)
        .filter(|one| !gone.contains(one))
        .map(person)
        .collect();
    given.credentials.clear();
    let manifest = world.manifest(&given);
    let read = read_after(&world, Some(&before), &manifest).0.unwrap();
    let ids = vanished(&before.slice, &read.slice).into_iter();
    let ids: BTreeSet<String> = ids.map(|person| person.view().id.to_owned()).collect();
    assert_eq!(ids, gone.iter().map(|one| format!("usr_{one}")).collect());
}
