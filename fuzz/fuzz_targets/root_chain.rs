//! Chains of root documents: as they come, and with any payload under a right signature.
#![no_main]

use fuzz_world::{Kind, ORGANISATION, now, root_document, signed};
use libfuzzer_sys::fuzz_target;
use signed_bundle::{decode_root_chain, reopen_root_chain, verify_root_chain};

fuzz_target!(|bytes: &[u8]| {
    follow(bytes);
    let mut payload = vec![1];
    payload.extend_from_slice(bytes);
    let one = signed(Kind::Root, &payload);
    let mut chain = vec![1];
    chain.extend(
        postcard::to_allocvec(&[one.as_slice()].as_slice()).expect("slices can be encoded"),
    );
    follow(&chain);
});

fn follow(chain: &[u8]) {
    for signed in decode_root_chain(chain).unwrap_or_default() {
        let _ = signed.document();
    }
    let _ = reopen_root_chain(ORGANISATION, chain);
    for held in [None, Some(root_document())] {
        if let Ok(document) = verify_root_chain(held.as_ref(), ORGANISATION, chain, now()) {
            assert_eq!(document.organisation, ORGANISATION);
            assert!(document.expires > now());
            assert!(document.root.threshold > 0 && document.bundle.threshold > 0);
        }
    }
}
