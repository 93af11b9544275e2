//! Writes the records of users and groups. Each is laid out first; once all places are known, the
//! orders are written into them, and then the sums.

use std::ops::Range;

use posix_names::NAME_BYTES_MAX;

use crate::content::{MapGroup, MapUser, MemberPolicy, WriteError};
use crate::hash::{Part, checksum, part_seed};
use crate::index::ENTRIES_PER_BUCKET;
use crate::layout::{
    BLOCK_BYTES, BUCKET_BYTES, FIELD_BYTES_MAX, GROUP_HEAD_BYTES, GROUPS_PER_USER_MAX,
    HEADER_BYTES, MEMBERS_PER_GROUP_MAX, OF_USER, RECORD_ALIGN, SECTION_ALIGN, USER_HEAD_BYTES,
    put, rounded,
};
use crate::read_group::group_checksum;
use crate::read_user::{PRIVATE_GROUP_EMPTY, PRIVATE_GROUP_OF_ONE, user_checksum};

/// Users and groups in order of their ids, and the map up to the end of their sections.
pub(crate) struct Records<'a> {
    pub(crate) users: Vec<Entry<'a>>,
    pub(crate) groups: Vec<Entry<'a>>,
    pub(crate) bytes: Vec<u8>,
    /// Where the sections of users and of groups begin and end.
    pub(crate) sections: [Range<usize>; 2],
    groups_at: usize,
}

/// Where users begin.
const USERS_AT: usize = HEADER_BYTES.next_multiple_of(SECTION_ALIGN);

/// A record in its section.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) id: u32,
    /// Marked, of a group for which a user stands.
    pub(crate) place: u32,
    /// So many bytes its sum covers, itself included.
    summed: u32,
}

impl Entry<'_> {
    fn is_of_user(&self) -> bool {
        self.place & OF_USER != 0
    }

    /// Where it lies in its section.
    fn within(&self) -> usize {
        ((self.place & !OF_USER) as usize - 1) * RECORD_ALIGN
    }
}

impl<'a> Records<'a> {
    /// Of users and groups that are sorted by id.
    pub(crate) fn of(
        users: &[&'a MapUser<'a>],
        groups: &[&'a MapGroup<'a>],
        policy: MemberPolicy,
    ) -> Result<Self, WriteError> {
        let mut bytes = Vec::with_capacity(about(users, groups));
        bytes.resize(USERS_AT, 0);
        let mut records = Self {
            users: Vec::with_capacity(users.len()),
            groups: Vec::with_capacity(groups.len()),
            bytes,
            sections: [0..0, 0..0],
            groups_at: 0,
        };
        for user in users {
            records.append_user(user)?;
        }
        let [users_end, begin] = records.end_section();
        records.groups_at = begin;
        let mut next_user = 0;
        for group in groups {
            check_name(&group.name)?;
            let members = members(group, policy)?;
            if let Some(entry) = records.standing_for(group, &members, &mut next_user) {
                records.groups.push(entry);
            } else {
                records.append_group(group, &members)?;
            }
        }
        let [groups_end, _] = records.end_section();
        records.sections = [USERS_AT..users_end, begin..groups_end];
        records.link();
        records.sum();
        Ok(records)
    }

    fn append_user(&mut self, user: &'a MapUser<'a>) -> Result<(), WriteError> {
        check_name(&user.name)?;
        let uid = user.uid.get();
        let mut groups: Vec<u32> = user.groups.iter().map(|gid| gid.get()).collect();
        groups.sort_unstable();
        groups.dedup();
        if groups.len() > GROUPS_PER_USER_MAX {
            return Err(WriteError::TooManyGroups {
                user: user.name.to_string(),
                count: groups.len(),
            });
        }
        let mut record = Record::begin(&mut self.bytes, USER_HEAD_BYTES);
        record.put(16, &uid.to_le_bytes());
        record.put(20, &user.gid.get().to_le_bytes());
        record.put(36, &counted(groups.len())?.to_le_bytes());
        append_text(&mut record, user)?;
        let text_end = record.length();
        record.fill(rounded(text_end, 4));
        let list_at = record.length();
        for gid in groups {
            record.append(&gid.to_le_bytes());
        }
        if record.length() > BLOCK_BYTES {
            let sum = checksum(record.behind(list_at), part_seed(Part::GroupList, uid));
            record.put(8, &sum.to_le_bytes());
        }
        let entry = record.ended(USERS_AT, &user.name, uid, text_end)?;
        self.users.push(entry);
        Ok(())
    }

