//! Users and their group lists, read from a map. The text of a user is read straight into the
//! caller's buffer; the rest is a few numbers.

use crate::body::{Body, Lies};
use crate::hash::{Part, checksum, part_seed};
use crate::layout::{
    BLOCK_BYTES, FIELD_BYTES_MAX, GROUPS_PER_USER_MAX, NAME_BYTES_MAX, SectionKind,
    USER_HEAD_BYTES, USER_RECORD_BYTES_MAX, rounded, u16_at, u32_at, u64_at,
};
use crate::order::Links;
use crate::read::{Bytes, Map, ReadError, is_ours, offset_of, place_at};

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
}

/// The groups of a user: copied already, or where they lie in the map.
#[derive(Debug, Clone)]
pub struct GroupList {
    uid: u32,
    count: usize,
    body: Body,
}

/// A user's record, copied out of the map and checked.
pub(crate) struct CheckedUser<'a> {
    pub(crate) head: UserHead,
    record: &'a [u8],
    at: u64,
}

/// The numbers in front of a record.
pub(crate) struct UserHead {
    pub(crate) uid: u32,
    gid: u32,
    name: usize,
    gecos: usize,
    home: usize,
    shell: usize,
    groups: usize,
}

impl<B: Bytes> Map<B> {
    /// The user of this name.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or the text does not fit into the buffer.
    #[inline]
    pub fn user_by_name(
        &self,
        name: &[u8],
        buffer: &mut [u8],
    ) -> Result<Option<UserRecord>, ReadError> {
        if name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        let is_wanted = |user: &CheckedUser<'_>| user.name() == Some(name);
        self.user_of(SectionKind::UsersByName, name, &is_wanted, buffer)
    }

    /// The user of this id.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or the text does not fit into the buffer.
    pub fn user_by_id(&self, uid: u32, buffer: &mut [u8]) -> Result<Option<UserRecord>, ReadError> {
        let is_wanted = |user: &CheckedUser<'_>| user.head.uid == uid;
        self.user_of(
            SectionKind::UsersById,
            &uid.to_le_bytes(),
            &is_wanted,
            buffer,
        )
    }

