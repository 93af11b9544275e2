//! Puts into the buffer of the caller what does not lie in the map as the caller wants it: a group's
//! aligned table of pointers to its members, and records that no map holds. Says where each part
//! lies; the pointers to them are made in `ffi.rs`.

use identity_map::{Bytes, GroupHead, Map, UserRecord};

use crate::answer::Failure;

const POINTER_BYTES: usize = size_of::<*const u8>();
const PASSWORD: &[u8] = b"x\0";

/// Where the parts of a user begin in the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserPlaces {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Name, password field, comment, home, shell.
    pub starts: [usize; 5],
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
    /// The table of pointers to the members, aligned and ended by a null pointer.
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
        *start = end;
        end = put_string(buffer, end, field)?;
    }
    Ok(UserPlaces { uid, gid, starts })
}

/// Reads the members straight into the buffer: their lengths end up in the last bytes of the
/// pointer table, the names behind it, and each length is used up before a pointer covers it.
pub(crate) fn group<B: Bytes>(
    map: &Map<B>,
    group: &GroupHead,
    buffer: &mut [u8],
) -> Result<GroupPlaces, Failure> {
    let members = group.members();
    let table_at = buffer.as_ptr().align_offset(POINTER_BYTES);
    let table_bytes = (members + 1) * POINTER_BYTES;
    let names_at = table_at + table_bytes;
    let names_bytes = group.members_bytes().saturating_sub(members);
    let name_at = names_at + names_bytes;
    let end = name_at + group.name().len() + 1 + PASSWORD.len();
    if buffer.len() < end {
        return Err(Failure::BufferTooSmall);
    }
    let body = buffer
        .get_mut(names_at - members..name_at)
        .ok_or(Failure::BufferTooSmall)?;
    map.read_members(group, body)?;
    point_to_members(buffer, table_at, members)?;
    let password = put_string(buffer, name_at, group.name())?;
    put_string(buffer, password, b"x")?;
    Ok(GroupPlaces {
        gid: group.gid(),
        name: name_at,
        password,
        members: table_at,
    })
}

/// A group that no map holds, without members.
pub(crate) fn bare_group(gid: u32, name: &[u8], buffer: &mut [u8]) -> Result<GroupPlaces, Failure> {
    let members = buffer.as_ptr().align_offset(POINTER_BYTES);
    let name_at = members + POINTER_BYTES;
    let table = buffer
        .get_mut(members..name_at)
        .ok_or(Failure::BufferTooSmall)?;
    table.fill(0);
    let password = put_string(buffer, name_at, name)?;
    put_string(buffer, password, b"x")?;
    Ok(GroupPlaces {
        gid,
        name: name_at,
        password,
        members,
    })
}

fn point_to_members(buffer: &mut [u8], table_at: usize, members: usize) -> Result<(), Failure> {
    let table_bytes = (members + 1) * POINTER_BYTES;
    let table = buffer
        .get_mut(table_at..table_at + table_bytes)
        .ok_or(Failure::BufferTooSmall)?;
    let lengths_at = table_bytes - members;
    let mut address = table.as_mut_ptr_range().end.expose_provenance();
    for member in 0..members {
        let length = table.get(lengths_at + member).copied();
        let entry = table.get_mut(member * POINTER_BYTES..(member + 1) * POINTER_BYTES);
        if let (Some(length), Some(entry)) = (length, entry) {
            entry.copy_from_slice(&address.to_ne_bytes());
            address += usize::from(length) + 1;
        }
    }
    let last = table.get_mut(members * POINTER_BYTES..).unwrap_or_default();
    last.fill(0);
    Ok(())
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
