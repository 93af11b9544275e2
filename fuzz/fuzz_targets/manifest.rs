//! Manifests: as they come, and with any payload under a right signature. What is taken is for this
//! host, newer than what is held, and not over its date.
#![no_main]

use fuzz_world::{HOST, Kind, ORGANISATION, now, root_document, signed};
use libfuzzer_sys::fuzz_target;
use signed_bundle::{Accepting, BUNDLE_BYTES_MAX, Held, accept_manifest, reopen_manifest};

const HELD_VERSION: u64 = 5;

fuzz_target!(|bytes: &[u8]| {
    offer(bytes);
    let mut payload = vec![1];
    payload.extend_from_slice(bytes);
    offer(&signed(Kind::Manifest, &payload));
});

fn offer(bytes: &[u8]) {
    let root = root_document();
    let held = Held {
        root_version: 1,
        version: HELD_VERSION,
        digest: [0; 32],
    };
    for held in [None, Some(held)] {
        let accepting = Accepting {
            root: &root,
            organisation: ORGANISATION,
            host: HOST,
            held,
            now: now(),
        };
        let Ok(accepted) = accept_manifest(bytes, &accepting) else {
            continue;
        };
        let manifest = accepted.manifest();
        assert_eq!(
            (manifest.organisation.as_str(), manifest.host.as_str()),
            (ORGANISATION, HOST)
        );
        assert!(manifest.expires > now());
        assert!(held.is_none() || manifest.version > HELD_VERSION);
        let total: u64 = manifest
            .chunks
            .iter()
            .map(|chunk| u64::from(chunk.length))
            .sum();
        assert!(total <= BUNDLE_BYTES_MAX as u64);
        let again = reopen_manifest(bytes, std::slice::from_ref(&root), ORGANISATION, HOST);
        assert_eq!(
            again.as_ref(),
            Ok(&accepted),
            "what was taken can be opened after a restart"
        );
    }
}
