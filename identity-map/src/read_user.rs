//! Users and their group lists, read from a map. The text of a user is read straight into the
//! caller's buffer; the rest is a few numbers.

use crate::hash::{Part, checksum, part_seed};
use crate::layout::{
    FIELD_BYTES_MAX, GROUPS_PER_USER_MAX, NAME_BYTES_MAX, SectionKind, USER_BLOCK_BYTES,
    USER_HEAD_BYTES, USER_RECORD_BYTES_MAX, USER_TEXT_BYTES_MAX, rounded, u16_at, u32_at, u64_at,
};
use crate::order::Cursor;
use crate::read::{Bytes, Map, ReadError, is_ours, offset_of};

/// Nothing but the NULs and the password field.
const TEXT_BYTES_MIN: usize = 6;

/// A user whose text was read and checked. It begins at the start of the buffer: name, password
/// field, comment, home and shell as a passwd entry wants them, a NUL behind each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRecord {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Where each of the five fields begins.
    pub starts: [usize; 5],
    /// Where the text ends.
    pub text_bytes: usize,
    /// Where the groups of this user are listed.
    pub group_list: GroupList,
}

/// Where the group list of a user lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupList {
    uid: u32,
    count: usize,
    sum: u64,
    at: u64,
}

/// The numbers in front of a record, not yet believed.
struct Head {
    lengths: [usize; 4],
    at: u64,
}

impl<B: Bytes> Map<B> {
    /// The user of this name.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or the text does not fit into the buffer.
    pub fn user_by_name(
        &self,
        name: &[u8],
        buffer: &mut [u8],
    ) -> Result<Option<UserRecord>, ReadError> {
        if name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        self.find(SectionKind::UsersByName, name, |place| {
            self.user(place, buffer, |user, text| user.name(text) == Some(name))
        })
    }

    /// The user of this id.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or the text does not fit into the buffer.
    pub fn user_by_id(&self, uid: u32, buffer: &mut [u8]) -> Result<Option<UserRecord>, ReadError> {
        self.find(SectionKind::UsersById, &uid.to_le_bytes(), |place| {
            self.user(place, buffer, |user, _| user.uid == uid)
        })
    }

    /// The user with the next higher id, and the cursor behind it.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or the text does not fit into the buffer.
    pub fn user_after(
        &self,
        cursor: Cursor,
        buffer: &mut [u8],
    ) -> Result<Option<(UserRecord, Cursor)>, ReadError> {
        let next = self.next_in_order(SectionKind::UsersInOrder, self.header.users, cursor)?;
        let Some((id, place, cursor)) = next else {
            return Ok(None);
        };
        match self.user(place, buffer, |user, _| user.uid == id)? {
            Some(user) => Ok(Some((user, cursor))),
            None => Err(ReadError::Damaged),
        }
    }

    /// Where the groups of the user of this name are listed.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    pub fn group_list_of(&self, name: &[u8]) -> Result<Option<GroupList>, ReadError> {
        let mut text = [0; USER_TEXT_BYTES_MAX];
        let user = self.user_by_name(name, &mut text)?;
        Ok(user.map(|user| user.group_list))
    }

    /// Copies a group list into a buffer of exactly [`GroupList::bytes`] bytes: each id in four
    /// bytes, little endian. On an error the buffer holds nothing of use.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    pub fn read_group_list(&self, list: &GroupList, buffer: &mut [u8]) -> Result<(), ReadError> {
        if buffer.len() != list.bytes() {
            return Err(ReadError::Damaged);
        }
        self.read_within(SectionKind::Users, list.at, buffer)?;
        let mut ids = buffer.chunks_exact(4).map(|id| u32_at(id, 0));
        let fits = checksum(buffer, part_seed(Part::GroupList, list.uid)) == list.sum;
        if fits && ids.all(is_ours) {
            Ok(())
        } else {
            Err(ReadError::Damaged)
        }
    }

    /// Reads the record at a place, checks it, asks whether it is the one that is wanted, and only
    /// then gives its text to the caller.
    #[inline]
    fn user(
        &self,
        place: u32,
        buffer: &mut [u8],
        is_wanted: impl FnOnce(&UserRecord, &[u8]) -> bool,
    ) -> Result<Option<UserRecord>, ReadError> {
        // Nearly every record fits into a block, and a read of fixed length is the fastest.
        let mut block = [0; USER_BLOCK_BYTES];
        let at = offset_of(place)?;
        self.read_within(SectionKind::Users, at, &mut block)?;
        let head = Head::parse(&block, at)?;
        match block.get(..head.record_bytes()) {
            Some(record) => handed_over(&head, record, buffer, is_wanted),
            None => self.long_user(&head, &block, buffer, is_wanted),
        }
    }

    #[cold]
    fn long_user(
        &self,
        head: &Head,
        block: &[u8; USER_BLOCK_BYTES],
        buffer: &mut [u8],
        is_wanted: impl FnOnce(&UserRecord, &[u8]) -> bool,
    ) -> Result<Option<UserRecord>, ReadError> {
        let mut whole = [0; USER_RECORD_BYTES_MAX];
        let (first, rest) = whole.split_at_mut(USER_BLOCK_BYTES);
        first.copy_from_slice(block);
        let missing = head.record_bytes().saturating_sub(USER_BLOCK_BYTES);
        let rest = rest.get_mut(..missing).ok_or(ReadError::Damaged)?;
        let behind = head.at + USER_BLOCK_BYTES as u64;
        self.read_within(SectionKind::Users, behind, rest)?;
        let record = whole.get(..head.record_bytes());
        handed_over(head, record.ok_or(ReadError::Damaged)?, buffer, is_wanted)
    }
}

