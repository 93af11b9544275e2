//! What somebody can make who has everything that lies on a host.

use proptest::prelude::*;
use signed_bundle::*;

use crate::world::*;

/// Everything 32 bytes long that a host holds, as it could be used for a signing key.
fn held_by_host(world: &World, manifest: &[u8]) -> Vec<[u8; 32]> {
    let mut held = vec![
        *world.sealing_key.as_bytes(),
        *world.sealing_key.public().unwrap().as_bytes(),
        *world.signing_key.public().as_bytes(),
        *world.root_key.public().as_bytes(),
    ];
    let stored = world.chunks.values().map(Vec::as_slice);
    for bytes in stored.chain([manifest, &world.chain()]) {
        held.extend(
            bytes
                .windows(32)
                .map(|window| <[u8; 32]>::try_from(window).unwrap()),
        );
    }
    held
}

fn full_world() -> (World, Manifest, Vec<u8>) {
    let mut world = World::new();
    let mut given = slice(vec![person(1)]);
    given.credentials = vec![credential(1)];
    let manifest = world.manifest(&given);
    let bytes = world.sign(&manifest);
    (world, manifest, bytes)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn syn_07_no_secret_of_a_host_signs_what_a_host_accepts(
        pick in any::<proptest::sample::Index>(),
        version in 6_u64..,
        host in proptest::sample::select(vec![HOST, "hst_2"]),
    ) {
        let (world, manifest, bytes) = full_world();
        let held = held_by_host(&world, &bytes);
        let forger = SigningKey::from_seed(pick.get(&held));
        let forged = Manifest { version, host: host.to_owned(), ..manifest };
        let accepting = Accepting {
            root: &world.root,
            organisation: ORGANISATION,
            host,
            held: None,
            now: now(),
        };
        prop_assert!(accept_manifest(&sign_manifest(&forged, &forger), &accepting).is_err());
        let mut root = world.root.clone();
        root.version = 2;
        root.bundle = Role::new([forger.public()], 1);
        let own = decode_root_chain(&world.chain()).unwrap();
        let chain = encode_root_chain(&[own[0].clone(), make_root(&root, &[&forger])]);
        prop_assert!(verify_root_chain(None, ORGANISATION, &chain, now()).is_err());
        let message = FastMessage {
            organisation: ORGANISATION.to_owned(),
            sequence: version,
            issued: now(),
            action: FastAction::SuspendUser { user: "usr_1".to_owned() },
        };
        let message = sign_fast_message(&message, &forger);
        prop_assert!(open_fast_message(&message, &world.root, ORGANISATION, 0).is_err());
        let time = sign_time(ORGANISATION, now(), &forger);
        prop_assert!(open_signed_time(&time, &world.root, ORGANISATION).is_err());
    }

    #[test]
    fn syn_07_no_splice_of_signed_documents_is_another_document(
        cut in any::<proptest::sample::Index>(),
        paste in any::<proptest::sample::Index>(),
    ) {
        let (world, manifest, bytes) = full_world();
        let newer = world.sign(&Manifest { version: 6, ..manifest });
        let spliced = [&bytes[..cut.index(bytes.len())], &newer[paste.index(newer.len())..]];
        let spliced = spliced.concat();
        if let Ok(accepted) = world.accept(&spliced, None) {
            prop_assert!(spliced == bytes || spliced == newer);
            prop_assert!(accepted.manifest().version <= 6);
        }
    }
}

#[test]
fn syn_07_a_signature_for_one_kind_says_nothing_for_another() {
    let (world, _, manifest) = full_world();
    let time = sign_time(ORGANISATION, now(), &world.signing_key);
    assert!(open_signed_time(&time, &world.root, ORGANISATION).is_ok());
    assert!(open_signed_time(&manifest, &world.root, ORGANISATION).is_err());
    assert!(open_fast_message(&time, &world.root, ORGANISATION, 0).is_err());
    assert!(open_fast_message(&manifest, &world.root, ORGANISATION, 0).is_err());
    assert!(world.accept(&time, None).is_err());
}
