//! Groups and their members, read from a map.

use crate::hash::{Part, checksum, part_seed};
use crate::layout::{
    GROUP_HEAD_BYTES_MAX, GROUP_NAME_AT, MEMBERS_PER_GROUP_MAX, NAME_BYTES_MAX, SectionKind,
    u32_at, u64_at,
};
use crate::order::Cursor;
use crate::read::{Bytes, Map, ReadError, is_ours, offset_of};

/// A group without its members, copied out of the map and checked.
#[derive(Debug, Clone)]
pub struct GroupHead {
    copy: [u8; GROUP_HEAD_BYTES_MAX],
    body_at: u64,
}

impl<B: Bytes> Map<B> {
    /// The group of this name.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    pub fn group_by_name(&self, name: &[u8]) -> Result<Option<GroupHead>, ReadError> {
        if name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        self.find(SectionKind::GroupsByName, name, |place| {
            let group = self.group_at(place)?;
            Ok((group.name() == name).then_some(group))
        })
    }

    /// The group of this id.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    pub fn group_by_id(&self, gid: u32) -> Result<Option<GroupHead>, ReadError> {
        self.find(SectionKind::GroupsById, &gid.to_le_bytes(), |place| {
            let group = self.group_at(place)?;
            Ok((group.gid() == gid).then_some(group))
        })
    }

    /// The group with the next higher id, and the cursor behind it.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    pub fn group_after(&self, cursor: Cursor) -> Result<Option<(GroupHead, Cursor)>, ReadError> {
        let next = self.next_in_order(SectionKind::GroupsInOrder, self.header.groups, cursor)?;
        let Some((id, place, cursor)) = next else {
            return Ok(None);
        };
        let group = self.group_at(place)?;
        if group.gid() == id {
            Ok(Some((group, cursor)))
        } else {
            Err(ReadError::Damaged)
        }
    }

    /// Copies the members into a buffer of exactly [`GroupHead::members_bytes`] bytes: one byte
    /// with the length of each name, then the names, a NUL behind each. On an error the buffer
    /// holds nothing of use.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    pub fn read_members(&self, group: &GroupHead, buffer: &mut [u8]) -> Result<(), ReadError> {
        if buffer.len() != group.members_bytes() {
            return Err(ReadError::Damaged);
        }
        self.read_within(SectionKind::Groups, group.body_at, buffer)?;
        let fits = checksum(buffer, part_seed(Part::Members, group.gid())) == group.members_sum();
        let (lengths, names) = buffer.split_at(group.members());
        let told: usize = lengths.iter().map(|length| usize::from(*length) + 1).sum();
        let ends = names.last().is_none_or(|last| *last == 0);
        if fits && told == names.len() && ends {
            Ok(())
        } else {
            Err(ReadError::Damaged)
        }
    }

    fn group_at(&self, place: u32) -> Result<GroupHead, ReadError> {
        let at = offset_of(place)?;
        let mut copy = [0; GROUP_HEAD_BYTES_MAX];
        self.read_within(SectionKind::Groups, at, &mut copy)?;
        let mut group = GroupHead { copy, body_at: at };
        group.body_at += group.head_bytes() as u64;
        if group.is_whole() {
            Ok(group)
        } else {
            Err(ReadError::Damaged)
        }
    }
}

impl GroupHead {
    /// Group id.
    #[must_use]
    pub fn gid(&self) -> u32 {
        u32_at(&self.copy, 16)
    }

    /// Group name.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        let from = self.copy.get(GROUP_NAME_AT..).unwrap_or_default();
        from.get(..self.name_bytes()).unwrap_or_default()
    }

    /// Number of members.
    #[must_use]
    pub fn members(&self) -> usize {
        u32_at(&self.copy, 20) as usize
    }

    /// Bytes that [`Map::read_members`] fills.
    #[must_use]
    pub fn members_bytes(&self) -> usize {
        self.members()
            .saturating_add(u32_at(&self.copy, 24) as usize)
    }

    fn name_bytes(&self) -> usize {
        u32_at(&self.copy, 28) as usize
    }

    fn members_sum(&self) -> u64 {
        u64_at(&self.copy, 8)
    }

    fn head_bytes(&self) -> usize {
        GROUP_NAME_AT.saturating_add(self.name_bytes())
    }

    fn is_whole(&self) -> bool {
        let checked = self.copy.get(8..self.head_bytes()).unwrap_or_default();
        checksum(checked, part_seed(Part::Group, self.gid())) == u64_at(&self.copy, 0)
            && is_ours(self.gid())
            && (1..=NAME_BYTES_MAX).contains(&self.name_bytes())
            && !self.name().contains(&0)
            && self.members() <= MEMBERS_PER_GROUP_MAX
            && self.members_bytes() <= MEMBERS_PER_GROUP_MAX * (NAME_BYTES_MAX + 2)
    }
}
