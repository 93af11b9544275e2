//! Users and their group lists, read from a map. The text of a user is read straight into the
//! caller's buffer; the rest is a few numbers.

use crate::body::Body;
use crate::hash::{Part, checksum, part_seed};
use crate::layout::{
    BLOCK_BYTES, FIELD_BYTES_MAX, GROUPS_PER_USER_MAX, NAME_BYTES_MAX, SectionKind,
    USER_HEAD_BYTES, USER_RECORD_BYTES_MAX, USER_TEXT_BYTES_MAX, rounded, u16_at, u32_at, u64_at,
};
use crate::order::{Links, Place};
use crate::read::{Bytes, Map, ReadError, is_ours, place_at};

/// Nothing but the NULs and the password field.
const TEXT_BYTES_MIN: usize = 6;
/// Just before the name.
const NAME_LENGTH_AT: usize = USER_HEAD_BYTES - 1;

/// A user whose text was read and checked. It begins at the start of the buffer: name, password
/// field, comment, home and shell as a passwd entry wants them, a NUL behind each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserRecord {
    /// User id.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
    /// Where each of the five fields begins.
    pub starts: [u16; 5],
    /// Where the text ends.
    pub text_bytes: u16,
}

/// The groups of a user, as long as they are looked at.
#[derive(Debug)]
pub struct GroupList<'a> {
    uid: u32,
    count: usize,
    body: Body<'a>,
}

/// Where a record is copied to, if it must be: a user's, or the block that is read of a group's.
#[derive(Default)]
pub(crate) struct Room(Option<[u8; USER_RECORD_BYTES_MAX]>);

impl Room {
    #[inline]
    pub(crate) fn emptied(&mut self) -> &mut [u8; USER_RECORD_BYTES_MAX] {
        self.0.insert([0; USER_RECORD_BYTES_MAX])
    }
}

/// A user's record: its numbers, and the whole of it with the text and groups behind them.
pub(crate) struct CheckedUser<'a> {
    numbers: &'a [u8; USER_HEAD_BYTES],
    record: &'a [u8],
    offset: u64,
}

/// Lengths of the parts of a record, as it says.
struct Lengths {
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
        self.find(SectionKind::UsersByName, name, |place| {
            let mut room = Room::default();
            let user = self.user_at(place, &mut room)?;
            let is_wanted = user.is_named(name);
            is_wanted.then(|| user.hand_over(buffer)).transpose()
        })
    }

    /// The user of this id.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or the text does not fit into the buffer.
    #[inline]
    pub fn user_by_id(&self, uid: u32, buffer: &mut [u8]) -> Result<Option<UserRecord>, ReadError> {
        self.find(SectionKind::UsersById, &uid.to_le_bytes(), |place| {
            let mut room = Room::default();
            let user = self.user_at(place, &mut room)?;
            let is_wanted = user.uid() == uid;
            is_wanted.then(|| user.hand_over(buffer)).transpose()
        })
    }

    /// Lets `read` have the groups of the user of this name; `None` if there is none.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or what `read` says.
    #[inline]
    pub fn groups_of<T, E: From<ReadError>>(
        &self,
        name: &[u8],
        mut read: impl FnMut(&GroupList<'_>) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        if name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        self.find(SectionKind::UsersByName, name, |place| {
            let mut room = Room::default();
            let user = self.user_at(place, &mut room)?;
            if !user.is_named(name) {
                return Ok(None);
            }
            read(&self.group_list_of(&user)?).map(Some)
        })
    }

    /// Whose groups, how many, and where they lie.
    #[inline]
    fn group_list_of<'a>(&self, user: &CheckedUser<'a>) -> Result<GroupList<'a>, ReadError> {
        let lengths = Lengths::of(user.numbers);
        if !lengths.are_possible() {
            return Err(ReadError::Damaged);
        }
        let list_at = lengths.list_at();
        let body = if B::ARE_FROZEN || lengths.end() <= BLOCK_BYTES {
            Body::Here(user.record.get(list_at..).ok_or(ReadError::Damaged)?)
        } else {
            let record = user.offset - self.header.section(SectionKind::Users).offset;
            Body::There {
                within: record + list_at as u64,
                sum: u64_at(user.numbers, 8),
            }
        };
        Ok(GroupList {
            uid: user.uid(),
            count: lengths.groups,
            body,
        })
    }

    /// Copies a group list into a buffer of exactly [`GroupList::bytes`] bytes: each id in four
    /// bytes, little endian. On an error the buffer holds nothing of use.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    #[inline]
    pub fn read_group_list(
        &self,
        list: &GroupList<'_>,
        buffer: &mut [u8],
    ) -> Result<(), ReadError> {
        if buffer.len() != list.bytes() {
            return Err(ReadError::Damaged);
        }
        let seed = part_seed(Part::GroupList, list.uid);
        self.read_body(SectionKind::Users, list.body, seed, buffer)?;
        let (ids, _) = buffer.as_chunks::<4>();
        if ids.iter().all(|id| is_ours(u32::from_le_bytes(*id))) {
            Ok(())
        } else {
            Err(ReadError::Damaged)
        }
    }

    /// The user at a place that this map names. Inlined where it is called: what it tells is long, and
    /// would be moved.
    #[inline(always)]
    pub(crate) fn user_at<'r>(
        &'r self,
        place: u32,
        room: &'r mut Room,
    ) -> Result<CheckedUser<'r>, ReadError> {
        let offset = self.offset_of(SectionKind::Users, place)?;
        if B::ARE_FROZEN {
            CheckedUser::of(self.bytes.frozen(offset)?, offset)
        } else {
            self.copied_user(offset, room)
        }
    }

    /// The same, not inlined: the module that is loaded into every process is small.
    #[inline(never)]
    pub(crate) fn user_told_at<'r>(
        &'r self,
        place: Place,
        room: &'r mut Room,
    ) -> Result<CheckedUser<'r>, ReadError> {
        match place {
            Place::Named(place) => self.user_at(place, room),
            Place::Claimed(place) => {
                self.copied_user(self.offset_of(SectionKind::Users, place)?, room)
            }
        }
    }

    /// Copies a record, and believes what the checksum allows.
    #[inline(never)]
    fn copied_user<'r>(
        &self,
        offset: u64,
        room: &'r mut Room,
    ) -> Result<CheckedUser<'r>, ReadError> {
        let within = offset - self.header.section(SectionKind::Users).offset;
        let copy = room.emptied();
        let (block, rest) = copy.split_at_mut(BLOCK_BYTES);
        self.read_within(SectionKind::Users, within, block)?;
        let numbers = block.first_chunk().ok_or(ReadError::Damaged)?;
        let lengths = Lengths::of(numbers);
        if !lengths.are_possible() {
            return Err(ReadError::Damaged);
        }
        let summed_bytes = lengths.summed_bytes();
        let uid = u32_at(numbers, 16);
        if summed_bytes > BLOCK_BYTES {
            let rest = rest.get_mut(..summed_bytes - BLOCK_BYTES);
            let rest = rest.ok_or(ReadError::Damaged)?;
            self.read_within(SectionKind::Users, within + BLOCK_BYTES as u64, rest)?;
        }
        let record = copy.get(..summed_bytes).ok_or(ReadError::Damaged)?;
        let (sum, summed) = record.split_at_checked(8).ok_or(ReadError::Damaged)?;
        let text = record.get(USER_HEAD_BYTES..lengths.text_end());
        let is_whole = user_checksum(uid, summed) == u64_at(sum, 0)
            && text.is_some_and(|text| lengths.end_well(text));
        if !is_whole {
            return Err(ReadError::Damaged);
        }
        CheckedUser::of(copy, offset)
    }
}

