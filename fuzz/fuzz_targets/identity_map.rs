//! The reader of the identity map, behind its checksums (builds for fuzzing have none): whatever the
//! bytes say, every answer is within bounds and fit for a passwd or group record.
#![no_main]

use identity_map::{Bytes, Cursor, GroupHead, Map, ReadError, UserRecord};
use libfuzzer_sys::fuzz_target;

/// A hostile map may claim millions of records.
const STEPS_MAX: usize = 100;

fuzz_target!(|bytes: &[u8]| {
    let Ok(map) = Map::open(bytes, bytes.len() as u64) else {
        return;
    };
    for name in [b"alice".as_slice(), b"bob", b"web", b"", b"nobody-here"] {
        look_at_user(&map, |buffer| map.user_by_name(name, buffer));
        let _ = map.group_by_name(name).map(|group| group.map(|group| look_at_group(&map, &group)));
    }
    for id in [0, 70_001, 70_002, 70_003, u32::MAX] {
        look_at_user(&map, |buffer| map.user_by_id(id, buffer));
        let _ = map.group_by_id(id).map(|group| group.map(|group| look_at_group(&map, &group)));
        assert!(!map.ranges_hold(id) || id > 0);
    }
    let mut cursor = Cursor::default();
    for _ in 0..STEPS_MAX {
        let Ok(Some((_, next))) = map.user_after(cursor, &mut [0; 1024]) else { break };
        look_at_user(&map, |buffer| Ok(map.user_after(cursor, buffer)?.map(|(user, _)| user)));
        assert_eq!(Cursor::from_number(next.number()).number(), next.number());
        cursor = next;
    }
    let mut cursor = Cursor::default();
    for _ in 0..STEPS_MAX {
        let Ok(Some((group, next))) = map.group_after(cursor) else { break };
        look_at_group(&map, &group);
        cursor = next;
    }
});

fn look_at_user<B: Bytes>(
    map: &Map<B>,
    lookup: impl Fn(&mut [u8]) -> Result<Option<UserRecord>, ReadError>,
) {
    assert!(lookup(&mut []).is_err() || lookup(&mut []) == Ok(None), "no text without room");
    let mut buffer = [0; 1024];
    let Ok(Some(user)) = lookup(&mut buffer) else { return };
    assert!(user.uid >= 1000 && user.gid >= 1000, "an id outside every range");
    let text = &buffer[..user.text_bytes];
    let fields: Vec<&[u8]> = text.split_inclusive(|byte| *byte == 0).collect();
    assert_eq!(fields.len(), user.starts.len(), "five fields, each with its NUL");
    for (field, start) in fields.iter().zip(user.starts) {
        assert_eq!(text[start..].as_ptr(), field.as_ptr(), "each begins where it is said to");
        assert!(field.ends_with(&[0]) && field.len() <= 257);
    }
    let list = user.group_list;
    let mut buffer = vec![0; list.bytes()];
    if map.read_group_list(&list, &mut buffer).is_ok() {
        assert_eq!(buffer.len(), list.count() * 4);
    }
}

fn look_at_group<B: Bytes>(map: &Map<B>, group: &GroupHead) {
    assert!(group.gid() >= 1000, "an id outside every range");
    assert!(group.name().len() <= 32 && !group.name().contains(&0));
    let bytes = group.members_bytes();
    assert!(bytes < 256 * 1024 * 1024, "a claim to be refused before anything is allocated");
    if bytes > 1 << 20 {
        return;
    }
    let mut buffer = vec![0; bytes];
    if map.read_members(group, &mut buffer).is_ok() {
        let (lengths, names) = buffer.split_at(group.members());
        let told: usize = lengths.iter().map(|length| usize::from(*length) + 1).sum();
        assert_eq!(told, names.len());
    }
}
