//! Damaged and hostile maps: an error or the truth, never a crash and never something else.

use std::cell::RefCell;
use std::sync::LazyLock;

use identity_map::{Bytes, Cursor, Map, MapContent, ReadError, write_map};
use proptest::prelude::*;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::sample::{
    Found, FoundGroup, by_id, by_name, content, find, group_named, group_numbered, groups_of,
};

/// Every answer of a map, in a form that can be compared.
#[derive(Debug, PartialEq)]
pub(crate) enum Answer {
    User(Option<Found>),
    Groups(Option<Vec<u32>>),
    Group(Option<FoundGroup>),
}

pub(crate) fn answers<B: Bytes>(map: &Map<B>) -> Vec<Result<Answer, ReadError>> {
    let mut answers = Vec::new();
    for number in 0..12_u32 {
        let name = format!("person{number}");
        answers.push(by_name(map, &name).map(Answer::User));
        answers.push(by_id(map, 70_000 + number).map(Answer::User));
        answers.push(groups_of(map, &name).map(Answer::Groups));
        answers.push(group_named(map, &format!("team{number}")).map(Answer::Group));
        answers.push(group_numbered(map, 90_000 + number).map(Answer::Group));
        let cursor = Cursor::from_numbers([u64::from(70_000 + number), 0]);
        let next = find(|buffer| Ok(map.user_after(cursor, buffer)?.map(|(user, _)| user)));
        answers.push(next.map(Answer::User));
    }
    answers
}

/// What the undamaged map answers.
static TRUTH: LazyLock<Vec<Result<Answer, ReadError>>> = LazyLock::new(|| {
    let whole = write_map(&content(10)).unwrap();
    answers(&Map::open(&whole[..], whole.len() as u64).unwrap())
});

fn never_wrong(damaged: &[u8]) {
    if let Ok(map) = Map::open(damaged, damaged.len() as u64) {
        only_truth_or_error(&map);
    }
}

pub(crate) fn only_truth_or_error<B: Bytes>(map: &Map<B>) {
    for (answer, truth) in answers(map).into_iter().zip(&*TRUTH) {
        assert!(
            answer.is_err() || answer == *truth,
            "{answer:?} instead of {truth:?}"
        );
    }
}

#[test]
fn nss_02_no_single_flipped_bit_changes_an_answer() {
    let mut bytes = write_map(&content(10)).unwrap();
    for at in 0..bytes.len() {
        let bit = 1 << (at % 8);
        bytes[at] ^= bit;
        never_wrong(&bytes);
        bytes[at] ^= bit;
    }
}

#[test]
fn nss_01_a_map_cut_anywhere_is_an_error() {
    let bytes = write_map(&content(10)).unwrap();
    for length in 0..bytes.len() {
        let cut = &bytes[..length];
        assert!(Map::open(cut, length as u64).is_err(), "cut at {length}");
        // The file was whole when its length was taken, and was cut before it was read.
        if let Ok(map) = Map::open(cut, bytes.len() as u64) {
            only_truth_or_error(&map);
        }
    }
}

#[test]
fn a_map_that_grew_is_an_error() {
    let mut bytes = write_map(&content(10)).unwrap();
    bytes.push(0);
    assert!(Map::open(&bytes[..], bytes.len() as u64).is_err());
}

#[test]
fn only_the_superseded_word_may_change_without_notice() {
    let whole = write_map(&content(10)).unwrap();
    for at in 0..384 {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        let opened = Map::open(&bytes[..], bytes.len() as u64).is_ok();
        assert_eq!(opened, (12..16).contains(&at), "header byte {at}");
    }
}

/// Remembers what was read, to show that nothing is read twice.
struct Watched<'a> {
    bytes: &'a [u8],
    reads: RefCell<Vec<(u64, usize)>>,
}

impl Bytes for Watched<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.reads.borrow_mut().push((offset, buffer.len()));
        self.bytes.read_at(offset, buffer)
    }
}

#[test]
fn nss_02_no_byte_is_read_twice_in_a_lookup() {
    let whole = write_map(&content(10)).unwrap();
    let watched = Watched {
        bytes: &whole,
        reads: RefCell::default(),
    };
    let map = Map::open(watched, whole.len() as u64).unwrap();
    by_name(&map, "person4").unwrap().unwrap();
    let mut reads = map.into_bytes().reads.into_inner();
    reads.sort_unstable();
    let apart = |pair: &[(u64, usize)]| pair[0].0 + pair[0].1 as u64 <= pair[1].0;
    assert!(reads.len() >= 3 && reads.windows(2).all(apart), "{reads:?}");
}

/// Spoils what a read of a user brings along from behind the record.
struct Spoilt<'a> {
    bytes: &'a [u8],
    users: std::ops::Range<u64>,
}

impl Bytes for Spoilt<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.bytes.read_at(offset, buffer)?;
        let user = self.users.contains(&offset);
        if user && buffer.len() == BLOCK_BYTES {
            let end = user_end(buffer);
            buffer[end..].fill(0xff);
        }
        Ok(())
    }
}

#[test]
fn nss_02_what_a_read_brings_along_from_behind_a_record_is_not_looked_at() {
    let whole = write_map(&content(10)).unwrap();
    let groups_at = u64::from_le_bytes(whole[144..152].try_into().unwrap());
    let spoilt = Spoilt {
        bytes: &whole,
        users: FIRST_USER_AT as u64..groups_at,
    };
    let map = Map::open(spoilt, whole.len() as u64).unwrap();
    assert_eq!(answers(&map), *TRUTH);
}

/// Changes under the reader: each read returns the bytes with other bits flipped.
struct Unsteady<'a> {
    bytes: &'a [u8],
    flips: RefCell<Vec<(usize, u8)>>,
}

