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

/// Where a user's record is copied to: nearly always a block is enough.
pub(crate) struct UserRoom {
    pub(crate) block: [u8; BLOCK_BYTES],
    long: Option<[u8; USER_RECORD_BYTES_MAX]>,
}

/// A user's record, copied out of the map and checked.
pub(crate) struct CheckedUser<'a> {
    pub(crate) head: UserHead,
    record: &'a [u8],
    text: &'a [u8],
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
        let mut room = UserRoom::new();
        let mut search = self.search(SectionKind::UsersByName, name);
        while let Some(place) = self.next_place(&mut search)? {
            let user = self.user_at(place, &mut room)?;
            if user.name() == Some(name) {
                return user.hand_over(buffer).map(Some);
            }
        }
        Ok(None)
    }

    /// The user of this id.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or the text does not fit into the buffer.
    #[inline]
    pub fn user_by_id(&self, uid: u32, buffer: &mut [u8]) -> Result<Option<UserRecord>, ReadError> {
        let mut room = UserRoom::new();
        let mut search = self.search(SectionKind::UsersById, &uid.to_le_bytes());
        while let Some(place) = self.next_place(&mut search)? {
            let user = self.user_at(place, &mut room)?;
            if user.head.uid == uid {
                return user.hand_over(buffer).map(Some);
            }
        }
        Ok(None)
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
        let mut room = UserRoom::new();
        let mut search = self.search(SectionKind::UsersByName, name);
        while let Some(place) = self.next_place(&mut search)? {
            let user = self.user_at(place, &mut room)?;
            if user.name() == Some(name) {
                let (uid, count, lies) = user.group_list();
                let body = Body::new(room.block, lies);
                return Ok(Some(GroupList { uid, count, body }));
            }
        }
        Ok(None)
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

    /// The user at a place. Inlined where it is called: what it tells is long, and would be moved.
    #[inline(always)]
    pub(crate) fn user_at<'r>(
        &self,
        place: u32,
        room: &'r mut UserRoom,
    ) -> Result<CheckedUser<'r>, ReadError> {
        let at = offset_of(place)?;
        self.read_array_within(SectionKind::Users, at, &mut room.block)?;
        let head = UserHead::parse(&room.block)?;
        let read: &[u8] = if head.summed_bytes() <= BLOCK_BYTES {
            &room.block
        } else {
            let whole = room.long.insert([0; USER_RECORD_BYTES_MAX]);
            self.read_long_user(&head, at, &room.block, whole)?;
            whole
        };
        CheckedUser::new(head, read, at)
    }

    /// The same, not inlined: the module that is loaded into every process is small.
    #[inline(never)]
    pub(crate) fn user_told_at<'r>(
        &self,
        place: u32,
        room: &'r mut UserRoom,
    ) -> Result<CheckedUser<'r>, ReadError> {
        self.user_at(place, room)
    }

    #[cold]
    #[inline(never)]
    fn read_long_user(
        &self,
        head: &UserHead,
        at: u64,
        block: &[u8; BLOCK_BYTES],
        whole: &mut [u8; USER_RECORD_BYTES_MAX],
    ) -> Result<(), ReadError> {
        let (first, rest) = whole.split_at_mut(BLOCK_BYTES);
        first.copy_from_slice(block);
        let missing = head.summed_bytes().saturating_sub(BLOCK_BYTES);
        let rest = rest.get_mut(..missing).ok_or(ReadError::Damaged)?;
        self.read_within(SectionKind::Users, at + BLOCK_BYTES as u64, rest)
    }
}

impl UserRoom {
    #[inline]
    pub(crate) fn new() -> Self {
        Self {
            block: [0; BLOCK_BYTES],
            long: None,
        }
    }
}

impl<'a> CheckedUser<'a> {
    /// Believes what the checksum and every limit allow.
    #[inline(always)]
    fn new(head: UserHead, read: &'a [u8], at: u64) -> Result<Self, ReadError> {
        let record = read.get(..head.summed_bytes()).ok_or(ReadError::Damaged)?;
        let (sum, summed) = record.split_first_chunk().ok_or(ReadError::Damaged)?;
        let text = record.get(USER_HEAD_BYTES..head.text_end());
        let text = text.ok_or(ReadError::Damaged)?;
        let whole = user_checksum(head.uid, summed) == u64::from_le_bytes(*sum)
            && is_ours(head.uid)
            && is_ours(head.gid)
            && head.ends_well(text);
        if whole {
            Ok(Self {
                head,
                record,
                text,
                at,
            })
        } else {
            Err(ReadError::Damaged)
        }
    }

    #[inline]
    pub(crate) fn name(&self) -> Option<&'a [u8]> {
        self.text.get(..self.head.name)
    }

    /// A buffer is too small only for a user who is wanted and whole.
    #[inline]
    pub(crate) fn hand_over(&self, buffer: &mut [u8]) -> Result<UserRecord, ReadError> {
        let text = self.text;
        let room = buffer.get_mut(..text.len());
        room.ok_or(ReadError::BufferTooSmall)?.copy_from_slice(text);
        Ok(UserRecord {
            uid: self.head.uid,
            gid: self.head.gid,
            starts: self.head.starts(),
            text_bytes: text.len(),
        })
    }

    /// Whose groups, how many, and where they lie.
    #[inline]
    fn group_list(&self) -> (u32, usize, Lies) {
        let within = self.head.list_at();
        let lies = if self.head.end() <= BLOCK_BYTES {
            Lies::Here(within)
        } else {
            Lies::There {
                at: self.at + within as u64,
                sum: u64_at(self.record, 8),
            }
        };
        (self.head.uid, self.head.groups, lies)
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

    /// How many are in the private group that this record stands for, if it does.
    pub(crate) fn private_group(&self) -> Option<usize> {
        match self.record.get(46) {
            Some(&PRIVATE_GROUP_EMPTY) => Some(0),
            Some(&PRIVATE_GROUP_OF_ONE) => Some(1),
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

    /// Whether NULs stand before the fields and at the end.
    #[inline(always)]
    fn ends_well(&self, text: &[u8]) -> bool {
        let [_, following @ ..] = self.starts();
        let nul = |end: usize| text.get(end) == Some(&0);
        following.into_iter().all(|start| nul(start - 1)) && text.last() == Some(&0)
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