impl<'a> CheckedUser<'a> {
    /// Whatever a map says, the ids are ones that a directory gives.
    #[inline]
    fn of(record: &'a [u8], offset: u64) -> Result<Self, ReadError> {
        let user = Self {
            numbers: record.first_chunk().ok_or(ReadError::Damaged)?,
            record,
            offset,
        };
        let is_possible = is_ours(user.uid()) && is_ours(user.gid());
        is_possible.then_some(user).ok_or(ReadError::Damaged)
    }

    #[inline]
    pub(crate) fn uid(&self) -> u32 {
        u32_at(self.numbers, 16)
    }

    #[inline]
    fn is_named(&self, name: &[u8]) -> bool {
        self.name().is_some_and(|own| are_same(own, name))
    }

    #[inline]
    pub(crate) fn name(&self) -> Option<&'a [u8]> {
        let text = self.record.get(USER_HEAD_BYTES..)?;
        text.get(..usize::from(self.numbers[NAME_LENGTH_AT]))
    }

    #[inline]
    fn gid(&self) -> u32 {
        u32_at(self.numbers, 20)
    }

    /// Whatever a map says, no field begins behind the text, which has an end. A buffer is too small
    /// only for a user who is wanted and whole.
    #[inline]
    pub(crate) fn hand_over(&self, buffer: &mut [u8]) -> Result<UserRecord, ReadError> {
        let lengths = Lengths::of(self.numbers);
        let from = self.record.get(USER_HEAD_BYTES..).unwrap_or_default();
        let text_bytes = lengths.text_bytes();
        let last = from.get(text_bytes - 1);
        if text_bytes > USER_TEXT_BYTES_MAX || last != Some(&0) {
            return Err(ReadError::Damaged);
        }
        if text_bytes > buffer.len() {
            return Err(ReadError::BufferTooSmall);
        }
        copy_text(from, text_bytes, buffer)?;
        Ok(UserRecord {
            uid: self.uid(),
            gid: self.gid(),
            starts: lengths.starts(),
            text_bytes: in_text(text_bytes),
        })
    }

    /// The name with its length before it, as a group's members are told.
    pub(crate) fn as_member(&self) -> &'a [u8] {
        self.record.get(NAME_LENGTH_AT..).unwrap_or_default()
    }

    /// What stands before this user in the order of users, and the place behind.
    #[inline]
    pub(crate) fn links(&self, users_at: u64) -> Links {
        let end = Lengths::of(self.numbers).end() as u64;
        Links {
            id: self.uid(),
            previous: u32_at(self.numbers, 24),
            next: place_at(self.offset - users_at + end),
        }
    }

    /// The same in the order of groups, for whom this user stands.
    pub(crate) fn group_links(&self) -> Links {
        Links {
            id: self.uid(),
            previous: u32_at(self.numbers, 28),
            next: u32_at(self.numbers, 32),
        }
    }

    /// How many are in the private group that this record stands for, if it does.
    pub(crate) fn private_group(&self) -> Option<usize> {
        match self.numbers[46] {
            PRIVATE_GROUP_EMPTY => Some(0),
            PRIVATE_GROUP_OF_ONE => Some(1),
            _ => None,
        }
    }
}

