//! Groups and their members, read from a map.

use crate::body::Body;
use crate::hash::{Part, checksum, part_seed};
use crate::layout::{
    BLOCK_BYTES, GROUP_HEAD_BYTES, MEMBERS_PER_GROUP_MAX, NAME_BYTES_MAX, OF_USER, SectionKind,
    u32_at, u64_at,
};
use crate::order::{Links, Place};
use crate::read::{Bytes, Map, ReadError, is_ours};
use crate::read_user::{CheckedUser, Room, are_same};

/// A group that was found and checked, as long as it is looked at.
#[derive(Debug)]
pub struct GroupHead<'a> {
    gid: u32,
    name: &'a [u8],
    members: usize,
    members_bytes: usize,
    links: Links,
    body: Body<'a>,
}

impl<B: Bytes> Map<B> {
    /// Lets `read` have the group of this name; `None` if there is none.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or what `read` says.
    #[inline]
    pub fn group_by_name<T, E: From<ReadError>>(
        &self,
        name: &[u8],
        mut read: impl FnMut(&GroupHead<'_>) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        if name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        self.find(SectionKind::GroupsByName, name, |place| {
            let mut room = Room::default();
            let group = self.group_at(Place::Named(place), &mut room)?;
            let is_wanted = are_same(group.name, name);
            is_wanted.then(|| read(&group)).transpose()
        })
    }

    /// Lets `read` have the group of this id; `None` if there is none.
    ///
    /// # Errors
    /// The map is damaged or cannot be read, or what `read` says.
    #[inline]
    pub fn group_by_id<T, E: From<ReadError>>(
        &self,
        gid: u32,
        mut read: impl FnMut(&GroupHead<'_>) -> Result<T, E>,
    ) -> Result<Option<T>, E> {
        self.find(SectionKind::GroupsById, &gid.to_le_bytes(), |place| {
            let mut room = Room::default();
            let group = self.group_at(Place::Named(place), &mut room)?;
            let is_wanted = group.gid == gid;
            is_wanted.then(|| read(&group)).transpose()
        })
    }

    /// Copies the members into a buffer of exactly [`GroupHead::members_bytes`] bytes: one byte
    /// with the length of each name, then the names, a NUL behind each. On an error the buffer
    /// holds nothing of use.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    #[inline]
    pub fn read_members(&self, group: &GroupHead<'_>, buffer: &mut [u8]) -> Result<(), ReadError> {
        if buffer.len() != group.members_bytes() {
            return Err(ReadError::Damaged);
        }
        let seed = part_seed(Part::Members, group.gid());
        self.read_body(SectionKind::Groups, group.body, seed, buffer)?;
        let parts = buffer.split_at_checked(group.members());
        let (lengths, names) = parts.ok_or(ReadError::Damaged)?;
        let ends = names.last().is_none_or(|last| *last == 0);
        if told_bytes(lengths) == names.len() && ends {
            Ok(())
        } else {
            Err(ReadError::Damaged)
        }
    }

    /// The group at a place.
    #[inline]
    pub(crate) fn group_at<'r>(
        &'r self,
        place: Place,
        room: &'r mut Room,
    ) -> Result<GroupHead<'r>, ReadError> {
        let number = place.number();
        if number & OF_USER != 0 {
            return GroupHead::private(&self.user_told_at(place.of_user(), room)?);
        }
        let offset = self.offset_of(SectionKind::Groups, number)?;
        match place {
            Place::Named(_) if B::ARE_FROZEN => GroupHead::of(self.bytes.frozen(offset)?),
            Place::Named(_) | Place::Claimed(_) => self.copied_group(offset, room),
        }
    }

    /// Copies a record, and believes what the checksum allows.
    #[inline(never)]
    fn copied_group<'r>(
        &self,
        offset: u64,
        room: &'r mut Room,
    ) -> Result<GroupHead<'r>, ReadError> {
        let within = offset - self.header.section(SectionKind::Groups).offset;
        let (block, _) = room.emptied().split_at_mut(BLOCK_BYTES);
        self.read_within(SectionKind::Groups, within, block)?;
        GroupHead::summed(block, within)
    }
}

