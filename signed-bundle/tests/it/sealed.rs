//! Chunks that only their host opens.

use std::collections::BTreeSet;

use signed_bundle::*;

use crate::world::*;

fn sealed_for(content: &[u8], host: &str, key: &SealingKey) -> Vec<u8> {
    let key = key.public().unwrap();
    let recipient = Recipient {
        organisation: ORGANISATION,
        host,
        key: &key,
    };
    seal(content, &recipient, &mut Counter(1)).unwrap()
}

fn read_with(world: &mut World, chunk: Vec<u8>) -> Result<ReadSlice, Refusal> {
    let mut manifest = world.manifest(&slice(vec![person(1)]));
    let reference = ChunkReference::of(ChunkKind::Credentials, &chunk).unwrap();
    world.chunks.insert(reference.sha256, chunk);
    manifest.chunks.push(reference);
    world.read(&manifest)
}

#[test]
fn syn_10_a_sealed_chunk_of_another_host_does_not_open() {
    let mut world = World::new();
    let line = serde_json::to_vec(&credential(1)).unwrap();
    let own = sealed_for(&line, HOST, &world.sealing_key.clone());
    let other_key = sealed_for(&line, HOST, &sealing_key(4));
    let other_host = sealed_for(&line, "hst_2", &world.sealing_key.clone());
    let read = read_with(&mut world, own).unwrap();
    assert_eq!(read.slice.unpacked().credentials, [credential(1)]);
    assert_eq!(why(read_with(&mut world, other_key)), "sealed");
    assert_eq!(why(read_with(&mut world, other_host)), "sealed");
}

#[test]
fn syn_10_a_plain_chunk_is_not_taken_for_a_sealed_one() {
    let mut world = World::new();
    let line = serde_json::to_vec(&credential(1)).unwrap();
    assert!(read_with(&mut world, line).is_err());
    assert!(read_with(&mut world, Vec::new()).is_err());
    assert!(read_with(&mut world, vec![1; 40]).is_err());
}

#[test]
fn syn_10_the_size_of_a_sealed_chunk_says_little() {
    let key = sealing_key(3);
    let sizes: BTreeSet<usize> = (0..4096)
        .step_by(97)
        .map(|length| sealed_for(&vec![b'x'; length], HOST, &key).len())
        .collect();
    assert_eq!(sizes, BTreeSet::from([1024, 2048, 4096, 8192]));
    let largest = sealed_for(&vec![b'x'; SEALED_CONTENT_MAX], HOST, &key);
    assert_eq!(largest.len(), CHUNK_BYTES_MAX);
    let public = key.public().unwrap();
    let recipient = Recipient {
        organisation: ORGANISATION,
        host: HOST,
        key: &public,
    };
    let too_long = vec![b'x'; SEALED_CONTENT_MAX + 1];
    assert!(seal(&too_long, &recipient, &mut Counter(1)).is_err());
}

#[test]
fn syn_10_nothing_of_a_verifier_is_readable_in_what_travels() {
    let mut world = World::new();
    let mut given = slice((0..40).map(person).collect());
    given.credentials = (0..40).map(credential).collect();
    let manifest = world.manifest(&given);
    let bytes = world.sign(&manifest);
    let travels = world.chunks.values().chain([&bytes]);
    for chunk in travels {
        assert!(!chunk.windows(6).any(|window| window == b"secret"));
    }
}
