//! Requests of nscd's clients. Whatever is taken for a question has the one version, a key of
//! bounded length, and says with other bytes nothing but what these said. The decoder is compiled
//! in; its crate would bring the whole daemon.
#![no_main]

#[path = "../../cacher-daemon/src/nscd/request.rs"]
mod request;

use libfuzzer_sys::fuzz_target;
use request::{HEADER_BYTES, Header, KEY_BYTES_MAX, Question, VERSION};

fuzz_target!(|bytes: &[u8]| {
    let Some((numbers, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
        return;
    };
    let Ok(header) = Header::read(*numbers) else {
        return;
    };
    let key_bytes = header.key_bytes();
    assert!((1..=KEY_BYTES_MAX).contains(&key_bytes));
    let Some(key) = rest.get(..key_bytes) else {
        return;
    };
    let (kind, text) = match header.question(key) {
        Ok(Question::UserByName(name)) => (0_i32, name),
        Ok(Question::UserById(uid)) => (1, uid.to_string().into_bytes()),
        Ok(Question::GroupByName(name)) => (2, name),
        Ok(Question::GroupById(gid)) => (3, gid.to_string().into_bytes()),
        Ok(Question::GroupsOf(name)) => (15, name),
        Ok(Question::Unserved(_)) | Err(_) => return,
    };
    assert!(!text.is_empty() && !text.contains(&0));
    let mut again = Vec::new();
    let length = i32::try_from(text.len() + 1).expect("bounded");
    for number in [VERSION, kind, length] {
        again.extend(number.to_ne_bytes());
    }
    again.extend(&text);
    again.push(0);
    let sent = &bytes[..HEADER_BYTES + key_bytes];
    // A number may have been sent with zeros in front.
    assert!(again == sent || (matches!(kind, 1 | 3) && sent[HEADER_BYTES] == b'0'));
});
