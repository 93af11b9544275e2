//! Writes the records of users and groups. Each is laid out first; once all places are known, the
//! orders are written into them, and then the sums.

use posix_names::NAME_BYTES_MAX;

use crate::content::{MapGroup, MapUser, MemberPolicy, WriteError};
use crate::hash::{Part, checksum, part_seed};
use crate::layout::{
    BLOCK_BYTES, FIELD_BYTES_MAX, GROUP_HEAD_BYTES, GROUPS_PER_USER_MAX, MEMBERS_PER_GROUP_MAX,
    OF_USER, RECORD_ALIGN, USER_HEAD_BYTES, put, rounded,
};
use crate::read_group::group_checksum;
use crate::read_user::{PRIVATE_GROUP_EMPTY, PRIVATE_GROUP_OF_ONE, user_checksum};

/// Room for a user's record, so that the bytes of all seldom move.
const USER_BYTES_USUAL: usize = 160;

/// Users and groups in order of their ids, and the bytes of their sections.
pub(crate) struct Records<'a> {
    pub(crate) users: Vec<Entry<'a>>,
    pub(crate) groups: Vec<Entry<'a>>,
    pub(crate) user_bytes: Vec<u8>,
    pub(crate) group_bytes: Vec<u8>,
}

/// A record in its section.
#[derive(Clone, Copy)]
pub(crate) struct Entry<'a> {
    pub(crate) name: &'a str,
    pub(crate) id: u32,
    /// Its place, without the mark of a group for which a user stands.
    place: u32,
    of_user: bool,
    at: usize,
    /// Where the bytes end that its sum covers.
    summed_end: usize,
}

impl Entry<'_> {
    pub(crate) fn place(&self) -> u32 {
        self.place | if self.of_user { OF_USER } else { 0 }
    }
}

impl<'a> Records<'a> {
    /// Of users and groups that are sorted by id.
    pub(crate) fn of(
        users: &[&'a MapUser<'a>],
        groups: &[&'a MapGroup<'a>],
        policy: MemberPolicy,
    ) -> Result<Self, WriteError> {
        let mut records = Self {
            users: Vec::with_capacity(users.len()),
            groups: Vec::with_capacity(groups.len()),
            user_bytes: Vec::with_capacity(users.len() * USER_BYTES_USUAL),
            group_bytes: Vec::new(),
        };
        for user in users {
            records.append_user(user)?;
        }
        for group in groups {
            check_name(&group.name)?;
            let members = members(group, policy)?;
            if let Some(entry) = records.standing_for(group, &members) {
                records.groups.push(entry);
            } else {
                records.append_group(group, &members)?;
            }
        }
        records.link();
        records.sum();
        for bytes in [&mut records.user_bytes, &mut records.group_bytes] {
            bytes.resize(bytes.len() + BLOCK_BYTES, 0);
        }
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
        let mut record = Vec::with_capacity(BLOCK_BYTES);
        record.resize(USER_HEAD_BYTES, 0);
        put(&mut record, 16, &uid.to_le_bytes());
        put(&mut record, 20, &user.gid.get().to_le_bytes());
        put(&mut record, 36, &counted(groups.len())?.to_le_bytes());
        append_text(&mut record, user)?;
        let text_end = record.len();
        record.resize(rounded(text_end, 4), 0);
        let list_at = record.len();
        for gid in groups {
            record.extend_from_slice(&gid.to_le_bytes());
        }
        if record.len() > BLOCK_BYTES {
            let (_, list) = record.split_at(list_at);
            let sum = checksum(list, part_seed(Part::GroupList, uid));
            put(&mut record, 8, &sum.to_le_bytes());
        }
        let entry = appended(&mut self.user_bytes, &user.name, uid, &record, text_end)?;
        self.users.push(entry);
        Ok(())
    }