    /// The user who stands for a group, if one can; the user's record says so from now on. Groups come
    /// in order, so users below `next_user` stand for none that is still to come.
    fn standing_for(
        &mut self,
        group: &'a MapGroup<'a>,
        members: &[&str],
        next_user: &mut usize,
    ) -> Option<Entry<'a>> {
        let (gid, name) = (group.gid.get(), &*group.name);
        let lower = self.users.iter().skip(*next_user);
        *next_user += lower.take_while(|user| user.id < gid).count();
        let user = self.users.get(*next_user).filter(|user| user.id == gid)?;
        let stands = match members {
            [] => PRIVATE_GROUP_EMPTY,
            [one] if *one == name => PRIVATE_GROUP_OF_ONE,
            _ => return None,
        };
        if user.name != name {
            return None;
        }
        put(&mut self.bytes, USERS_AT + user.within() + 46, &[stands]);
        Some(Entry {
            place: user.place | OF_USER,
            ..*user
        })
    }

    fn append_group(
        &mut self,
        group: &'a MapGroup<'a>,
        members: &[&str],
    ) -> Result<(), WriteError> {
        let (gid, name) = (group.gid.get(), &*group.name);
        let length = |name: &str| u8::try_from(name.len()).unwrap_or(u8::MAX);
        let mut record = Record::begin(&mut self.bytes, GROUP_HEAD_BYTES);
        record.put(16, &gid.to_le_bytes());
        record.put(28, &counted(members.len())?.to_le_bytes());
        record.put(39, &[length(name)]);
        record.append(name.as_bytes());
        let name_end = record.length();
        record.bytes.extend(members.iter().map(|name| length(name)));
        let names_at = record.length();
        for name in members {
            record.append(name.as_bytes());
            record.append(&[0]);
        }
        let names_bytes = counted(record.length() - names_at)?;
        record.put(32, &names_bytes.to_le_bytes());
        if record.length() > BLOCK_BYTES {
            let sum = checksum(record.behind(name_end), part_seed(Part::Members, gid));
            record.put(8, &sum.to_le_bytes());
        }
        let entry = record.ended(self.groups_at, name, gid, name_end)?;
        self.groups.push(entry);
        Ok(())
    }

    /// Leaves behind the last record what is read of one at once. Says where the section ends, and
    /// where the next one begins.
    fn end_section(&mut self) -> [usize; 2] {
        let end = self.bytes.len() + BLOCK_BYTES;
        let next = rounded(end, SECTION_ALIGN);
        self.bytes.resize(next, 0);
        [end, next]
    }

    /// Where a record lies.
    fn at(&self, entry: &Entry<'_>, of_user: bool) -> usize {
        let section = if of_user { USERS_AT } else { self.groups_at };
        section + entry.within()
    }

    /// Writes into each record what comes before it in order, and into groups what comes next.
    fn link(&mut self) {
        let mut previous = 0_u32;
        for user in &self.users {
            let at = USERS_AT + user.within();
            put(&mut self.bytes, at + 24, &previous.to_le_bytes());
            previous = user.id;
        }
        previous = 0;
        let next = self.groups.iter().skip(1).map(|next| next.place).chain([0]);
        for (group, next) in self.groups.iter().zip(next) {
            let within = if group.is_of_user() { 28 } else { 20 };
            let at = self.at(group, group.is_of_user()) + within;
            put(&mut self.bytes, at, &previous.to_le_bytes());
            put(&mut self.bytes, at + 4, &next.to_le_bytes());
            previous = group.id;
        }
    }

    fn sum(&mut self) {
        for user in &self.users {
            let at = self.at(user, true);
            let summed = self.bytes.get(at + 8..at + user.summed as usize);
            let sum = user_checksum(user.id, summed.unwrap_or_default());
            put(&mut self.bytes, at, &sum.to_le_bytes());
        }
        for group in self.groups.iter().filter(|group| !group.is_of_user()) {
            let at = self.at(group, false);
            let summed = self.bytes.get(at + 8..at + group.summed as usize);
            let sum = group_checksum(group.id, summed.unwrap_or_default());
            put(&mut self.bytes, at, &sum.to_le_bytes());
        }
    }
}