impl<'a> GroupHead<'a> {
    /// Group id.
    #[must_use]
    #[inline]
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// Group name.
    #[must_use]
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.name
    }

    /// Number of members.
    #[must_use]
    #[inline]
    pub fn members(&self) -> usize {
        self.members
    }

    /// Bytes that [`Map::read_members`] fills.
    #[must_use]
    #[inline]
    pub fn members_bytes(&self) -> usize {
        self.members_bytes
    }

    #[inline]
    pub(crate) fn links(&self) -> Links {
        self.links
    }

    /// A group for which a user stands.
    fn private(user: &CheckedUser<'a>) -> Result<Self, ReadError> {
        let members = user.private_group().ok_or(ReadError::Damaged)?;
        let (name, links) = (user.name().unwrap_or_default(), user.group_links());
        if !is_ours(links.id) || !is_name(name) {
            return Err(ReadError::Damaged);
        }
        Ok(Self {
            gid: links.id,
            name,
            members,
            members_bytes: members * (name.len() + 2),
            links,
            body: Body::Here(user.as_member()),
        })
    }

    /// What a record says, within every limit.
    #[inline]
    fn of(record: &'a [u8]) -> Result<Self, ReadError> {
        let numbers: &[u8; GROUP_HEAD_BYTES] = record.first_chunk().ok_or(ReadError::Damaged)?;
        let name_end = GROUP_HEAD_BYTES + usize::from(numbers[NAME_LENGTH_AT]);
        let members = u32_at(numbers, 28) as usize;
        let group = Self {
            gid: u32_at(numbers, 16),
            name: record.get(GROUP_HEAD_BYTES..name_end).unwrap_or_default(),
            members,
            members_bytes: members.saturating_add(u32_at(numbers, 32) as usize),
            links: Links {
                id: u32_at(numbers, 16),
                previous: u32_at(numbers, 20),
                next: u32_at(numbers, 24),
            },
            body: Body::Here(record.get(name_end..).unwrap_or_default()),
        };
        let is_possible = members <= MEMBERS_PER_GROUP_MAX
            && group.members_bytes <= MEMBERS_PER_GROUP_MAX * (NAME_BYTES_MAX + 2)
            && is_ours(group.gid)
            && is_name(group.name);
        is_possible.then_some(group).ok_or(ReadError::Damaged)
    }

    /// The same of the block of a record that lies so far behind the start of its section, if its
    /// sum fits. Members that reach beyond the block have a sum of their own.
    fn summed(block: &'a [u8], record: u64) -> Result<Self, ReadError> {
        let mut group = Self::of(block)?;
        let name_end = GROUP_HEAD_BYTES + group.name.len();
        let mut summed_end = name_end + group.members_bytes;
        if summed_end > BLOCK_BYTES {
            summed_end = name_end;
            group.body = Body::There {
                within: record + name_end as u64,
                sum: u64_at(block, 8),
            };
        }
        let parts = block
            .get(..summed_end)
            .and_then(|block| block.split_at_checked(8));
        let (sum, summed) = parts.ok_or(ReadError::Damaged)?;
        let is_whole = group_checksum(group.gid, summed) == u64_at(sum, 0);
        is_whole.then_some(group).ok_or(ReadError::Damaged)
    }
}

/// Just before the name.
const NAME_LENGTH_AT: usize = GROUP_HEAD_BYTES - 1;

/// Fits into a group record, whatever it says.
#[inline]
fn is_name(name: &[u8]) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.contains(&0)
}

/// Sum of a record, of everything behind the sum itself.
#[inline]
pub(crate) fn group_checksum(gid: u32, summed: &[u8]) -> u64 {
    checksum(summed, part_seed(Part::Group, gid))
}

/// How many bytes names of these lengths take, each with its NUL.
#[inline]
fn told_bytes(lengths: &[u8]) -> usize {
    // Short enough that no sum of theirs exceeds two bytes: the compiler adds many at once.
    let runs = lengths.chunks(128);
    let added = |run: &[u8]| run.iter().map(|length| u16::from(*length)).sum::<u16>();
    runs.map(|run| usize::from(added(run))).sum::<usize>() + lengths.len()
}
