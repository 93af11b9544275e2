//! The reader of the identity map, behind its checksums (builds for fuzzing have none): whatever the
//! bytes say, every answer is within bounds and fit for a passwd or group record.
#![no_main]

use identity_map::{Bytes, Cursor, GROUPS_PER_USER_MAX, GroupHead, GroupList, Map};
use identity_map::{ReadError, UserRecord};
use libfuzzer_sys::fuzz_target;

/// A hostile map may claim millions of records.
const STEPS_MAX: usize = 100;
/// Room for the longest text of a user.
const TEXT_BYTES: usize = 1024;

/// Bytes that are read where they lie, as those of a sealed memory file are.
struct Frozen<'a>(&'a [u8]);

impl Bytes for Frozen<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.0.read_at(offset, buffer)
    }

    const ARE_FROZEN: bool = true;

    fn frozen(&self, offset: u64) -> Result<&[u8], ReadError> {
        let from = usize::try_from(offset).map_err(|_| ReadError::Damaged)?;
        self.0.get(from..).ok_or(ReadError::Damaged)
    }
}

fuzz_target!(|bytes: &[u8]| {
    let length = bytes.len() as u64;
    // A short buffer is refused and never written beyond.
    let short = bytes.len() % (TEXT_BYTES + 1);
    if let Ok(map) = Map::open(bytes, length) {
        look_at_all(&map, short);
    }
    if let Ok(map) = Map::open(Frozen(bytes), length) {
        look_at_all(&map, short);
    }
});

fn look_at_all<B: Bytes>(map: &Map<B>, short: usize) {
    let mut text = [0; TEXT_BYTES];
    for name in [b"alice".as_slice(), b"bob", b"web", b"", b"nobody-here"] {
        if let Ok(Some(user)) = map.user_by_name(name, &mut text) {
            look_at_user(&user, &text);
        }
        let _ = map.group_by_name(name, |group| look_at_group(map, group));
        let _ = map.groups_of(name, |list| look_at_group_list(map, list));
    }
    for id in [0, 70_001, 70_002, 70_003, u32::MAX] {
        if let Ok(Some(user)) = map.user_by_id(id, &mut text[..short]) {
            assert!(usize::from(user.text_bytes) <= short);
            look_at_user(&user, &text);
        }
        let _ = map.group_by_id(id, |group| look_at_group(map, group));
        assert!(!map.ranges_hold(id) || id > 0);
    }
    let mut cursor = Cursor::default();
    for _ in 0..STEPS_MAX {
        let Ok(Some((user, next))) = map.user_after(cursor, &mut text) else {
            break;
        };
        look_at_user(&user, &text);
        assert_eq!(Cursor::from_numbers(next.numbers()), next);
        cursor = next;
    }
    let mut cursor = Cursor::default();
    for _ in 0..STEPS_MAX {
        let Ok(Some(((), next))) = map.group_after(cursor, |group| look_at_group(map, group))
        else {
            break;
        };
        cursor = next;
    }
}

fn look_at_user(user: &UserRecord, text: &[u8]) {
    assert!(
        user.uid >= 1000 && user.gid >= 1000,
        "an id outside every range"
    );
    let text = &text[..usize::from(user.text_bytes)];
    assert_eq!(text.last(), Some(&0));
    let starts = user.starts.map(usize::from);
    assert!(
        starts.is_sorted() && starts[4] < text.len(),
        "inside the text"
    );
}

fn look_at_group_list<B: Bytes>(map: &Map<B>, list: &GroupList<'_>) -> Result<(), ReadError> {
    assert!(list.count() <= GROUPS_PER_USER_MAX);
    let mut buffer = vec![0; list.bytes()];
    map.read_group_list(list, &mut buffer)
}

fn look_at_group<B: Bytes>(map: &Map<B>, group: &GroupHead<'_>) -> Result<(), ReadError> {
    assert!(group.gid() >= 1000, "an id outside every range");
    assert!(group.name().len() <= 32 && !group.name().contains(&0));
    let bytes = group.members_bytes();
    assert!(
        bytes < 256 * 1024 * 1024,
        "a claim to be refused before anything is allocated"
    );
    if bytes > 1 << 20 {
        return Ok(());
    }
    let mut buffer = vec![0; bytes];
    map.read_members(group, &mut buffer)?;
    let (lengths, names) = buffer.split_at(group.members());
    let told: usize = lengths.iter().map(|length| usize::from(*length) + 1).sum();
    assert_eq!(told, names.len());
    Ok(())
}
