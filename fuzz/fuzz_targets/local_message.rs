//! Frames and messages of the Unix sockets, both directions: what can be read can be written and
//! read again, and means the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use local_protocol::{
    FRAME_BYTES_MAX, HEADER_BYTES, Reply, Request, Verb, VerbResult, body_length, decode, encode,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

fuzz_target!(|bytes: &[u8]| {
    let Some((header, body)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return;
    };
    if let Ok(length) = body_length(*header) {
        assert!(length <= FRAME_BYTES_MAX);
    }
    survives::<Request>(body);
    survives::<Reply>(body);
    survives::<Verb>(body);
    survives::<VerbResult>(body);
});

fn survives<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(body: &[u8]) {
    let Ok(message) = decode::<T>(body) else {
        return;
    };
    if let Ok(frame) = encode(&message) {
        let again = decode::<T>(&frame[HEADER_BYTES..]).expect("our own frame is readable");
        assert_eq!(message, again);
    }
}
