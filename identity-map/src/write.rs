//! Writes a map. The same content gives the same bytes, whatever order it came in.

use std::collections::BTreeSet;

use posix_names::{FIRST_RANGE, SECOND_RANGE};

use crate::content::{MapContent, MapGroup, MapUser, MemberPolicy, WriteError};
use crate::hash::{Part, checksum, part_seed};
use crate::index::{build, first_fitting_seed, in_order};
use crate::layout::{
    FIELD_BYTES_MAX, GROUP_HEAD_BYTES_MAX, GROUP_NAME_AT, GROUPS_PER_USER_MAX, HEADER_BYTES,
    Header, MAP_BYTES_MAX, MEMBERS_PER_GROUP_MAX, RECORD_ALIGN, RECORDS_MAX, SECTIONS, Section,
    SectionKind, USER_BLOCK_BYTES, USER_HEAD_BYTES, put, rounded,
};
use crate::read_user::user_checksum;

/// The bytes of the map with this content.
///
/// # Errors
/// Two records clash, or something exceeds a limit of the format.
pub fn write_map(content: &MapContent) -> Result<Vec<u8>, WriteError> {
    let most = content.users.len().max(content.groups.len());
    if most > RECORDS_MAX {
        return Err(WriteError::TooManyRecords(most));
    }
    let users = sorted_users(&content.users)?;
    let groups = sorted_groups(&content.groups)?;
    let users = user_records(&users)?;
    let groups = group_records(&groups, content.member_policy)?;
    let (seed, indexes) = first_fitting_seed(|seed| {
        let indexes = [
            build(SectionKind::UsersByName, seed, &users.names)?,
            build(SectionKind::UsersById, seed, &users.ids())?,
            build(SectionKind::GroupsByName, seed, &groups.names)?,
            build(SectionKind::GroupsById, seed, &groups.ids())?,
        ];
        Some((seed, indexes))
    })?;
    let [by_name, by_id, groups_by_name, groups_by_id] = &indexes;
    let users_in_order = in_order(SectionKind::UsersInOrder, &users.order);
    let groups_in_order = in_order(SectionKind::GroupsInOrder, &groups.order);
    let sections: [&[u8]; SECTIONS] = [
        &users.bytes,
        &groups.bytes,
        by_name,
        by_id,
        groups_by_name,
        groups_by_id,
        &users_in_order,
        &groups_in_order,
    ];
    let header = Header {
        version: content.version,
        issued_at_ms: content.issued_at_ms,
        seed,
        enumerate: content.enumerate,
        members: content.member_policy == MemberPolicy::All,
        owners: content.owners,
        users: counted(users.order.len())?,
        groups: counted(groups.order.len())?,
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

/// Records of one kind, and what the indexes need to know of them.
struct Records<'a> {
    bytes: Vec<u8>,
    names: Vec<(&'a str, u32)>,
    order: Vec<(u32, u32)>,
}

impl<'a> Records<'a> {
    fn with_capacity(records: usize) -> Self {
        Self {
            bytes: Vec::new(),
            names: Vec::with_capacity(records),
            order: Vec::with_capacity(records),
        }
    }

    fn begin(&mut self, name: &'a str, id: u32) -> Result<(), WriteError> {
        self.bytes
            .resize(rounded(self.bytes.len(), RECORD_ALIGN), 0);
        let place = u32::try_from(self.bytes.len() / RECORD_ALIGN + 1)
            .map_err(|_| WriteError::TooLarge(self.bytes.len() as u64))?;
        self.names.push((name, place));
        self.order.push((id, place));
        Ok(())
    }

    fn ids(&self) -> Vec<([u8; 4], u32)> {
        let entry = |&(id, place): &(u32, u32)| (id.to_le_bytes(), place);
        self.order.iter().map(entry).collect()
    }
}

fn sorted_users(users: &[MapUser]) -> Result<Vec<&MapUser>, WriteError> {
    let mut sorted: Vec<&MapUser> = users.iter().collect();
    sorted.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    if let Some(twice) = neighbours(&sorted, |one, other| one.name == other.name) {
        return Err(WriteError::UserTwice(twice.0.name.clone()));
    }
    sorted.sort_by_key(|user| user.uid);
    if let Some((first, second)) = neighbours(&sorted, |one, other| one.uid == other.uid) {
        return Err(WriteError::UidTwice {
            uid: first.uid,
            first: first.name.clone(),
            second: second.name.clone(),
        });
    }
    Ok(sorted)
}

fn sorted_groups(groups: &[MapGroup]) -> Result<Vec<&MapGroup>, WriteError> {
    let mut sorted: Vec<&MapGroup> = groups.iter().collect();
    sorted.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    if let Some(twice) = neighbours(&sorted, |one, other| one.name == other.name) {
        return Err(WriteError::GroupTwice(twice.0.name.clone()));
    }
    sorted.sort_by_key(|group| group.gid);
    if let Some((first, second)) = neighbours(&sorted, |one, other| one.gid == other.gid) {
        return Err(WriteError::GidTwice {
            gid: first.gid,
            first: first.name.clone(),
            second: second.name.clone(),
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

fn user_records<'a>(users: &[&'a MapUser]) -> Result<Records<'a>, WriteError> {
    let mut records = Records::with_capacity(users.len());
    for user in users {
        records.begin(user.name.as_str(), user.uid.get())?;
        append_user(&mut records.bytes, user)?;
    }
    let room = records.bytes.len() + USER_BLOCK_BYTES;
    records.bytes.resize(room, 0);
    Ok(records)
}

fn append_user(bytes: &mut Vec<u8>, user: &MapUser) -> Result<(), WriteError> {
    let uid = user.uid.get();
    let groups: BTreeSet<u32> = user.groups.iter().map(|gid| gid.get()).collect();
    if groups.len() > GROUPS_PER_USER_MAX {
        return Err(WriteError::TooManyGroups {
            user: user.name.clone(),
            count: groups.len(),
        });
    }
    let group_list: Vec<u8> = groups.iter().flat_map(|gid| gid.to_le_bytes()).collect();

    let mut record = vec![0; USER_HEAD_BYTES];
    let list_sum = checksum(&group_list, part_seed(Part::GroupList, uid));
    put(&mut record, 8, &list_sum.to_le_bytes());
    put(&mut record, 16, &uid.to_le_bytes());
    put(&mut record, 20, &user.gid.get().to_le_bytes());
    put(&mut record, 24, &counted(groups.len())?.to_le_bytes());
    let fields = [
        user.name.as_str(),
        user.gecos.as_str(),
        user.home.as_str(),
        user.shell.as_str(),
    ];
    for (index, field) in fields.into_iter().enumerate() {
        if field.len() > FIELD_BYTES_MAX || field.contains(['\0', ':', '\n']) {
            return Err(WriteError::BadText(user.name.clone()));
        }
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        put(&mut record, 28 + index * 2, &length.to_le_bytes());
        record.extend_from_slice(field.as_bytes());
        record.push(0);
        if index == 0 {
            record.extend_from_slice(b"x\0");
        }
    }
    let (_, summed) = record.split_at(8);
    let sum = user_checksum(uid, summed);
    put(&mut record, 0, &sum.to_le_bytes());
    record.resize(rounded(record.len(), 4), 0);
    bytes.extend_from_slice(&record);
    bytes.extend_from_slice(&group_list);
    Ok(())
}

fn group_records<'a>(
    groups: &[&'a MapGroup],
    policy: MemberPolicy,
) -> Result<Records<'a>, WriteError> {
    let mut records = Records::with_capacity(groups.len());
    for group in groups {
        records.begin(group.name.as_str(), group.gid.get())?;
        append_group(&mut records.bytes, group, policy)?;
    }
    let room = records.bytes.len() + GROUP_HEAD_BYTES_MAX;
    records.bytes.resize(room, 0);
    Ok(records)
}

fn append_group(
    bytes: &mut Vec<u8>,
    group: &MapGroup,
    policy: MemberPolicy,
) -> Result<(), WriteError> {
    let gid = group.gid.get();
    let mut members: Vec<&str> = match policy {
        MemberPolicy::All => group.members.iter().map(|name| name.as_str()).collect(),
        MemberPolicy::None => Vec::new(),
    };
    members.sort_unstable();
    members.dedup();
    if members.len() > MEMBERS_PER_GROUP_MAX {
        return Err(WriteError::TooManyMembers {
            group: group.name.clone(),
            count: members.len(),
        });
    }
    let mut body: Vec<u8> = members
        .iter()
        .map(|name| u8::try_from(name.len()).unwrap_or(u8::MAX))
        .collect();
    for name in &members {
        body.extend_from_slice(name.as_bytes());
        body.push(0);
    }

    let mut head = [0; GROUP_NAME_AT];
    let body_sum = checksum(&body, part_seed(Part::Members, gid));
    put(&mut head, 8, &body_sum.to_le_bytes());
    put(&mut head, 16, &gid.to_le_bytes());
    put(&mut head, 20, &counted(members.len())?.to_le_bytes());
    let names_bytes = counted(body.len() - members.len())?;
    put(&mut head, 24, &names_bytes.to_le_bytes());
    let name = group.name.as_str();
    let name_bytes = u32::try_from(name.len()).unwrap_or(u32::MAX);
    put(&mut head, 28, &name_bytes.to_le_bytes());
    let mut head = [&head, name.as_bytes()].concat();
    let (_, checked) = head.split_at(8);
    let sum = checksum(checked, part_seed(Part::Group, gid));
    put(&mut head, 0, &sum.to_le_bytes());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(&body);
    Ok(())
}

fn counted(count: usize) -> Result<u32, WriteError> {
    u32::try_from(count).map_err(|_| WriteError::TooLarge(count as u64))
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
    map.extend_from_slice(&header.to_bytes());
    for bytes in sections {
        map.resize(rounded(map.len(), SECTION_ALIGN), 0);
        map.extend_from_slice(bytes);
    }
    Ok(map)
}