    /// The user who stands for a group, if one can; the user's record says so from now on.
    fn standing_for(&mut self, group: &'a MapGroup<'a>, members: &[&str]) -> Option<Entry<'a>> {
        let (gid, name) = (group.gid.get(), &*group.name);
        let found = self.users.binary_search_by_key(&gid, |user| user.id).ok()?;
        let user = self.users.get(found)?;
        let stands = match members {
            [] => PRIVATE_GROUP_EMPTY,
            [one] if *one == name => PRIVATE_GROUP_OF_ONE,
            _ => return None,
        };
        if user.name != name {
            return None;
        }
        put(&mut self.user_bytes, user.at + 46, &[stands]);
        Some(Entry {
            of_user: true,
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
        let mut body: Vec<u8> = members.iter().map(|name| length(name)).collect();
        for name in members {
            body.extend_from_slice(name.as_bytes());
            body.push(0);
        }
        let mut record = vec![0; GROUP_HEAD_BYTES];
        put(&mut record, 16, &gid.to_le_bytes());
        put(&mut record, 28, &counted(members.len())?.to_le_bytes());
        let names_bytes = counted(body.len() - members.len())?;
        put(&mut record, 32, &names_bytes.to_le_bytes());
        put(&mut record, 39, &[length(name)]);
        record.extend_from_slice(name.as_bytes());
        let name_end = record.len();
        record.extend_from_slice(&body);
        if record.len() > BLOCK_BYTES {
            let sum = checksum(&body, part_seed(Part::Members, gid));
            put(&mut record, 8, &sum.to_le_bytes());
        }
        let entry = appended(&mut self.group_bytes, name, gid, &record, name_end)?;
        self.groups.push(entry);
        Ok(())
    }

    /// Writes into each record what comes before it in order, and into groups what comes next.
    fn link(&mut self) {
        let mut previous = 0_u32;
        for user in &self.users {
            put(&mut self.user_bytes, user.at + 24, &previous.to_le_bytes());
            previous = user.id;
        }
        previous = 0;
        let next = self.groups.iter().skip(1).map(Entry::place).chain([0]);
        for (group, next) in self.groups.iter().zip(next) {
            let links = [previous.to_le_bytes(), next.to_le_bytes()].concat();
            if group.of_user {
                put(&mut self.user_bytes, group.at + 28, &links);
            } else {
                put(&mut self.group_bytes, group.at + 20, &links);
            }
            previous = group.id;
        }
    }

    fn sum(&mut self) {
        for user in &self.users {
            let summed = self.user_bytes.get(user.at + 8..user.summed_end);
            let sum = user_checksum(user.id, summed.unwrap_or_default());
            put(&mut self.user_bytes, user.at, &sum.to_le_bytes());
        }
        for group in self.groups.iter().filter(|group| !group.of_user) {
            let summed = self.group_bytes.get(group.at + 8..group.summed_end);
            let sum = group_checksum(group.id, summed.unwrap_or_default());
            put(&mut self.group_bytes, group.at, &sum.to_le_bytes());
        }
    }
}

/// Whoever made the content has checked names by all rules; here no name may break a record.
fn check_name(name: &str) -> Result<(), WriteError> {
    let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    if (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(fits) {
        Ok(())
    } else {
        Err(WriteError::BadName(name.to_owned()))
    }
}

fn append_text(record: &mut Vec<u8>, user: &MapUser<'_>) -> Result<(), WriteError> {
    let (name, gecos) = (&*user.name, &*user.gecos);
    let (home, shell) = (&*user.home, &*user.shell);
    for (at, field) in [(40, gecos), (42, home), (44, shell)] {
        let length = u16::try_from(field.len()).unwrap_or(u16::MAX);
        put(record, at, &length.to_le_bytes());
    }
    put(record, 47, &[u8::try_from(name.len()).unwrap_or(u8::MAX)]);
    for field in [name, "x", gecos, home, shell] {
        if field.len() > FIELD_BYTES_MAX || field.contains(['\0', ':', '\n']) {
            return Err(WriteError::BadText(user.name.to_string()));
        }
        record.extend_from_slice(field.as_bytes());
        record.push(0);
    }
    Ok(())
}

fn members<'a>(group: &'a MapGroup<'_>, policy: MemberPolicy) -> Result<Vec<&'a str>, WriteError> {
    let mut members: Vec<&str> = match policy {
        MemberPolicy::All => group.members.iter().map(|name| &**name).collect(),
        MemberPolicy::None => Vec::new(),
    };
    for member in &members {
        check_name(member)?;
    }
    members.sort_unstable();
    members.dedup();
    if members.len() > MEMBERS_PER_GROUP_MAX {
        return Err(WriteError::TooManyMembers {
            group: group.name.to_string(),
            count: members.len(),
        });
    }
    Ok(members)
}

/// Puts a record behind the others of its section.
fn appended<'a>(
    bytes: &mut Vec<u8>,
    name: &'a str,
    id: u32,
    record: &[u8],
    body_at: usize,
) -> Result<Entry<'a>, WriteError> {
    let at = rounded(bytes.len(), RECORD_ALIGN);
    bytes.resize(at, 0);
    bytes.extend_from_slice(record);
    let whole = record.len() <= BLOCK_BYTES;
    Ok(Entry {
        name,
        id,
        place: counted(at / RECORD_ALIGN + 1)?,
        of_user: false,
        at,
        summed_end: at + if whole { record.len() } else { body_at },
    })
}

pub(crate) fn counted(count: usize) -> Result<u32, WriteError> {
    u32::try_from(count).map_err(|_| WriteError::TooLarge(count as u64))
}