impl Bytes for Unsteady<'_> {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<(), ReadError> {
        self.bytes.read_at(offset, buffer)?;
        if let Some((at, mask)) = self.flips.borrow_mut().pop()
            && let Some(byte) = buffer.get_mut(at)
        {
            *byte ^= mask;
        }
        Ok(())
    }
}

/// What is read of a record at once.
const BLOCK_BYTES: usize = 192;
/// Where the first user record begins: behind the header.
const FIRST_USER_AT: usize = 384;

/// Where the record of a user with few groups ends.
fn user_end(record: &[u8]) -> usize {
    let number = |at: usize| usize::from(u16::from_le_bytes([record[at], record[at + 1]]));
    let text: usize = [40, 42, 44].map(number).iter().sum();
    let text_end = 48 + usize::from(record[47]) + text + 6;
    text_end.next_multiple_of(4) + number(36) * 4
}

/// Sums the first user again, as the writer does.
fn sum_first_user(bytes: &mut [u8]) {
    let user = &bytes[FIRST_USER_AT..];
    let end = user_end(user).min(user.len());
    let uid = u32::from_le_bytes(user[16..20].try_into().unwrap());
    let sum = xxh3_64_with_seed(&user[8..end], 1 << 32 | u64::from(uid));
    bytes[FIRST_USER_AT..][..8].copy_from_slice(&sum.to_le_bytes());
}

#[test]
fn nss_13_a_reader_refuses_ids_that_no_directory_gives() {
    let whole = write_map(&content(10)).unwrap();
    let mut again = whole.clone();
    sum_first_user(&mut again);
    assert!(again == whole, "the sum is the writer's");
    for id in [0_u32, 1, 999, 65_534, 100_000, 0x8000_0000, u32::MAX] {
        for at in [16, 20] {
            let mut bytes = whole.clone();
            bytes[FIRST_USER_AT + at..][..4].copy_from_slice(&id.to_le_bytes());
            sum_first_user(&mut bytes);
            let map = Map::open(&bytes[..], bytes.len() as u64).unwrap();
            assert_eq!(by_name(&map, "person0"), Err(ReadError::Damaged), "{id}");
            assert_eq!(by_id(&map, 70_000), Err(ReadError::Damaged), "{id}");
        }
    }
}

/// Numbers that lengths and offsets overflow with.
fn hostile_word() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..2_000_u64,
        Just(u64::MAX),
        Just(1 << 31),
        Just(1 << 63),
        Just(u64::from(u32::MAX)),
        Just(0x7fff_ffff_ffff_fff8),
    ]
}

proptest! {
    #[test]
    fn nss_02_random_flips_never_give_wrong_data(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut bytes = write_map(&content(10)).unwrap();
        for (at, mask) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
        }
        never_wrong(&bytes);
    }

    #[test]
    fn nss_02_random_words_never_give_wrong_data(
        words in prop::collection::vec((any::<prop::sample::Index>(), hostile_word()), 1..8),
    ) {
        let mut bytes = write_map(&content(10)).unwrap();
        for (at, word) in words {
            let at = at.index(bytes.len() / 8 - 1) * 8;
            bytes[at..at + 8].copy_from_slice(&word.to_le_bytes());
        }
        never_wrong(&bytes);
    }

    /// Whoever can write the map can also sum it; that may lie, but must not do harm.
    #[test]
    fn nss_02_hostile_headers_with_a_right_checksum_do_no_harm(
        words in prop::collection::vec((6..48_usize, hostile_word()), 1..6),
    ) {
        let mut bytes = write_map(&content(10)).unwrap();
        for (word, value) in words {
            bytes[word * 8..word * 8 + 8].copy_from_slice(&value.to_le_bytes());
        }
        let sum = xxh3_64_with_seed(&bytes[24..384], 5);
        bytes[16..24].copy_from_slice(&sum.to_le_bytes());
        if let Ok(map) = Map::open(&bytes[..], bytes.len() as u64) {
            prop_assert!(answers(&map).len() > 50);
        }
    }

    #[test]
    fn nss_02_hostile_users_with_a_right_checksum_do_no_harm(
        words in prop::collection::vec((1..14_usize, hostile_word()), 1..4),
    ) {
        let mut bytes = write_map(&content(10)).unwrap();
        for (word, value) in words {
            let at = FIRST_USER_AT + word * 8;
            bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        }
        sum_first_user(&mut bytes);
        let map = Map::open(&bytes[..], bytes.len() as u64).unwrap();
        prop_assert!(answers(&map).len() > 50);
        if let Ok(Some(found)) = by_id(&map, 70_000) {
            prop_assert!(found.user.uid == 70_000 && found.user.gid >= 70_000);
        }
    }

    #[test]
    fn nss_02_random_bytes_are_no_map(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        prop_assert!(Map::open(&bytes[..], bytes.len() as u64).is_err());
    }

    #[test]
    fn nss_02_flips_under_the_reader_never_give_wrong_data(
        flips in prop::collection::vec((0..100_usize, prop_oneof![Just(0), any::<u8>()]), 0..200),
    ) {
        let whole = write_map(&content(10)).unwrap();
        let unsteady = Unsteady { bytes: &whole, flips: RefCell::new(flips) };
        if let Ok(map) = Map::open(unsteady, whole.len() as u64) {
            only_truth_or_error(&map);
        }
    }
}

#[test]
fn an_empty_map_answers() {
    let bytes = write_map(&MapContent::default()).unwrap();
    let map = Map::open(&bytes[..], bytes.len() as u64).unwrap();
    assert!(by_name(&map, "alice").unwrap().is_none());
    assert!(
        map.user_after(Cursor::default(), &mut [])
            .unwrap()
            .is_none()
    );
    assert!(!map.enumerates());
}