/// About how long a map of them is, so that its bytes seldom move while they are written.
fn about(users: &[&MapUser<'_>], groups: &[&MapGroup<'_>]) -> usize {
    const INDEXES_OF_ONE: usize = 2 * BUCKET_BYTES / ENTRIES_PER_BUCKET;
    let user = |user: &&MapUser<'_>| {
        let texts = [&user.name, &user.gecos, &user.home, &user.shell];
        let texts: usize = texts.iter().map(|text| text.len() + 1).sum();
        let private_group = INDEXES_OF_ONE;
        USER_HEAD_BYTES + texts + 8 + 4 * user.groups.len() + INDEXES_OF_ONE + private_group
    };
    let group = |group: &&MapGroup<'_>| {
        let members = group.members.iter().map(|name| name.len() + 2);
        GROUP_HEAD_BYTES + group.name.len() + INDEXES_OF_ONE + members.sum::<usize>()
    };
    let shared = groups.iter().filter(|group| !group.members.is_empty());
    4096 + users.iter().map(user).sum::<usize>() + shared.map(group).sum::<usize>()
}

/// A record at the end of its section, while it is written.
struct Record<'b> {
    bytes: &'b mut Vec<u8>,
    at: usize,
}

impl<'b> Record<'b> {
    /// With an empty head, behind the others.
    fn begin(bytes: &'b mut Vec<u8>, head: usize) -> Self {
        let at = rounded(bytes.len(), RECORD_ALIGN);
        bytes.resize(at + head, 0);
        Self { bytes, at }
    }

    fn length(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn put(&mut self, at: usize, value: &[u8]) {
        put(self.bytes, self.at + at, value);
    }

    fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Zeros up to this length.
    fn fill(&mut self, length: usize) {
        self.bytes.resize(self.at + length, 0);
    }

    fn behind(&self, at: usize) -> &[u8] {
        self.bytes.get(self.at + at..).unwrap_or_default()
    }

    /// The record is whole; what is long in it begins at `body_at`.
    fn ended(
        self,
        section_at: usize,
        name: &str,
        id: u32,
        body_at: usize,
    ) -> Result<Entry<'_>, WriteError> {
        let length = self.length();
        let summed = if length <= BLOCK_BYTES {
            length
        } else {
            body_at
        };
        Ok(Entry {
            name,
            id,
            place: counted((self.at - section_at) / RECORD_ALIGN + 1)?,
            summed: counted(summed)?,
        })
    }
}

/// Whoever made the content has checked names by all rules; here no name may break a record.
fn check_name(name: &str) -> Result<(), WriteError> {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    // All bytes, whatever the first ones are: names are short, and nearly always right.
    let all_fit = name.bytes().fold(true, |all, byte| all & fits(byte));
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && all_fit {
        Ok(())
    } else {
        Err(WriteError::BadName(name.to_owned()))
    }
}

fn append_text(record: &mut Record<'_>, user: &MapUser<'_>) -> Result<(), WriteError> {
    let (name, gecos) = (&*user.name, &*user.gecos);
    let (home, shell) = (&*user.home, &*user.shell);
    for (at, field) in [(40, gecos), (42, home), (44, shell)] {
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        record.put(at, &length.to_le_bytes());
    }
    record.put(47, &[u8::try_from(name.len()).unwrap_or(u8::MAX)]);
    let breaks = |byte: u8| matches!(byte, 0 | b':' | b'\n');
    for field in [name, "x", gecos, home, shell] {
        let broken = field.bytes().fold(false, |any, byte| any | breaks(byte));
        if broken || field.len() > FIELD_BYTES_MAX {
            return Err(WriteError::BadText(user.name.to_string()));
        }
        record.append(field.as_bytes());
        record.append(&[0]);
    }
    Ok(())
}

/// In order, each once. They mostly come that way.
fn members<'a>(group: &'a MapGroup<'_>, policy: MemberPolicy) -> Result<Vec<&'a str>, WriteError> {
    let mut members: Vec<&str> = match policy {
        MemberPolicy::All => group.members.iter().map(|name| &**name).collect(),
        MemberPolicy::None => Vec::new(),
    };
    for member in &members {
        check_name(member)?;
    }
    if !members.is_sorted_by(|one, next| one < next) {
        members.sort_unstable();
        members.dedup();
    }
    if members.len() > MEMBERS_PER_GROUP_MAX {
        return Err(WriteError::TooManyMembers {
            group: group.name.to_string(),
            count: members.len(),
        });
    }
    Ok(members)
}

pub(crate) fn counted(count: usize) -> Result<u32, WriteError> {
    u32::try_from(count).map_err(|_| WriteError::TooLarge(count as u64))
}
