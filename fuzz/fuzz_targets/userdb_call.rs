//! Calls of systemd's user database. Whatever is taken for a call is no longer and no deeper than
//! allowed, and means the same when it is written and read again. The decoder is compiled in; its
//! crate would bring the whole daemon.
#![no_main]

#[path = "../../cacher-daemon/src/userdb/call.rs"]
mod call;

use call::{Call, MESSAGE_BYTES_MAX, NESTING_MAX};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|message: &[u8]| {
    let Ok(call) = Call::read(message) else {
        return;
    };
    assert!(message.len() <= MESSAGE_BYTES_MAX);
    let written = json!({
        "method": call.method, "parameters": call.parameters,
        "more": call.more, "oneway": call.oneway, "upgrade": call.upgrade,
    });
    assert!(depth(&written) <= NESTING_MAX);
    let bytes = written.to_string().into_bytes();
    // What was left out is written out, and may be too long for once.
    if bytes.len() <= MESSAGE_BYTES_MAX {
        assert_eq!(Call::read(&bytes), Ok(call));
    }
});

fn depth(value: &Value) -> usize {
    let below = match value {
        Value::Array(values) => values.iter().map(depth).max(),
        Value::Object(fields) => fields.values().map(depth).max(),
        _ => return 0,
    };
    1 + below.unwrap_or(0)
}