    fn user_of(
        &self,
        index: SectionKind,
        key: &[u8],
        is_wanted: &dyn Fn(&CheckedUser<'_>) -> bool,
        buffer: &mut [u8],
    ) -> Result<Option<UserRecord>, ReadError> {
        let mut found = None;
        self.find(index, key, &mut |place| {
            self.checked_user(place, &mut |user| {
                if is_wanted(user) {
                    found = Some(user.hand_over(buffer)?);
                }
                Ok(())
            })?;
            Ok(found.is_some())
        })?;
        Ok(found)
    }

    /// The groups of the user of this name.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    #[inline]
    pub fn group_list_of(&self, name: &[u8]) -> Result<Option<GroupList>, ReadError> {
        if name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        let mut found = None;
        self.find(SectionKind::UsersByName, name, &mut |place| {
            self.checked_user(place, &mut |user| {
                if user.name() == Some(name) {
                    found = Some(user.group_list());
                }
                Ok(())
            })?;
            Ok(found.is_some())
        })?;
        Ok(found)
    }

    /// Copies a group list into a buffer of exactly [`GroupList::bytes`] bytes: each id in four
    /// bytes, little endian. On an error the buffer holds nothing of use.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    #[inline]
    pub fn read_group_list(&self, list: &GroupList, buffer: &mut [u8]) -> Result<(), ReadError> {
        if buffer.len() != list.bytes() {
            return Err(ReadError::Damaged);
        }
        let seed = part_seed(Part::GroupList, list.uid);
        self.read_body(SectionKind::Users, &list.body, seed, buffer)?;
        let (ids, _) = buffer.as_chunks::<4>();
        if ids.iter().all(|id| is_ours(u32::from_le_bytes(*id))) {
            Ok(())
        } else {
            Err(ReadError::Damaged)
        }
    }

    /// Lets `take` have the record at a place, once it is copied and checked.
    pub(crate) fn checked_user(
        &self,
        place: u32,
        take: &mut dyn FnMut(&CheckedUser<'_>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let at = offset_of(place)?;
        let mut block = [0; BLOCK_BYTES];
        self.read_array_within(SectionKind::Users, at, &mut block)?;
        let head = UserHead::parse(&block)?;
        match block.get(..head.summed_bytes()) {
            Some(record) => take(&CheckedUser::new(head, record, at)?),
            None => self.checked_long_user(head, &block, at, take),
        }
    }

    #[cold]
    #[inline(never)]
    fn checked_long_user(
        &self,
        head: UserHead,
        block: &[u8; BLOCK_BYTES],
        at: u64,
        take: &mut dyn FnMut(&CheckedUser<'_>) -> Result<(), ReadError>,
    ) -> Result<(), ReadError> {
        let mut whole = [0; USER_RECORD_BYTES_MAX];
        let (first, rest) = whole.split_at_mut(BLOCK_BYTES);
        first.copy_from_slice(block);
        let missing = head.summed_bytes().saturating_sub(BLOCK_BYTES);
        let rest = rest.get_mut(..missing).ok_or(ReadError::Damaged)?;
        self.read_within(SectionKind::Users, at + BLOCK_BYTES as u64, rest)?;
        let record = whole.get(..head.summed_bytes());
        let record = record.ok_or(ReadError::Damaged)?;
        take(&CheckedUser::new(head, record, at)?)
    }
}

impl<'a> CheckedUser<'a> {
    /// Believes what the checksum and every limit allow.
    #[inline]
    fn new(head: UserHead, record: &'a [u8], at: u64) -> Result<Self, ReadError> {
        let (sum, summed) = record.split_first_chunk().ok_or(ReadError::Damaged)?;
        let whole = user_checksum(head.uid, summed) == u64::from_le_bytes(*sum)
            && is_ours(head.uid)
            && is_ours(head.gid);
        let user = Self { head, record, at };
        if whole && user.ends_well() {
            Ok(user)
        } else {
            Err(ReadError::Damaged)
        }
    }

    #[inline]
    fn text(&self) -> &'a [u8] {
        let text = self.record.get(USER_HEAD_BYTES..self.head.text_end());
        text.unwrap_or_default()
    }

    #[inline]
    pub(crate) fn name(&self) -> Option<&'a [u8]> {
        self.text().get(..self.head.name)
    }

    /// Whether NULs stand before the fields and at the end.
    #[inline]
    fn ends_well(&self) -> bool {
        let text = self.text();
        let [_, following @ ..] = self.head.starts();
        let nul = |end: usize| text.get(end) == Some(&0);
        following.into_iter().all(|start| nul(start - 1)) && text.last() == Some(&0)
    }

    /// A buffer is too small only for a user who is wanted and whole.
    #[inline]
    pub(crate) fn hand_over(&self, buffer: &mut [u8]) -> Result<UserRecord, ReadError> {
        let text = self.text();
        let room = buffer.get_mut(..text.len());
        room.ok_or(ReadError::BufferTooSmall)?.copy_from_slice(text);
        Ok(UserRecord {
            uid: self.head.uid,
            gid: self.head.gid,
            starts: self.head.starts(),
            text_bytes: text.len(),
        })
    }

    #[inline]
    fn group_list(&self) -> GroupList {
        let within = self.head.list_at();
        let lies = if self.head.end() <= BLOCK_BYTES {
            Lies::Here(within)
        } else {
            Lies::There {
                at: self.at + within as u64,
                sum: u64_at(self.record, 8),
            }
        };
        GroupList {
            uid: self.head.uid,
            count: self.head.groups,
            body: Body::new(self.record, lies),
        }
    }

    /// What stands before this user in the order of users, and the place behind.
    #[inline]
    pub(crate) fn links(&self) -> Links {
        Links {
            id: self.head.uid,
            previous: u32_at(self.record, 24),
            next: place_at(self.at + self.head.end() as u64),
        }
    }

    /// The same in the order of groups, for whom this user stands.
    pub(crate) fn group_links(&self) -> Links {
        Links {
            id: self.head.uid,
            previous: u32_at(self.record, 28),
            next: u32_at(self.record, 32),
        }
    }

    /// The record, and how many are in the private group that it stands for, if it does.
    pub(crate) fn private_group(&self) -> Option<(&'a [u8], usize)> {
        match self.record.get(46) {
            Some(&PRIVATE_GROUP_EMPTY) => Some((self.record, 0)),
            Some(&PRIVATE_GROUP_OF_ONE) => Some((self.record, 1)),
            Some(_) | None => None,
        }
    }
}

/// A user who stands for a group without members.
pub(crate) const PRIVATE_GROUP_EMPTY: u8 = 1;
/// A user who stands for a group in which nobody else is.
pub(crate) const PRIVATE_GROUP_OF_ONE: u8 = 2;

impl UserHead {
    #[inline]
    fn parse(block: &[u8; BLOCK_BYTES]) -> Result<Self, ReadError> {
        let head = Self {
            uid: u32_at(block, 16),
            gid: u32_at(block, 20),
            name: usize::from(block[47]),
            gecos: usize::from(u16_at(block, 40)),
            home: usize::from(u16_at(block, 42)),
            shell: usize::from(u16_at(block, 44)),
            groups: u32_at(block, 36) as usize,
        };
        let longest = head.gecos.max(head.home).max(head.shell);
        if head.name <= NAME_BYTES_MAX
            && longest <= FIELD_BYTES_MAX
            && head.groups <= GROUPS_PER_USER_MAX
        {
            Ok(head)
        } else {
            Err(ReadError::Damaged)
        }
    }

    #[inline]
    fn text_end(&self) -> usize {
        USER_HEAD_BYTES + self.name + self.gecos + self.home + self.shell + TEXT_BYTES_MIN
    }

    #[inline]
    fn list_at(&self) -> usize {
        rounded(self.text_end(), 4)
    }

    #[inline]
    fn end(&self) -> usize {
        self.list_at() + self.groups * 4
    }

    /// Where the bytes end that the checksum covers.
    #[inline]
    fn summed_bytes(&self) -> usize {
        if self.end() <= BLOCK_BYTES {
            self.end()
        } else {
            self.text_end()
        }
    }

    /// Where each field of the text begins.
    #[inline]
    fn starts(&self) -> [usize; 5] {
        let password = self.name + 1;
        let comment = password + 2;
        let directory = comment + self.gecos + 1;
        [0, password, comment, directory, directory + self.home + 1]
    }
}

impl GroupList {
    /// Number of groups.
    #[must_use]
    #[inline]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Bytes that [`Map::read_group_list`] fills.
    #[must_use]
    #[inline]
    pub fn bytes(&self) -> usize {
        self.count * 4
    }
}

/// Sum of a record, of everything behind the sum itself.
#[inline]
pub(crate) fn user_checksum(uid: u32, summed: &[u8]) -> u64 {
    checksum(summed, part_seed(Part::User, uid))
}
