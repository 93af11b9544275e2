//! Damaged bytes: each bit of what travels and of what lies on disk.

use proptest::prelude::*;
use signed_bundle::*;

use crate::world::*;

#[test]
fn syn_03_each_flipped_bit_of_a_manifest_is_refused() {
    let mut world = World::new();
    let manifest = world.manifest(&slice(vec![person(1)]));
    let bytes = world.sign(&manifest);
    let roots = reopen_root_chain(ORGANISATION, &world.chain()).unwrap();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(world.accept(&damaged, None).is_err(), "bit {bit}");
        let reopened = reopen_manifest(&damaged, &roots, ORGANISATION, HOST);
        assert!(reopened.is_err(), "stored, bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(
            world.accept(&bytes[..length], None).is_err(),
            "cut at {length}"
        );
    }
}

#[test]
fn syn_03_each_flipped_bit_of_a_chunk_is_refused() {
    let mut world = World::new();
    let mut given = slice(vec![person(1)]);
    given.credentials = vec![credential(1)];
    let manifest = world.manifest(&given);
    for reference in &manifest.chunks {
        let bytes = world.chunks[&reference.sha256].clone();
        check_chunk(reference, &bytes).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(check_chunk(reference, &damaged).is_err(), "bit {bit}");
        }
        assert!(check_chunk(reference, &bytes[1..]).is_err());
        assert!(check_chunk(reference, &[bytes.as_slice(), b"x"].concat()).is_err());
    }
}

#[test]
fn syn_03_each_flipped_bit_of_a_root_chain_is_refused() {
    let world = World::new();
    let chain = world.chain();
    for bit in 0..chain.len() * 8 {
        let mut damaged = chain.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let refused = verify_root_chain(None, ORGANISATION, &damaged, now());
        assert!(refused.is_err(), "bit {bit}");
    }
}

#[test]
fn a_missing_chunk_leaves_the_bundle_unread() {
    let mut world = World::new();
    let manifest = world.manifest(&slice(vec![person(1)]));
    world.chunks.clear();
    assert_eq!(why(world.read(&manifest)), "incomplete");
}

proptest! {
    #[test]
    fn decoders_survive_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..2048)) {
        let world = World::new();
        prop_assert!(world.accept(&bytes, None).is_err());
        prop_assert!(verify_root_chain(None, ORGANISATION, &bytes, now()).is_err());
        prop_assert!(open_fast_message(&bytes, &world.root, ORGANISATION, 0).is_err());
        prop_assert!(open_signed_time(&bytes, &world.root, ORGANISATION).is_err());
    }

    #[test]
    fn any_signed_text_in_a_chunk_is_read_or_dropped(
        kind in proptest::sample::select(vec![
            ChunkKind::People,
            ChunkKind::Groups,
            ChunkKind::AccessRules,
            ChunkKind::Credentials,
        ]),
        lines in proptest::collection::vec("[^\n]{1,80}", 1..10),
    ) {
        let mut world = World::new();
        let read = world.read_lines(kind, &lines);
        prop_assert_eq!(read.dropped.len(), lines.len());
        prop_assert_eq!(read.slice.people.len(), 0);
    }
}