/// A user who stands for a group without members.
pub(crate) const PRIVATE_GROUP_EMPTY: u8 = 1;
/// A user who stands for a group in which nobody else is.
pub(crate) const PRIVATE_GROUP_OF_ONE: u8 = 2;

impl Lengths {
    #[inline]
    fn of(numbers: &[u8; USER_HEAD_BYTES]) -> Self {
        Self {
            name: usize::from(numbers[NAME_LENGTH_AT]),
            gecos: usize::from(u16_at(numbers, 40)),
            home: usize::from(u16_at(numbers, 42)),
            shell: usize::from(u16_at(numbers, 44)),
            groups: u32_at(numbers, 36) as usize,
        }
    }

    fn are_possible(&self) -> bool {
        let longest = self.gecos.max(self.home).max(self.shell);
        self.name <= NAME_BYTES_MAX
            && longest <= FIELD_BYTES_MAX
            && self.groups <= GROUPS_PER_USER_MAX
    }

    /// Of the five fields, each with its NUL.
    #[inline]
    fn text_bytes(&self) -> usize {
        self.name + self.gecos + self.home + self.shell + TEXT_BYTES_MIN
    }

    #[inline]
    fn text_end(&self) -> usize {
        USER_HEAD_BYTES + self.text_bytes()
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
    fn summed_bytes(&self) -> usize {
        if self.end() <= BLOCK_BYTES {
            self.end()
        } else {
            self.text_end()
        }
    }

    /// Whether NULs stand before the fields and at the end.
    fn end_well(&self, text: &[u8]) -> bool {
        let [_, following @ ..] = self.starts();
        let nul = |end: u16| text.get(usize::from(end)) == Some(&0);
        following.into_iter().all(|start| nul(start - 1)) && text.last() == Some(&0)
    }

    /// Where each field of a text begins that is not too long.
    #[inline]
    fn starts(&self) -> [u16; 5] {
        let password = self.name + 1;
        let comment = password + 2;
        let directory = comment + self.gecos + 1;
        let shell = directory + self.home + 1;
        [0, password, comment, directory, shell].map(in_text)
    }
}

/// Compared here and not by `memcmp`: to call another library takes longer than a name does.
#[inline]
pub(crate) fn are_same(one: &[u8], other: &[u8]) -> bool {
    if one.len() != other.len() {
        return false;
    }
    let (words, rest) = one.as_chunks::<8>();
    let (other_words, other_rest) = other.as_chunks::<8>();
    // Of a longer name the last eight bytes reach into the words before them.
    let ends = match (one.last_chunk::<8>(), other.last_chunk::<8>()) {
        (Some(end), Some(other_end)) => end == other_end,
        _ => rest.iter().zip(other_rest).all(|(one, other)| one == other),
    };
    ends && words
        .iter()
        .zip(other_words)
        .all(|(one, other)| one == other)
}

/// Copies a text of so many bytes, the first of others, into a buffer that has room for it. Short ones
/// are copied with some of what lies behind, so that their length is known when this is compiled: to
/// call the C library's `memcpy` takes longer.
#[inline]
fn copy_text(from: &[u8], length: usize, to: &mut [u8]) -> Result<(), ReadError> {
    const SHORT: usize = 64;
    match (from.first_chunk::<SHORT>(), to.first_chunk_mut::<SHORT>()) {
        (Some(from), Some(to)) if length <= SHORT => {
            *to = *from;
            Ok(())
        }
        _ => copy_long_text(from, length, to),
    }
}

/// Apart from the short ones, or the compiler makes one copy of both.
#[cold]
#[inline(never)]
fn copy_long_text(from: &[u8], length: usize, to: &mut [u8]) -> Result<(), ReadError> {
    let from = from.get(..length).ok_or(ReadError::Damaged)?;
    let to = to.get_mut(..length).ok_or(ReadError::BufferTooSmall)?;
    to.copy_from_slice(from);
    Ok(())
}

/// A place in a text of at most [`USER_TEXT_BYTES_MAX`] bytes.
#[inline]
fn in_text(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(0)
}

impl GroupList<'_> {
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
