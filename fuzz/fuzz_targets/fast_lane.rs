//! Fast-lane messages and signed times: as they come, and with any payload under a right signature.
#![no_main]

use fuzz_world::{Kind, ORGANISATION, root_document, signed};
use libfuzzer_sys::fuzz_target;
use signed_bundle::{open_fast_message, open_signed_time};

const SEEN: u64 = 7;

fuzz_target!(|bytes: &[u8]| {
    let mut payload = vec![1];
    payload.extend_from_slice(bytes);
    open(bytes);
    open(&signed(Kind::FastMessage, &payload));
    open(&signed(Kind::Time, &payload));
});

fn open(bytes: &[u8]) {
    let root = root_document();
    if let Ok(message) = open_fast_message(bytes, &root, ORGANISATION, SEEN) {
        assert_eq!(message.organisation, ORGANISATION);
        assert!(message.sequence > SEEN);
        let time = open_signed_time(bytes, &root, ORGANISATION);
        assert!(time.is_err(), "one signature never serves for two kinds");
    }
    let _ = open_signed_time(bytes, &root, ORGANISATION);
}
