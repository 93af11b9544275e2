//! What is compared only with what has changed is read like what is compared with everything.

use std::cell::Cell;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use signed_bundle::*;

use crate::world::*;

const PEOPLE: u32 = 40;

/// Some changes, each by what, at which line and with whom; then what root says.
type Step = (Vec<(u8, prop::sample::Index, u32)>, u8);

/// Chunks of one line each, by kind.
#[derive(Clone)]
struct Lines(Vec<(ChunkKind, Value)>);

fn at_first() -> Lines {
    let people = (0..PEOPLE).map(|number| {
        let mut record = serde_json::to_value(person(number)).unwrap();
        if number % 10 == 3 {
            record["gid"] = json!(70_500);
        }
        (ChunkKind::People, record)
    });
    let proofs = (0..PEOPLE).filter(|number| number % 4 == 1);
    let proofs = proofs.map(|number| (ChunkKind::Credentials, json!(credential(number))));
    let group = |id, name, gid| {
        (
            ChunkKind::Groups,
            json!({"id": id, "name": name, "gid": gid}),
        )
    };
    let others = [
        (ChunkKind::Host, json!(host_record())),
        group("grp_1", "engineers", 70_500),
        group("grp_2", "operators", 70_501),
        (ChunkKind::AccessRules, rule_json("acc_1")),
        (
            ChunkKind::Factors,
            json!({"user": "usr_1", "enrolled": ["totp"]}),
        ),
        (
            ChunkKind::CheckBits,
            json!({"device": "mfa_1", "user": "usr_2", "first_step": 7, "bits": "AAAA"}),
        ),
    ];
    Lines(others.into_iter().chain(people).chain(proofs).collect())
}

impl Lines {
    /// Does something to some line: mostly what leaves everything right, sometimes what does not.
    fn change(&mut self, what: u8, which: usize, other: u32) {
        let of = |kind: ChunkKind| {
            let found = self.0.iter().enumerate();
            let found: Vec<usize> = found
                .filter(|(_, one)| one.0 == kind)
                .map(|(at, _)| at)
                .collect();
            found.get(which % found.len().max(1)).copied()
        };
        let (person, proof) = (of(ChunkKind::People), of(ChunkKind::Credentials));
        let (group, factors) = (of(ChunkKind::Groups), of(ChunkKind::Factors));
        let fresh = 1_000 + other;
        let mut set = |at: Option<usize>, field: &str, value: Value| {
            if let Some((_, record)) = at.and_then(|at| self.0.get_mut(at)) {
                if field == "uid" {
                    // With their private group, as a directory gives them.
                    record["gid"] = value.clone();
                }
                record[field] = value;
            }
        };
        match what {
            0..8 => set(person, "gecos", json!(format!("Name {other}"))),
            8 => set(person, "username", json!(format!("fresh{other}"))),
            9 => set(person, "uid", json!(71_500 + other)),
            10 => set(person, "gid", json!(70_501)),
            11 => set(person, "state", json!("suspended")),
            12 => set(proof, "must_change", json!(true)),
            13 => set(person, "id", json!(format!("usr_{fresh}"))),
            14 => self
                .0
                .push((ChunkKind::People, json!(crate::world::person(200 + other)))),
            15 => self
                .0
                .push((ChunkKind::Credentials, json!(credential(other)))),
            16 | 17 => drop(person.map(|at| self.0.remove(at))),
            18 => drop(proof.map(|at| self.0.remove(at))),
            19 => drop(group.map(|at| self.0.remove(at))),
            20 => drop(person.map(|at| self.0.swap(at, which % PEOPLE as usize))),
            21 => self
                .0
                .push((ChunkKind::AccessRules, rule_json(&format!("acc_{other}")))),
            // From here on somebody claims what may be another's, or is not what they should be.
            22 => set(person, "username", json!(format!("user{other}"))),
            23 => set(person, "uid", json!(71_000 + other)),
            24 => set(person, "id", json!(format!("usr_{other}"))),
            25 => set(person, "username", json!("operators")),
            26 => set(person, "uid", json!(70_501)),
            27 => set(person, "id", json!("grp_2")),
            28 => set(person, "uid", json!(70_001)),
            29 => set(person, "gid", json!(70_502)),
            30 => set(person, "state", json!("staged")),
            31 => set(person, "username", json!("root")),
            32 => set(
                person,
                "ssh_keys",
                json!([{"fingerprint": "SHA256:x", "line": "ssh-ed25519 AAAA"}]),
            ),
            33 => set(proof, "user", json!(format!("usr_{other}"))),
            34 => set(proof, "password_verifier", json!("plain")),
            35 => set(group, "name", json!(format!("user{other}"))),
            36 => set(factors, "user", json!(format!("usr_{other}"))),
            _ => set(person, "uid", json!("none")),
        }
    }

