//! Batches of events as the directory receives them: what can be read hashes the same after it was
//! written and read again.
#![no_main]

use directory_api::agent::EventBatch;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(batch) = serde_json::from_slice::<EventBatch>(bytes) else {
        return;
    };
    let written = serde_json::to_vec(&batch).expect("a batch can be written");
    let again: EventBatch = serde_json::from_slice(&written).expect("and read");
    for (one, other) in batch.events.iter().zip(&again.events) {
        assert_eq!(one.hashed_bytes(), other.hashed_bytes());
    }
});
