//! Puts into the buffer of the caller what does not lie in the map as the caller wants it: a group's
//! aligned table of pointers to its members, and records that no map holds. Says where each part
//! lies; the pointers to them are made in `ffi.rs`.

use identity_map::{Bytes, GroupHead, Map, UserRecord};

use crate::answer::Failure;

pub(crate) const POINTER_BYTES: usize = size_of::<*const u8>();
const PASSWORD: &[u8] = b"x\0";

/// Where the parts of a user begin in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserPlaces {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Name, password field, comment, home, shell.
    pub starts: [u16; 5],
}

impl From<UserRecord> for UserPlaces {
    fn from(user: UserRecord) -> Self {
        Self {
            uid: user.uid,
            gid: user.gid,
            starts: user.starts,
        }
    }
}

/// Where the parts of a group begin in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupPlaces {
    /// Group id.
    pub gid: u32,
    /// The name.
    pub name: usize,
    /// The password field.
    pub password: usize,
    /// The aligned table of pointers to the members and a null pointer; still to be filled. The
    /// length of each member's name stands in its last bytes, the names begin behind it.
    pub table: usize,
    /// Number of members.
    pub members: usize,
}

/// The parts of a user that no map holds, each without NUL.
pub(crate) fn fields(
    (uid, gid): (u32, u32),
    fields: [&[u8]; 5],
    buffer: &mut [u8],
) -> Result<UserPlaces, Failure> {
    let mut starts = [0; 5];
    let mut end = 0;
    for (start, field) in starts.iter_mut().zip(fields) {
        *start = u16::try_from(end).map_err(|_| Failure::Unavailable)?;
        end = put_string(buffer, end, field)?;
    }
    Ok(UserPlaces { uid, gid, starts })
}

/// What a group takes where its pointers are aligned.
pub(crate) fn least_bytes(group: &GroupHead<'_>) -> usize {
    table_bytes(group)
        + group.members_bytes().saturating_sub(group.members())
        + group.name().len()
        + 1
        + PASSWORD.len()
}

fn table_bytes(group: &GroupHead<'_>) -> usize {
    (group.members() + 1) * POINTER_BYTES
}

/// Reads the members straight into the buffer: their lengths come to lie in the last bytes of the
/// pointer table, the names behind it.
pub(crate) fn group<B: Bytes>(
    map: &Map<B>,
    group: &GroupHead<'_>,
    buffer: &mut [u8],
) -> Result<GroupPlaces, Failure> {
    let members = group.members();
    let table_at = first_pointer_in(buffer);
    let names_at = table_at + table_bytes(group);
    let names_bytes = group.members_bytes().saturating_sub(members);
    let name_at = names_at + names_bytes;
    if buffer.len() < table_at + least_bytes(group) {
        return Err(Failure::BufferTooSmall);
    }
    let body = buffer
        .get_mut(names_at - members..name_at)
        .ok_or(Failure::BufferTooSmall)?;
    map.read_members(group, body)?;
    let password = put_string(buffer, name_at, group.name())?;
    put_string(buffer, password, b"x")?;
    Ok(GroupPlaces {
        gid: group.gid(),
        name: name_at,
        password,
        table: table_at,
        members,
    })
}

/// A group that no map holds, without members.
pub(crate) fn bare_group(gid: u32, name: &[u8], buffer: &mut [u8]) -> Result<GroupPlaces, Failure> {
    let table = first_pointer_in(buffer);
    let name_at = table + POINTER_BYTES;
    let password = put_string(buffer, name_at, name)?;
    put_string(buffer, password, b"x")?;
    Ok(GroupPlaces {
        gid,
        name: name_at,
        password,
        table,
        members: 0,
    })
}

/// Where the first pointer can stand.
fn first_pointer_in(buffer: &[u8]) -> usize {
    buffer.as_ptr().addr().wrapping_neg() % POINTER_BYTES
}

/// Puts a string and its NUL; the offset behind both.
fn put_string(buffer: &mut [u8], at: usize, text: &[u8]) -> Result<usize, Failure> {
    let end = at + text.len() + 1;
    let place = buffer.get_mut(at..end).ok_or(Failure::BufferTooSmall)?;
    let (last, rest) = place.split_last_mut().ok_or(Failure::BufferTooSmall)?;
    rest.copy_from_slice(text);
    *last = 0;
    Ok(end)
}
