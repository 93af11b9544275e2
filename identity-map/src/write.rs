//! Writes a map. The same content gives the same bytes, whatever order it came in.

use posix_names::{FIRST_RANGE, SECOND_RANGE};

use crate::content::{MapContent, MapGroup, MapUser, MemberPolicy, WriteError};
use crate::hash::{Slots, digest};
use crate::index::{build, first_fitting_seed};
use crate::layout::{
    HEADER_BYTES, Header, MAP_BYTES_MAX, RECORDS_MAX, SECTIONS, Section, SectionKind, put, rounded,
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
    let records = Records::of(&users, &groups, content.member_policy)?;
    let (users, groups) = (&records.users, &records.groups);
    let longest = records.user_bytes.len().max(records.group_bytes.len());
    let slots = Slots::for_sections_of(longest);
    let (seed, indexes) = first_fitting_seed(|seed| {
        let how = (seed, slots);
        let indexes = [
            build(SectionKind::UsersByName, how, &names(users))?,
            build(SectionKind::UsersById, how, &ids(users))?,
            build(SectionKind::GroupsByName, how, &names(groups))?,
            build(SectionKind::GroupsById, how, &ids(groups))?,
        ];
        Some((seed, indexes))
    })?;
    let [by_name, by_id, groups_by_name, groups_by_id] = &indexes;
    let sections: [&[u8]; SECTIONS] = [
        &records.user_bytes,
        &records.group_bytes,
        by_name,
        by_id,
        groups_by_name,
        groups_by_id,
    ];
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
        first_group: groups.first().map_or(0, Entry::place),
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
    assembled(header, sections)
}

fn names<'a>(entries: &[Entry<'a>]) -> Vec<(&'a str, u32)> {
    let named = |entry: &Entry<'a>| (entry.name, entry.place());
    entries.iter().map(named).collect()
}

fn ids(entries: &[Entry<'_>]) -> Vec<([u8; 4], u32)> {
    let numbered = |entry: &Entry<'_>| (entry.id.to_le_bytes(), entry.place());
    entries.iter().map(numbered).collect()
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

fn assembled(mut header: Header, sections: [&[u8]; SECTIONS]) -> Result<Vec<u8>, WriteError> {
    const SECTION_ALIGN: usize = 64;
    let mut end = HEADER_BYTES;
    for (section, bytes) in header.sections.iter_mut().zip(sections) {
        end = rounded(end, SECTION_ALIGN);
        *section = Section {
            offset: end as u64,
            bytes: bytes.len() as u64,
        };
        end += bytes.len();
    }
    header.file_bytes = end as u64;
    if header.file_bytes > MAP_BYTES_MAX {
        return Err(WriteError::TooLarge(header.file_bytes));
    }
    let mut map = Vec::with_capacity(end);
    map.resize(HEADER_BYTES, 0);
    for bytes in sections {
        map.resize(rounded(map.len(), SECTION_ALIGN), 0);
        map.extend_from_slice(bytes);
    }
    header.digest = digest(map.get(HEADER_BYTES..).unwrap_or_default());
    put(&mut map, 0, &header.to_bytes());
    Ok(map)
}
