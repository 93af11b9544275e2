//! Chains of root documents, by the cases of the TUF conformance suite.

use signed_bundle::*;

use crate::world::*;

/// Root role of keys 10, 11, 12, of which `threshold` must sign; bundle key 2.
fn document(version: u64, threshold: u32) -> RootDocument {
    let keys = [10, 11, 12].map(|number| key(number).public());
    root_document(
        version,
        Role::new(keys, threshold),
        Role::new([key(2).public()], 1),
    )
}

fn follow(held: Option<&RootDocument>, chain: &[SignedRoot]) -> Result<RootDocument, Refusal> {
    verify_root_chain(held, ORGANISATION, &encode_root_chain(chain), now())
}

#[test]
fn syn_09_a_chain_is_followed_to_its_end() {
    let (first, second) = (document(1, 2), document(2, 2));
    let chain = [
        make_root(&first, &[&key(10), &key(11)]),
        make_root(&second, &[&key(11), &key(12)]),
    ];
    assert_eq!(follow(None, &chain), Ok(second.clone()));
    assert_eq!(follow(Some(&first), &chain), Ok(second.clone()));
    assert_eq!(follow(Some(&second), &chain), Ok(second));
}

#[test]
fn syn_09_below_the_threshold_is_refused() {
    let chain = [make_root(&document(1, 2), &[&key(10)])];
    assert_eq!(why(follow(None, &chain)), "signature");
    assert_eq!(
        why(follow(None, &[make_root(&document(1, 1), &[])])),
        "signature"
    );
}

#[test]
fn syn_09_one_key_signing_twice_counts_once() {
    let chain = [make_root(&document(1, 2), &[&key(10), &key(10)])];
    assert_eq!(
        follow(None, &chain),
        Err(Refusal::Directory(DirectoryFault::Signature {
            valid: 1,
            needed: 2
        }))
    );
}

#[test]
fn syn_09_a_threshold_of_zero_or_above_the_keys_is_refused() {
    for threshold in [0, 4] {
        let chain = [make_root(&document(1, threshold), &[&key(10), &key(11)])];
        assert_eq!(why(follow(None, &chain)), "malformed", "{threshold}");
    }
}

#[test]
fn syn_09_the_wrong_role_signs_no_root() {
    let chain = [make_root(&document(1, 1), &[&key(2)])];
    assert_eq!(why(follow(None, &chain)), "wrong_role");
}

#[test]
fn syn_09_a_successor_needs_the_predecessor_and_itself() {
    let first = document(1, 1);
    let mut second = document(2, 1);
    second.root = Role::new([key(20).public()], 1);
    let start = make_root(&first, &[&key(10)]);
    let only_new = [start.clone(), make_root(&second, &[&key(20)])];
    let only_old = [start.clone(), make_root(&second, &[&key(10)])];
    let both = [start, make_root(&second, &[&key(10), &key(20)])];
    assert_eq!(why(follow(None, &only_new)), "signature");
    assert_eq!(why(follow(None, &only_old)), "signature");
    assert_eq!(follow(None, &both), Ok(second));
}

#[test]
fn syn_09_a_revoked_root_key_no_longer_counts() {
    let first = document(1, 1);
    let mut second = document(2, 1);
    second.root = Role::new([key(20).public()], 1);
    let mut third = document(3, 1);
    third.root = Role::new([key(10).public()], 1);
    let chain = [
        make_root(&first, &[&key(10)]),
        make_root(&second, &[&key(10), &key(20)]),
        make_root(&third, &[&key(10)]),
    ];
    assert_eq!(why(follow(None, &chain)), "signature");
}

#[test]
fn syn_09_gaps_and_wrong_beginnings_are_refused() {
    let sign = |version| make_root(&document(version, 1), &[&key(10)]);
    for chain in [
        vec![sign(2)],
        vec![sign(1), sign(3)],
        vec![sign(1), sign(1)],
        vec![sign(1), sign(2), sign(1)],
        vec![sign(0)],
    ] {
        assert_eq!(why(follow(None, &chain)), "root");
    }
    assert_eq!(why(follow(None, &[])), "malformed");
}

#[test]
fn syn_09_an_expired_end_is_refused_and_an_expired_step_is_not() {
    let mut first = document(1, 1);
    first.expires = now();
    let start = make_root(&first, &[&key(10)]);
    assert_eq!(why(follow(None, std::slice::from_ref(&start))), "root");
    let second = document(2, 1);
    let chain = [start, make_root(&second, &[&key(10)])];
    assert_eq!(follow(None, &chain), Ok(second));
}

#[test]
fn syn_09_older_than_the_one_held_is_refused() {
    let held = document(2, 1);
    let chain = [make_root(&document(1, 1), &[&key(10)])];
    assert_eq!(
        follow(Some(&held), &chain),
        Err(Refusal::Directory(DirectoryFault::RootOlder {
            held: 2,
            offered: 1
        }))
    );
}

#[test]
fn syn_09_a_chain_that_contradicts_the_one_held_is_equivocation() {
    let held = document(1, 1);
    let mut other = document(1, 1);
    other.limits.protected_names.insert("operator".to_owned());
    let chain = [
        make_root(&other, &[&key(10)]),
        make_root(&document(2, 1), &[&key(10)]),
    ];
    assert_eq!(why(follow(Some(&held), &chain)), "equivocation");
}

#[test]
fn syn_09_another_organisation_is_refused() {
    let mut document = document(1, 1);
    document.organisation = "org_2".to_owned();
    let chain = [make_root(&document, &[&key(10)])];
    assert_eq!(why(follow(None, &chain)), "wrong_organisation");
}

#[test]
fn syn_09_an_unknown_algorithm_is_refused() {
    let bytes = encode_root_chain(&[make_root(&document(1, 1), &[&key(10)])]);
    let public = *key(2).public().as_bytes();
    let at = bytes
        .windows(32)
        .position(|window| window == public)
        .unwrap();
    let mut changed = bytes;
    changed[at - 1] = 9;
    assert_eq!(
        verify_root_chain(None, ORGANISATION, &changed, now()),
        Err(Refusal::Directory(DirectoryFault::Algorithm(9)))
    );
}

#[test]
fn syn_11_a_key_that_root_has_replaced_signs_nothing_more() {
    let mut world = World::new();
    let manifest = world.manifest(&slice(vec![person(1)]));
    let stolen = world.sign(&manifest);
    world.root.version = 2;
    world.root.bundle = Role::new([key(40).public()], 1);
    assert!(world.accept(&stolen, None).is_err());
    let mut renewed = manifest;
    renewed.root_version = 2;
    assert_eq!(why(world.accept(&world.sign(&renewed), None)), "signature");
    assert!(
        world
            .accept(&sign_manifest(&renewed, &key(40)), None)
            .is_ok()
    );
}