/// A buffer is too small only for a user who is wanted and whole.
#[inline]
fn handed_over(
    head: &Head,
    record: &[u8],
    buffer: &mut [u8],
    is_wanted: impl FnOnce(&UserRecord, &[u8]) -> bool,
) -> Result<Option<UserRecord>, ReadError> {
    let user = head.checked(record)?;
    let text = record.get(USER_HEAD_BYTES..).unwrap_or_default();
    if !is_wanted(&user, text) {
        return Ok(None);
    }
    let place = buffer.get_mut(..text.len());
    place
        .ok_or(ReadError::BufferTooSmall)?
        .copy_from_slice(text);
    Ok(Some(user))
}

impl UserRecord {
    #[inline]
    fn name<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let [_, password, ..] = self.starts;
        text.get(..password.checked_sub(1)?)
    }
}

impl Head {
    #[inline]
    fn parse(block: &[u8; USER_BLOCK_BYTES], at: u64) -> Result<Self, ReadError> {
        let lengths = [28, 30, 32, 34].map(|field| usize::from(u16_at(block, field)));
        if lengths.iter().any(|length| *length > FIELD_BYTES_MAX) {
            return Err(ReadError::Damaged);
        }
        Ok(Self { lengths, at })
    }

    /// Numbers and text.
    #[inline]
    fn record_bytes(&self) -> usize {
        USER_HEAD_BYTES + self.lengths.iter().sum::<usize>() + TEXT_BYTES_MIN
    }

    /// Where each field of the text begins.
    #[inline]
    fn starts(&self) -> [usize; 5] {
        let [name, gecos, home, _] = self.lengths;
        let password = name + 1;
        let comment = password + 2;
        let directory = comment + gecos + 1;
        [0, password, comment, directory, directory + home + 1]
    }

    #[inline]
    fn checked(&self, record: &[u8]) -> Result<UserRecord, ReadError> {
        let (head, text) = record
            .split_first_chunk::<USER_HEAD_BYTES>()
            .ok_or(ReadError::Damaged)?;
        let (uid, gid) = (u32_at(head, 16), u32_at(head, 20));
        let starts = self.starts();
        let user = UserRecord {
            uid,
            gid,
            starts,
            text_bytes: text.len(),
            group_list: GroupList {
                uid,
                count: u32_at(head, 24) as usize,
                sum: u64_at(head, 8),
                at: self.at + rounded(record.len(), 4) as u64,
            },
        };
        let summed = record.get(8..).unwrap_or_default();
        let whole = user_checksum(uid, summed) == u64_at(head, 0)
            && is_ours(uid)
            && is_ours(gid)
            && user.group_list.count <= GROUPS_PER_USER_MAX
            && ends_before(text, starts);
        if whole {
            Ok(user)
        } else {
            Err(ReadError::Damaged)
        }
    }
}

impl GroupList {
    /// Number of groups.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes that [`Map::read_group_list`] fills.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.count * 4
    }
}

/// Sum of a record: of everything behind the sum itself, but the group list.
#[inline]
pub(crate) fn user_checksum(uid: u32, summed: &[u8]) -> u64 {
    checksum(summed, part_seed(Part::User, uid))
}

/// Whether NULs stand before the fields and at the end.
#[inline]
fn ends_before(text: &[u8], starts: [usize; 5]) -> bool {
    let [_, following @ ..] = starts;
    let nul = |end: usize| text.get(end) == Some(&0);
    following.into_iter().all(|start| nul(start - 1)) && text.last() == Some(&0)
}
