//! Users and their group lists, read from a map. The text of a user is read straight into the
//! caller's buffer; the rest is a few numbers.

use crate::hash::{Part, checksum, part_seed};
use crate::layout::{
    FIELD_BYTES_MAX, GROUPS_PER_USER_MAX, NAME_BYTES_MAX, SectionKind, USER_HEAD_BYTES,
    USER_TEXT_BYTES_MAX, rounded, u16_at, u32_at, u64_at,
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

/// The numbers of a record, not yet believed.
struct Head {
    copy: [u8; USER_HEAD_BYTES],
    lengths: [usize; 4],
    text_at: u64,
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
            let head = self.user_head(place)?;
            self.user(&head, buffer, |user, text| user.name(text) == Some(name))
        })
    }

    /// The user of this id.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or the text does not fit into the buffer.
    pub fn user_by_id(&self, uid: u32, buffer: &mut [u8]) -> Result<Option<UserRecord>, ReadError> {
        self.find(SectionKind::UsersById, &uid.to_le_bytes(), |place| {
            let head = self.user_head(place)?;
            self.user(&head, buffer, |user, _| user.uid == uid)
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
        let head = self.user_head(place)?;
        match self.user(&head, buffer, |user, _| user.uid == id)? {
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

    fn user_head(&self, place: u32) -> Result<Head, ReadError> {
        let at = offset_of(place)?;
        let mut copy = [0; USER_HEAD_BYTES];
        self.read_within(SectionKind::Users, at, &mut copy)?;
        let lengths = [28, 30, 32, 34].map(|field| usize::from(u16_at(&copy, field)));
        if lengths.iter().any(|length| *length > FIELD_BYTES_MAX) {
            return Err(ReadError::Damaged);
        }
        Ok(Head {
            copy,
            lengths,
            text_at: at + USER_HEAD_BYTES as u64,
        })
    }

    /// Reads the text into the buffer, checks it, and asks whether it is the one that is wanted.
    fn user(
        &self,
        head: &Head,
        buffer: &mut [u8],
        is_wanted: impl FnOnce(&UserRecord, &[u8]) -> bool,
    ) -> Result<Option<UserRecord>, ReadError> {
        let Some(text) = buffer.get_mut(..head.text_bytes()) else {
            return self.user_without_room(head, is_wanted);
        };
        self.read_within(SectionKind::Users, head.text_at, text)?;
        let user = head.checked(text)?;
        Ok(is_wanted(&user, text).then_some(user))
    }

    /// A buffer is too small only for a user who is wanted and whole.
    #[cold]
    fn user_without_room(
        &self,
        head: &Head,
        is_wanted: impl FnOnce(&UserRecord, &[u8]) -> bool,
    ) -> Result<Option<UserRecord>, ReadError> {
        let mut scratch = [0; USER_TEXT_BYTES_MAX];
        let text = scratch
            .get_mut(..head.text_bytes())
            .ok_or(ReadError::Damaged)?;
        self.read_within(SectionKind::Users, head.text_at, text)?;
        let user = head.checked(text)?;
        if is_wanted(&user, text) {
            Err(ReadError::BufferTooSmall)
        } else {
            Ok(None)
        }
    }
}

impl UserRecord {
    fn name<'a>(&self, text: &'a [u8]) -> Option<&'a [u8]> {
        let [_, password, ..] = self.starts;
        text.get(..password.checked_sub(1)?)
    }
}

impl Head {
    fn text_bytes(&self) -> usize {
        self.lengths.iter().sum::<usize>() + TEXT_BYTES_MIN
    }

    /// Where each field of the text begins.
    fn starts(&self) -> [usize; 5] {
        let [name, gecos, home, _] = self.lengths;
        let password = name + 1;
        let comment = password + 2;
        let directory = comment + gecos + 1;
        [0, password, comment, directory, directory + home + 1]
    }

    fn checked(&self, text: &[u8]) -> Result<UserRecord, ReadError> {
        let (uid, gid) = (u32_at(&self.copy, 16), u32_at(&self.copy, 20));
        let starts = self.starts();
        let user = UserRecord {
            uid,
            gid,
            starts,
            text_bytes: text.len(),
            group_list: GroupList {
                uid,
                count: u32_at(&self.copy, 24) as usize,
                sum: u64_at(&self.copy, 8),
                at: self.text_at + rounded(text.len(), 4) as u64,
            },
        };
        let (_, numbers) = self.copy.split_at(8);
        let whole = user_checksum(uid, numbers, text) == u64_at(&self.copy, 0)
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

/// Sum of a record: of its numbers first, and under that sum of its text.
pub(crate) fn user_checksum(uid: u32, numbers: &[u8], text: &[u8]) -> u64 {
    checksum(text, checksum(numbers, part_seed(Part::User, uid)))
}

/// Whether NULs stand before the fields and at the end.
fn ends_before(text: &[u8], starts: [usize; 5]) -> bool {
    let [_, following @ ..] = starts;
    let nul = |end: usize| text.get(end) == Some(&0);
    following.into_iter().all(|start| nul(start - 1)) && text.last() == Some(&0)
}