    fn manifest(&self, world: &mut World) -> Option<Manifest> {
        let chunks = self
            .0
            .iter()
            .map(|(kind, line)| world.store_lines(*kind, &[line.to_string()]));
        let chunks: Vec<ChunkReference> = chunks.collect();
        let mut names: Vec<[u8; 32]> = chunks.iter().map(|chunk| chunk.sha256).collect();
        names.sort_unstable();
        names.dedup();
        // The same chunk twice is refused, whatever is in it.
        (names.len() == chunks.len()).then(|| manifest_of(chunks))
    }
}

fn limits(number: u8) -> Limits {
    let mut limits = Limits::default();
    match number {
        0..12 => {}
        12 => limits.protected_names.extend(["user7".to_owned()]),
        13 => limits.protected_names.extend(["nobody-here".to_owned()]),
        _ => {
            limits.id_ranges = vec![IdRange {
                first: 70_000,
                last: 71_030,
            }]
        }
    }
    limits
}

fn next(world: &World, before: Option<&ReadSlice>, manifest: &Manifest) -> ReadSlice {
    let accepted = world.accept(&world.sign(manifest), None).unwrap();
    let fetch = |reference: &ChunkReference| world.chunks.get(&reference.sha256).cloned();
    read_next_slice(before, &accepted, fetch, &world.sealing_key).unwrap()
}

#[test]
fn what_is_compared_with_what_has_changed_is_read_as_if_all_were_compared() {
    let step = (0_u8..38, any::<prop::sample::Index>(), 0..PEOPLE + 10);
    let steps = prop::collection::vec((prop::collection::vec(step, 1..3), 0_u8..15), 1..14);
    let (few, all, refused) = (Cell::new(0), Cell::new(0), Cell::new(0));
    let mut runner = TestRunner::new(Config::with_cases(80));
    let property = |steps: Vec<Step>| {
        let mut world = World::new();
        let mut lines = at_first();
        let manifest = lines.manifest(&mut world).unwrap();
        let mut before = next(&world, None, &manifest);
        prop_assert!(before.dropped.is_empty(), "{:?}", before.dropped);
        for (changes, root) in steps {
            let mut changed = lines.clone();
            for (what, which, other) in changes {
                changed.change(what, which.index(1_000), other);
            }
            world.root.limits = limits(root);
            let Some(manifest) = changed.manifest(&mut world) else {
                continue;
            };
            let alone = world.read(&manifest).unwrap();
            let shared = next(&world, Some(&before), &manifest);
            prop_assert_eq!(&alone.slice, &shared.slice);
            prop_assert_eq!(&alone.dropped, &shared.dropped);
            prop_assert_eq!(&alone.unreadable_rules, &shared.unreadable_rules);
            prop_assert_eq!(alone.orders(), shared.orders());
            let counted = if shared.compared() < 8 { &few } else { &all };
            counted.set(counted.get() + 1);
            // What is not right is seldom built upon: most steps begin where nothing is left out.
            if shared.dropped.is_empty() {
                (before, lines) = (shared, changed);
            } else {
                refused.set(refused.get() + 1);
                if root % 4 == 0 {
                    (before, lines) = (shared, changed);
                }
            }
        }
        Ok(())
    };
    runner.run(&steps, property).unwrap();
    let counts = [few.get(), all.get(), refused.get()];
    assert!(counts.iter().all(|count| *count > 50), "{counts:?}");
}

#[test]
fn of_one_changed_person_only_those_in_their_chunk_are_compared_with_others() {
    let mut world = World::new();
    let mut given = slice((0..2_000).map(person).collect());
    given.credentials = (0..2_000).map(credential).collect();
    let manifest = world.manifest(&given);
    let before = next(&world, None, &manifest);
    assert_eq!(before.compared(), 2_000);
    given.people[7].state = policy::UserState::Suspended;
    given.credentials[9].must_change = true;
    let manifest = world.manifest(&given);
    let read = next(&world, Some(&before), &manifest);
    assert!((1..100).contains(&read.compared()), "{}", read.compared());
    assert_eq!(
        read.slice.unpacked(),
        world.read(&manifest).unwrap().slice.unpacked()
    );
}

#[test]
fn a_name_that_somebody_else_has_since_is_found_among_those_who_stayed() {
    let mut world = World::new();
    let mut given = slice((0..2_000).map(person).collect());
    let manifest = world.manifest(&given);
    let before = next(&world, None, &manifest);
    given.people[7].username = given.people[1_500].username.clone();
    let manifest = world.manifest(&given);
    let read = next(&world, Some(&before), &manifest);
    assert_eq!(read.slice.people.len(), 1_999);
    assert_eq!(read.dropped[0].reason, DropReason::Duplicate("name"));
}
