//! Chunks and their records. The first byte chooses the kind; credentials are sealed to the host,
//! as they travel. What a host took, a directory can publish, and the host takes it again.
#![no_main]

use std::collections::BTreeMap;

use fuzz_world::{Counter, HOST, ORGANISATION, now, root_document, sealing_key, signing_key};
use jiff::SignedDuration;
use libfuzzer_sys::fuzz_target;
use signed_bundle::{
    Accepting, ChunkKind, ChunkReference, Manifest, ReadSlice, Recipient, accept_manifest,
    plan_chunks, read_slice, seal, sign_manifest,
};

const HOST_RECORD: &str = r#"{"id":"hst_1","name":"web-1","project":"shop","tags":["env=prod"],"state":"active","virtual_groups":{},"policy":{"offline_max_age_seconds":604800,"password_tries":5,"lock_seconds":900}}"#;
const PERSON: &str = r#"{"id":"usr_1","username":"alice","uid":70001,"gid":70001,"home":"/home/alice","shell":"/bin/bash","gecos":"Alice","state":"active","groups":["grp_1"]}"#;

fuzz_target!(|bytes: &[u8]| {
    let Some((choice, content)) = bytes.split_first() else {
        return;
    };
    let kind = match choice % 5 {
        0 => ChunkKind::Host,
        1 => ChunkKind::People,
        2 => ChunkKind::Groups,
        3 => ChunkKind::AccessRules,
        _ => ChunkKind::Credentials,
    };
    let mut chunks = vec![(kind, content.to_vec())];
    if kind != ChunkKind::Host {
        chunks.push((ChunkKind::Host, HOST_RECORD.into()));
    }
    if kind == ChunkKind::Credentials {
        chunks.push((ChunkKind::People, PERSON.into()));
        if choice & 0x80 != 0 {
            let _ = read(
                &[
                    (ChunkKind::Host, HOST_RECORD.into()),
                    (kind, content.to_vec()),
                ],
                false,
            );
        }
    }
    let Some(first) = read(&chunks, true) else {
        return;
    };
    let Ok(planned) = plan_chunks(&first.slice.unpacked()) else {
        return;
    };
    let planned: Vec<_> = planned
        .iter()
        .map(|chunk| (chunk.kind, chunk.bytes.clone()))
        .collect();
    let second = read(&planned, true).expect("what was taken once is taken again");
    assert_eq!(second.dropped, []);
    assert_eq!(sorted(first), sorted(second));
});

/// Lets the host read these chunks under a right manifest.
fn read(chunks: &[(ChunkKind, Vec<u8>)], sealed: bool) -> Option<ReadSlice> {
    let public = sealing_key().public().expect("a fixed key");
    let recipient = Recipient {
        organisation: ORGANISATION,
        host: HOST,
        key: &public,
    };
    let mut stored = BTreeMap::new();
    let mut references = Vec::new();
    for (kind, plain) in chunks {
        let bytes = if kind.is_sealed() && sealed {
            seal(plain, &recipient, &mut Counter(0)).ok()?
        } else {
            plain.clone()
        };
        let reference = ChunkReference::of(*kind, &bytes)?;
        stored.insert(reference.sha256, bytes);
        references.push(reference);
    }
    let manifest = Manifest {
        organisation: ORGANISATION.to_owned(),
        host: HOST.to_owned(),
        version: 1,
        issued: now(),
        expires: now() + SignedDuration::from_hours(24),
        root_version: 1,
        fast_lane_sequence: 0,
        confirmed_removals: 0,
        chunks: references,
    };
    let bytes = sign_manifest(&manifest, signing_key());
    let root = root_document();
    let accepting = Accepting {
        root: &root,
        organisation: ORGANISATION,
        host: HOST,
        held: None,
        now: now(),
    };
    let accepted = accept_manifest(&bytes, &accepting).ok()?;
    read_slice(
        &accepted,
        |reference| stored.get(&reference.sha256).cloned(),
        &sealing_key(),
    )
    .ok()
}

/// Records in an order that does not depend on chunks, as text.
fn sorted(read: ReadSlice) -> [Vec<String>; 4] {
    let slice = read.slice.unpacked();
    let texts = [
        slice
            .people
            .iter()
            .map(|record| format!("{record:?}"))
            .collect::<Vec<_>>(),
        slice
            .groups
            .iter()
            .map(|record| format!("{record:?}"))
            .collect(),
        slice
            .access_rules
            .iter()
            .map(|record| format!("{record:?}"))
            .collect(),
        slice
            .credentials
            .iter()
            .map(|record| {
                format!(
                    "{} {} {}",
                    record.user, record.password_verifier, record.must_change
                )
            })
            .collect(),
    ];
    texts.map(|mut lines| {
        lines.sort();
        lines
    })
}
