//! Writes a map. The same content gives the same bytes, whatever order it came in.

use std::ops::Range;

use posix_names::{FIRST_RANGE, SECOND_RANGE};

use crate::content::{MapContent, MapGroup, MapUser, MemberPolicy, WriteError};
use crate::hash::{Slots, digest};
use crate::index::{build, first_fitting_seed};
use crate::layout::{
    HEADER_BYTES, Header, MAP_BYTES_MAX, RECORDS_MAX, SECTIONS, Section, SectionKind, put,
};
use crate::records::{Entry, Records, counted};

/// The bytes of the map with this content.
///
/// # Errors
/// Two records clash, or something exceeds a limit of the format.
pub fn write_map(content: &MapContent<'_>) -> Result<Vec<u8>, WriteError> {
    let most = content.users.len().max(content.groups.len());
    if most > RECORDS_MAX {
        return Err(WriteError::TooManyRecords(most));
    }
    let users = sorted_users(&content.users)?;
    let groups = sorted_groups(&content.groups)?;
    let mut records = Records::of(&users, &groups, content.member_policy)?;
    let mut map = std::mem::take(&mut records.bytes);
    let [user_section, group_section] = records.sections.clone();
    let slots = Slots::for_sections_of(user_section.len().max(group_section.len()));
    let records_end = map.len();
    let (seed, indexes) = first_fitting_seed(|seed| {
        map.truncate(records_end);
        Some((seed, indexes((seed, slots), &records, &mut map)?))
    })?;
    let [by_name, by_id, groups_by_name, groups_by_id] = indexes;
    let sections = [
        user_section,
        group_section,
        by_name,
        by_id,
        groups_by_name,
        groups_by_id,
    ];
    let (users, groups) = (&records.users, &records.groups);
    let header = Header {
        version: content.version,
        issued_at_ms: content.issued_at_ms,
        seed,
        place_bits: slots.place_bits(),
        enumerate: content.enumerate,
        members: content.member_policy == MemberPolicy::All,
        owners: content.owners,
        users: counted(users.len())?,
        groups: counted(groups.len())?,
        first_group: groups.first().map_or(0, |group| group.place),
        last_uid: users.last().map_or(0, |user| user.id),
        last_gid: groups.last().map_or(0, |group| group.id),
        ranges: [
            (*FIRST_RANGE.start(), *FIRST_RANGE.end()),
            (*SECOND_RANGE.start(), *SECOND_RANGE.end()),
            (0, 0),
            (0, 0),
        ],
        ..Header::default()
    };
    put_header(header, sections, &mut map)?;
    Ok(map)
}

/// Appends the four indexes, each where a section may begin, and says where they lie.
fn indexes(
    how: (u64, Slots),
    records: &Records<'_>,
    map: &mut Vec<u8>,
) -> Option<[Range<usize>; 4]> {
    let (users, groups) = (&records.users, &records.groups);
    let mut begin = map.len();
    let mut ended = |map: &mut Vec<u8>| {
        let section = begin..map.len();
        // Buckets are as long as sections are aligned.
        begin = section.end;
        section
    };
    build(SectionKind::UsersByName, how, names(users), map)?;
    let by_name = ended(map);
    build(SectionKind::UsersById, how, ids(users), map)?;
    let by_id = ended(map);
    build(SectionKind::GroupsByName, how, names(groups), map)?;
    let groups_by_name = ended(map);
    build(SectionKind::GroupsById, how, ids(groups), map)?;
    Some([by_name, by_id, groups_by_name, ended(map)])
}

fn names<'a>(entries: &[Entry<'a>]) -> impl ExactSizeIterator<Item = (&'a str, u32)> {
    entries.iter().map(|entry| (entry.name, entry.place))
}

fn ids(entries: &[Entry<'_>]) -> impl ExactSizeIterator<Item = ([u8; 4], u32)> {
    let numbered = |entry: &Entry<'_>| (entry.id.to_le_bytes(), entry.place);
    entries.iter().map(numbered)
}

/// In order of ids. What comes in order of names is sorted quickly.
fn sorted_users<'a>(users: &'a [MapUser<'a>]) -> Result<Vec<&'a MapUser<'a>>, WriteError> {
    let mut sorted: Vec<&MapUser<'_>> = users.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(twice) = neighbours(&sorted, |one, other| one.name == other.name) {
        return Err(WriteError::UserTwice(twice.0.name.to_string()));
    }
    sorted.sort_by_key(|user| user.uid);
    if let Some((first, second)) = neighbours(&sorted, |one, other| one.uid == other.uid) {
        return Err(WriteError::UidTwice {
            uid: first.uid,
            first: first.name.to_string(),
            second: second.name.to_string(),
        });
    }
    Ok(sorted)
}

/// As [`sorted_users`].
fn sorted_groups<'a>(groups: &'a [MapGroup<'a>]) -> Result<Vec<&'a MapGroup<'a>>, WriteError> {
    let mut sorted: Vec<&MapGroup<'_>> = groups.iter().collect();
    sorted.sort_by(|one, other| one.name.cmp(&other.name));
    if let Some(twice) = neighbours(&sorted, |one, other| one.name == other.name) {
        return Err(WriteError::GroupTwice(twice.0.name.to_string()));
    }
    sorted.sort_by_key(|group| group.gid);
    if let Some((first, second)) = neighbours(&sorted, |one, other| one.gid == other.gid) {
        return Err(WriteError::GidTwice {
            gid: first.gid,
            first: first.name.to_string(),
            second: second.name.to_string(),
        });
    }
    Ok(sorted)
}

fn neighbours<'a, T>(sorted: &[&'a T], same: impl Fn(&T, &T) -> bool) -> Option<(&'a T, &'a T)> {
    let pairs = sorted.iter().zip(sorted.iter().skip(1));
    pairs
        .map(|(one, other)| (*one, *other))
        .find(|(one, other)| same(one, other))
}

/// The header, before everything else.
fn put_header(
    mut header: Header,
    sections: [Range<usize>; SECTIONS],
    map: &mut [u8],
) -> Result<(), WriteError> {
    for (to, section) in header.sections.iter_mut().zip(sections) {
        *to = Section {
            offset: section.start as u64,
            bytes: section.len() as u64,
        };
    }
    header.file_bytes = map.len() as u64;
    if header.file_bytes > MAP_BYTES_MAX {
        return Err(WriteError::TooLarge(header.file_bytes));
    }
    header.digest = digest(map.get(HEADER_BYTES..).unwrap_or_default());
    put(map, 0, &header.to_bytes());
    Ok(())
}
