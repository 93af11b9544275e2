//! Which manifests a host takes.

use signed_bundle::*;

use crate::world::*;

#[test]
fn a_signed_slice_comes_back_as_it_was() {
    let mut world = World::new();
    let mut given = slice((0..100).map(person).collect());
    given.credentials = (0..100).map(credential).collect();
    let manifest = world.manifest(&given);

    let read = world.read(&manifest).unwrap();

    assert_eq!(read.dropped, []);
    assert_eq!(read.unreadable_rules, []);
    let mut unpacked = read.slice.unpacked();
    unpacked.people.sort_by_key(|person| person.uid);
    assert_eq!(unpacked.people, given.people);
    given
        .credentials
        .sort_by(|one, other| one.user.cmp(&other.user));
    unpacked
        .credentials
        .sort_by(|one, other| one.user.cmp(&other.user));
    assert_eq!(unpacked.credentials, given.credentials);
    assert_eq!(read.slice.host, given.host);
    assert_eq!(read.slice.groups, given.groups);
    assert_eq!(read.slice.access_rules, given.access_rules);
}

#[test]
fn one_changed_person_is_one_changed_chunk() {
    let mut slice = slice((0..500).map(person).collect());
    let before = plan_chunks(&slice).unwrap();
    assert_eq!(before, plan_chunks(&slice).unwrap());
    slice.people[17].gecos = posix_names::Gecos::cleaned("Renamed");
    let after = plan_chunks(&slice).unwrap();
    let changed = before.iter().zip(&after).filter(|(a, b)| a != b).count();
    assert_eq!((before.len(), changed), (after.len(), 1));
}

#[test]
fn the_order_of_records_does_not_change_the_chunks() {
    let mut slice = slice((0..100).map(person).collect());
    let before = plan_chunks(&slice).unwrap();
    slice.people.reverse();
    assert_eq!(before, plan_chunks(&slice).unwrap());
}

#[test]
fn syn_04_an_older_manifest_is_refused() {
    let mut world = World::new();
    let mut manifest = world.manifest(&slice(vec![person(1)]));
    let held = world.accept(&world.sign(&manifest), None).unwrap().held();
    manifest.version -= 1;
    let refused = world.accept(&world.sign(&manifest), Some(held));
    assert_eq!(
        refused,
        Err(Refusal::Directory(DirectoryFault::Older {
            held: 5,
            offered: 4
        }))
    );
}

#[test]
fn syn_04_the_same_version_with_other_content_is_equivocation() {
    let mut world = World::new();
    let mut manifest = world.manifest(&slice(vec![person(1)]));
    let held = world.accept(&world.sign(&manifest), None).unwrap().held();
    assert!(world.accept(&world.sign(&manifest), Some(held)).is_ok());
    manifest.fast_lane_sequence = 9;
    let refused = world.accept(&world.sign(&manifest), Some(held));
    assert_eq!(
        refused,
        Err(Refusal::Directory(DirectoryFault::Equivocation {
            version: 5
        }))
    );
}

#[test]
fn syn_05_bundles_of_another_host_or_organisation_are_refused() {
    let mut world = World::new();
    let manifest = world.manifest(&slice(vec![person(1)]));
    let mut other_host = manifest.clone();
    other_host.host = "hst_2".to_owned();
    let mut other_organisation = manifest;
    other_organisation.organisation = "org_2".to_owned();
    assert_eq!(
        why(world.accept(&world.sign(&other_host), None)),
        "wrong_host"
    );
    assert_eq!(
        why(world.accept(&world.sign(&other_organisation), None)),
        "wrong_organisation"
    );
}

#[test]
fn syn_05_a_key_of_another_role_signs_no_manifest() {
    let mut world = World::new();
    let manifest = world.manifest(&slice(vec![person(1)]));
    let by_root = sign_manifest(&manifest, &world.root_key);
    let by_nobody = sign_manifest(&manifest, &key(99));
    assert_eq!(why(world.accept(&by_root, None)), "wrong_role");
    assert_eq!(why(world.accept(&by_nobody, None)), "signature");
}

