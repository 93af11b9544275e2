//! Users and their group lists, read from a map.

use crate::hash::{Part, checksum, part_seed};
use crate::layout::{
    FIELD_BYTES_MAX, GROUPS_PER_USER_MAX, NAME_BYTES_MAX, SectionKind, USER_HEAD_BYTES,
    USER_TEXT_BYTES_MAX, rounded, u16_at, u32_at, u64_at,
};
use crate::order::Cursor;
use crate::read::{Bytes, Map, ReadError, is_ours, offset_of};

const RECORD_BYTES_MAX: usize = USER_HEAD_BYTES + USER_TEXT_BYTES_MAX;

/// A user, copied out of the map and checked.
#[derive(Debug, Clone)]
pub struct UserRecord {
    copy: [u8; RECORD_BYTES_MAX],
    lengths: [usize; 4],
    group_list_at: u64,
}

/// Where the group list of a user lies.
#[derive(Debug, Clone, Copy)]
pub struct GroupList {
    uid: u32,
    count: usize,
    sum: u64,
    at: u64,
}

impl<B: Bytes> Map<B> {
    /// The user of this name.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    pub fn user_by_name(&self, name: &[u8]) -> Result<Option<UserRecord>, ReadError> {
        if name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        self.find(SectionKind::UsersByName, name, |place| {
            let user = self.user_at(place)?;
            Ok((user.name() == name).then_some(user))
        })
    }

    /// The user of this id.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    pub fn user_by_id(&self, uid: u32) -> Result<Option<UserRecord>, ReadError> {
        self.find(SectionKind::UsersById, &uid.to_le_bytes(), |place| {
            let user = self.user_at(place)?;
            Ok((user.uid() == uid).then_some(user))
        })
    }

    /// The user with the next higher id, and the cursor behind it.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    pub fn user_after(&self, cursor: Cursor) -> Result<Option<(UserRecord, Cursor)>, ReadError> {
        let next = self.next_in_order(SectionKind::UsersInOrder, self.header.users, cursor)?;
        let Some((id, place, cursor)) = next else {
            return Ok(None);
        };
        let user = self.user_at(place)?;
        if user.uid() == id {
            Ok(Some((user, cursor)))
        } else {
            Err(ReadError::Damaged)
        }
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
        let ids = || buffer.chunks_exact(4).map(|id| u32_at(id, 0));
        if checksum(buffer, part_seed(Part::GroupList, list.uid)) == list.sum && ids().all(is_ours)
        {
            Ok(())
        } else {
            Err(ReadError::Damaged)
        }
    }

    fn user_at(&self, place: u32) -> Result<UserRecord, ReadError> {
        let at = offset_of(place)?;
        let mut copy = [0; RECORD_BYTES_MAX];
        let (head, text) = copy.split_at_mut(USER_HEAD_BYTES);
        self.read_within(SectionKind::Users, at, head)?;
        let lengths = [28, 30, 32, 34].map(|field| usize::from(u16_at(head, field)));
        if lengths.iter().any(|length| *length > FIELD_BYTES_MAX) {
            return Err(ReadError::Damaged);
        }
        let text_bytes = text_bytes(lengths);
        let text = text.get_mut(..text_bytes).ok_or(ReadError::Damaged)?;
        self.read_within(SectionKind::Users, at + USER_HEAD_BYTES as u64, text)?;
        let record_bytes = USER_HEAD_BYTES + text_bytes;
        let user = UserRecord {
            copy,
            lengths,
            group_list_at: at + rounded(record_bytes, 4) as u64,
        };
        if user.is_whole(record_bytes) {
            Ok(user)
        } else {
            Err(ReadError::Damaged)
        }
    }
}

impl UserRecord {
    /// User id.
    #[must_use]
    pub fn uid(&self) -> u32 {
        u32_at(&self.copy, 16)
    }

    /// Primary group.
    #[must_use]
    pub fn gid(&self) -> u32 {
        u32_at(&self.copy, 20)
    }

    /// Login name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.field(0)
    }

    /// Comment.
    #[must_use]
    pub fn gecos(&self) -> &[u8] {
        self.field(2)
    }

    /// Home directory.
    #[must_use]
    pub fn home(&self) -> &[u8] {
        self.field(3)
    }

    /// Login shell.
    #[must_use]
    pub fn shell(&self) -> &[u8] {
        self.field(4)
    }

    /// Name, password field, comment, home and shell as a passwd entry wants them: one after the
    /// other, a NUL behind each.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        let from = self.copy.get(USER_HEAD_BYTES..).unwrap_or_default();
        from.get(..text_bytes(self.lengths)).unwrap_or_default()
    }

    /// Where each of the five begins in [`Self::text`].
    #[must_use]
    pub fn starts(&self) -> [usize; 5] {
        let [name, gecos, home, _] = self.lengths;
        let password = name + 1;
        let comment = password + 2;
        let directory = comment + gecos + 1;
        [0, password, comment, directory, directory + home + 1]
    }

    /// Where the groups of this user are listed.
    #[must_use]
    pub fn group_list(&self) -> GroupList {
        GroupList {
            uid: self.uid(),
            count: u32_at(&self.copy, 24) as usize,
            sum: u64_at(&self.copy, 8),
            at: self.group_list_at,
        }
    }

    fn field(&self, index: usize) -> &[u8] {
        let start = self.starts().get(index).copied().unwrap_or_default();
        let rest = self.text().get(start..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == 0);
        rest.get(..end.unwrap_or_default()).unwrap_or_default()
    }

    fn is_whole(&self, record_bytes: usize) -> bool {
        let checked = self.copy.get(8..record_bytes).unwrap_or_default();
        let ends_where_said = || {
            let fields = [(0, 0), (2, 1), (3, 2), (4, 3)];
            fields
                .into_iter()
                .all(|(field, length)| self.lengths.get(length) == Some(&self.field(field).len()))
                && self.text().last() == Some(&0)
        };
        checksum(checked, part_seed(Part::User, self.uid())) == u64_at(&self.copy, 0)
            && is_ours(self.uid())
            && is_ours(self.gid())
            && self.group_list().count <= GROUPS_PER_USER_MAX
            && ends_where_said()
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

fn text_bytes(lengths: [usize; 4]) -> usize {
    const NULS_AND_PASSWORD: usize = 6;
    lengths.iter().sum::<usize>() + NULS_AND_PASSWORD
}
