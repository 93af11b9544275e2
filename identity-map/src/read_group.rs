//! Groups and their members, read from a map.

use crate::body::{Body, Lies};
use crate::hash::{Part, checksum, part_seed};
use crate::layout::{
    BLOCK_BYTES, GROUP_HEAD_BYTES, MEMBERS_PER_GROUP_MAX, NAME_BYTES_MAX, OF_USER, SectionKind,
    USER_HEAD_BYTES, u32_at, u64_at,
};
use crate::order::{Links, Place};
use crate::read::{Bytes, Map, ReadError, is_ours};
use crate::read_user::UserRoom;

/// A group, copied out of the map and checked; its members too, if they are few.
#[derive(Debug, Clone)]
pub struct GroupHead {
    gid: u32,
    name_at: usize,
    name_bytes: usize,
    members: usize,
    members_bytes: usize,
    links: Links,
    body: Body,
}

impl<B: Bytes> Map<B> {
    /// The group of this name.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    #[inline]
    pub fn group_by_name(&self, name: &[u8]) -> Result<Option<GroupHead>, ReadError> {
        if name.len() > NAME_BYTES_MAX {
            return Ok(None);
        }
        let is_wanted = |group: &GroupHead| group.name() == name;
        self.group_of(SectionKind::GroupsByName, name, &is_wanted)
    }

    /// The group of this id.
    ///
    /// # Errors
    /// The map is damaged or cannot be read.
    pub fn group_by_id(&self, gid: u32) -> Result<Option<GroupHead>, ReadError> {
        let is_wanted = |group: &GroupHead| group.gid() == gid;
        self.group_of(SectionKind::GroupsById, &gid.to_le_bytes(), &is_wanted)
    }

    fn group_of(
        &self,
        index: SectionKind,
        key: &[u8],
        is_wanted: &dyn Fn(&GroupHead) -> bool,
    ) -> Result<Option<GroupHead>, ReadError> {
        let mut group = GroupHead::empty();
        let mut search = self.search(index, key);
        while let Some(place) = self.next_place(&mut search)? {
            self.group_at(Place::Named(place), &mut group)?;
            if is_wanted(&group) {
                return Ok(Some(group));
            }
        }
        Ok(None)
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
        let seed = part_seed(Part::Members, group.gid());
        self.read_body(SectionKind::Groups, &group.body, seed, buffer)?;
        let parts = buffer.split_at_checked(group.members());
        let (lengths, names) = parts.ok_or(ReadError::Damaged)?;
        let ends = names.last().is_none_or(|last| *last == 0);
        if told_bytes(lengths) == names.len() && ends {
            Ok(())
        } else {
            Err(ReadError::Damaged)
        }
    }

    /// Reads the group at a place. On an error the group holds nothing of use.
    #[inline(never)]
    pub(crate) fn group_at(&self, place: Place, group: &mut GroupHead) -> Result<(), ReadError> {
        let number = place.number();
        if number & OF_USER != 0 {
            return self.private_group_at(place.of_user(), group);
        }
        let offset = self.offset_of(SectionKind::Groups, number)?;
        if let (Place::Named(_), Some(lies)) = (place, self.bytes.frozen(offset)) {
            *group.body.block_mut() = *lies.first_chunk().ok_or(ReadError::Damaged)?;
            return group.read(offset).map(|_| ());
        }
        let within = offset - self.header.section(SectionKind::Groups).offset;
        self.read_within(SectionKind::Groups, within, group.body.block_mut())?;
        let summed = group.read(offset)?;
        let fits = group.fits_its_sum(summed);
        fits.then_some(()).ok_or(ReadError::Damaged)
    }

    fn private_group_at(&self, place: Place, group: &mut GroupHead) -> Result<(), ReadError> {
        let mut room = UserRoom::default();
        let user = self.user_told_at(place, &mut room)?;
        let members = user.private_group().ok_or(ReadError::Damaged)?;
        let name = user.name().unwrap_or_default();
        let links = user.group_links();
        if !is_ours(links.id) || !is_name(name) {
            return Err(ReadError::Damaged);
        }
        group.gid = links.id;
        group.name_at = USER_HEAD_BYTES;
        group.name_bytes = name.len();
        group.members = members;
        group.members_bytes = members * (name.len() + 2);
        group.links = links;
        // The length of the name lies before it, as it does before a member's.
        group.body = Body::new(user.block(), Lies::Here(USER_HEAD_BYTES - 1));
        Ok(())
    }
}

impl GroupHead {
    /// Group id.
    #[must_use]
    #[inline]
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// Group name.
    #[must_use]
    #[inline]
    pub fn name(&self) -> &[u8] {
        let from = self.body.block().get(self.name_at..).unwrap_or_default();
        from.get(..self.name_bytes).unwrap_or_default()
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

    pub(crate) fn links(&self) -> Links {
        self.links
    }

    /// One that is read to.
    #[inline]
    pub(crate) fn empty() -> Self {
        Self {
            gid: 0,
            name_at: GROUP_HEAD_BYTES,
            name_bytes: 0,
            members: 0,
            members_bytes: 0,
            links: Links::default(),
            body: Body::new([0; BLOCK_BYTES], Lies::Here(0)),
        }
    }

    /// Takes what its block says, within every limit; how many bytes of it the checksum covers.
    #[inline]
    fn read(&mut self, offset: u64) -> Result<usize, ReadError> {
        let block = self.body.block();
        self.gid = u32_at(block, 16);
        self.name_at = GROUP_HEAD_BYTES;
        self.name_bytes = usize::from(block[39]);
        self.members = u32_at(block, 28) as usize;
        self.members_bytes = self.members.saturating_add(u32_at(block, 32) as usize);
        self.links = Links {
            id: self.gid,
            previous: u32_at(block, 20),
            next: u32_at(block, 24),
        };
        let within = GROUP_HEAD_BYTES + self.name_bytes;
        let end = within.saturating_add(self.members_bytes);
        let (summed, lies) = if end <= BLOCK_BYTES {
            (end, Lies::Here(within))
        } else {
            let sum = u64_at(block, 8);
            let lies = Lies::There {
                record: offset,
                within,
                sum,
            };
            (within, lies)
        };
        self.body.set(lies);
        let fits = self.members <= MEMBERS_PER_GROUP_MAX
            && self.members_bytes <= MEMBERS_PER_GROUP_MAX * (NAME_BYTES_MAX + 2)
            && is_ours(self.gid)
            && is_name(self.name());
        fits.then_some(summed).ok_or(ReadError::Damaged)
    }

    #[inline]
    fn fits_its_sum(&self, summed: usize) -> bool {
        let record = self.body.block().get(..summed);
        let parts = record.and_then(|record| record.split_at_checked(8));
        parts.is_some_and(|(sum, summed)| group_checksum(self.gid, summed) == u64_at(sum, 0))
    }
}

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