#[test]
fn syn_05_chunks_of_two_versions_do_not_mix() {
    let mut world = World::new();
    let old = world.manifest(&slice(vec![person(1)]));
    let new = world.manifest(&slice(vec![person(2)]));
    let accepted = world.accept(&world.sign(&new), None).unwrap();
    let mixed = read_slice(
        &accepted,
        |wanted| {
            let position = new.chunks.iter().position(|chunk| chunk == wanted).unwrap();
            world.chunks.get(&old.chunks[position].sha256).cloned()
        },
        &world.sealing_key,
    );
    assert_eq!(why(mixed), "chunk");
}

#[test]
fn syn_05_a_newer_manifest_under_an_older_root_is_refused() {
    let mut world = World::new();
    let mut manifest = world.manifest(&slice(vec![person(1)]));
    world.root.version = 2;
    manifest.version = 100;
    assert_eq!(
        world.accept(&world.sign(&manifest), None),
        Err(Refusal::Directory(DirectoryFault::RootOlder {
            held: 2,
            offered: 1
        }))
    );
    manifest.root_version = 3;
    assert_eq!(
        world.accept(&world.sign(&manifest), None),
        Err(Refusal::Host(HostFault::RootNeeded { needed: 3, held: 2 }))
    );
}

#[test]
fn syn_11_a_new_root_document_starts_the_count_of_versions_anew() {
    let mut world = World::new();
    let mut manifest = world.manifest(&slice(vec![person(1)]));
    manifest.version = u64::MAX;
    let held = world.accept(&world.sign(&manifest), None).unwrap().held();
    world.root.version = 2;
    manifest.root_version = 2;
    manifest.version = 1;
    assert!(world.accept(&world.sign(&manifest), Some(held)).is_ok());
}

#[test]
fn syn_06_an_expired_manifest_is_not_taken_but_still_opened_from_disk() {
    let mut world = World::new();
    let mut manifest = world.manifest(&slice(vec![person(1)]));
    manifest.expires = now();
    let bytes = world.sign(&manifest);
    assert_eq!(why(world.accept(&bytes, None)), "expired");
    let roots = reopen_root_chain(ORGANISATION, &world.chain()).unwrap();
    let stored = reopen_manifest(&bytes, &roots, ORGANISATION, HOST).unwrap();
    assert_eq!(stored.manifest(), &manifest);
    assert_eq!(
        why(reopen_manifest(&bytes, &roots, ORGANISATION, "hst_2")),
        "wrong_host"
    );
}

#[test]
fn nothing_is_taken_under_an_expired_root() {
    let mut world = World::new();
    let manifest = world.manifest(&slice(vec![person(1)]));
    world.root.expires = now();
    assert_eq!(why(world.accept(&world.sign(&manifest), None)), "root");
}

#[test]
fn syn_02_what_is_over_the_limits_is_refused() {
    let world = World::new();
    let reference = |number: u32, length| ChunkReference {
        kind: ChunkKind::People,
        sha256: {
            let mut hash = [0; 32];
            hash[..4].copy_from_slice(&number.to_be_bytes());
            hash
        },
        length,
    };
    let most = u32::try_from(CHUNK_BYTES_MAX).unwrap();
    let chunk = manifest_of(vec![reference(0, most + 1)]);
    let fits = manifest_of((0..64).map(|number| reference(number, most)).collect());
    let bundle = manifest_of((0..65).map(|number| reference(number, most)).collect());
    let manifest = manifest_of((0..40_000).map(|number| reference(number, 1)).collect());
    assert!(world.accept(&world.sign(&fits), None).is_ok());
    for refused in [chunk, bundle, manifest] {
        assert_eq!(why(world.accept(&world.sign(&refused), None)), "limit");
    }
    let twice = manifest_of(vec![reference(0, 1), reference(0, 1)]);
    assert_eq!(why(world.accept(&world.sign(&twice), None)), "malformed");
}
