//! The bytes of a map, little endian throughout.
//!
//! ```text
//! header     384   magic, format, checksum, counts, id ranges, digest, width of places, 16 sections
//! records          users and groups, each kind in order of ids, each record at a multiple of 8
//! buckets    64    four indexes: a checksum and fourteen slots, each a tag above a place
//!
//! user       48    checksum, checksum of the group list, uid, gid, uid before this one,
//!                  gid before this one, place of the next group, groups, lengths, private group
//!            text  name NUL x NUL gecos NUL home NUL shell NUL, filled up to a multiple of 4
//!            4     each group id
//! group      40    checksum, checksum of the members, gid, gid before this one,
//!                  place of the next group, members, bytes of their names, length of the name
//!            text  name
//!            1     length of each member's name
//!            text  the names, each with its NUL
//! ```
//!
//! A record's checksum covers all that lies behind it, if the record fits into the block that is
//! read of it at once; if not, the group list or the members have a checksum of their own.
//!
//! A user whose private group has the same number and name, and nobody else in it, stands for that
//! group as well: such a group has no record, the indexes and the order of groups lead to the user.
//! The length of a user's name lies just before it, as lengths of members lie before their names.
//!
//! A place is the offset inside its record section divided by 8, plus one; 0 is an empty slot, and
//! the end of the order of groups. The highest bit tells a private group's user from a group. In a
//! slot a place has no more bits than the largest of this map needs: the others are the tag's, so that
//! an index is small enough to stay in the caches near the CPU, and seldom names a wrong record.
//! The digest is of all that lies behind the header, so that the header's checksum names the map: two
//! maps that differ anywhere have different ones.
//! Sections beyond those named here are left for later formats' additions and ignored.

use std::ops::RangeInclusive;

use crate::content::Owners;
use crate::hash::checksum;
use crate::read::ReadError;

/// Most groups one user can be in (`NGROUPS_MAX` of Linux).
pub const GROUPS_PER_USER_MAX: usize = 65_536;
/// Most members one group can have.
pub const MEMBERS_PER_GROUP_MAX: usize = 1 << 20;
/// Most users, and most groups.
pub const RECORDS_MAX: usize = 1 << 22;
/// Longest map.
pub const MAP_BYTES_MAX: u64 = 1 << 30;

pub(crate) const MAGIC: [u8; 8] = *b"cloudmap";
pub(crate) const FORMAT: u32 = 5;
pub(crate) const HEADER_BYTES: usize = 384;
pub(crate) const HEADER_CHECKED_FROM: usize = 24;
pub(crate) const RANGES_MAX: usize = 4;
const SECTIONS_AT: usize = 128;

pub(crate) const SECTION_ALIGN: usize = 64;
pub(crate) const RECORD_ALIGN: usize = 8;
pub(crate) const BUCKET_BYTES: usize = 64;
pub(crate) const SLOTS_PER_BUCKET: usize = 14;
/// Buckets behind the last one that a hash can name, for what spills over.
pub(crate) const SPILL_BUCKETS: u64 = 8;

/// What is read of a record at once; behind the last one of each kind so much is left.
pub(crate) const BLOCK_BYTES: usize = 192;
/// Bits of a place in a slot: at least one, and the one that tells a user from a group.
pub(crate) const PLACE_BITS: RangeInclusive<u32> = 2..=31;
/// In a place: a user who stands for the private group.
pub(crate) const OF_USER: u32 = 1 << 31;

pub(crate) const USER_HEAD_BYTES: usize = 48;
pub(crate) const FIELD_BYTES_MAX: usize = 256;
pub(crate) const NAME_BYTES_MAX: usize = posix_names::NAME_BYTES_MAX;
/// name, x, gecos, home and shell with their NULs.
pub(crate) const USER_TEXT_BYTES_MAX: usize = NAME_BYTES_MAX + 1 + 2 + 3 * (FIELD_BYTES_MAX + 1);
/// Numbers and text.
pub(crate) const USER_RECORD_BYTES_MAX: usize = USER_HEAD_BYTES + USER_TEXT_BYTES_MAX;
pub(crate) const GROUP_HEAD_BYTES: usize = 40;

const FLAG_ENUMERATE: u32 = 1;
const FLAG_MEMBERS: u32 = 2;
const FLAG_ASK_IDS: u32 = 4;
const FLAG_ASK_NAMES: u32 = 8;

/// What a section holds; the number is its place in the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SectionKind {
    Users = 0,
    Groups = 1,
    UsersByName = 2,
    UsersById = 3,
    GroupsByName = 4,
    GroupsById = 5,
}
pub(crate) const SECTIONS: usize = 6;

/// Where a section lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Section {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

/// The checked header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Header {
    /// Its own checksum, as read.
    pub(crate) sum: u64,
    pub(crate) file_bytes: u64,
    pub(crate) version: u64,
    pub(crate) issued_at_ms: i64,
    pub(crate) seed: u64,
    pub(crate) enumerate: bool,
    pub(crate) members: bool,
    pub(crate) owners: Owners,
    pub(crate) users: u32,
    pub(crate) groups: u32,
    /// Place of the first group.
    pub(crate) first_group: u32,
    pub(crate) last_uid: u32,
    pub(crate) last_gid: u32,
    /// Of all that lies behind the header.
    pub(crate) digest: u64,
    /// How many bits of a slot are its place.
    pub(crate) place_bits: u32,
    pub(crate) ranges: [(u32, u32); RANGES_MAX],
    pub(crate) sections: [Section; SECTIONS],
}

impl Header {
    #[inline]
    pub(crate) fn section(&self, kind: SectionKind) -> Section {
        self.sections
            .get(kind as usize)
            .copied()
            .unwrap_or_default()
    }

    fn flags(&self) -> u32 {
        let owners = match self.owners {
            Owners::Off => 0,
            Owners::Ids => FLAG_ASK_IDS,
            Owners::All => FLAG_ASK_IDS | FLAG_ASK_NAMES,
        };
        let enumerate = if self.enumerate { FLAG_ENUMERATE } else { 0 };
        let members = if self.members { FLAG_MEMBERS } else { 0 };
        owners | enumerate | members
    }

    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        put(&mut bytes, 0, &MAGIC);
        put(&mut bytes, 8, &FORMAT.to_le_bytes());
        put(&mut bytes, 24, &self.file_bytes.to_le_bytes());
        put(&mut bytes, 32, &self.version.to_le_bytes());
        put(&mut bytes, 40, &self.issued_at_ms.to_le_bytes());
        put(&mut bytes, 48, &self.seed.to_le_bytes());
        put(&mut bytes, 56, &self.flags().to_le_bytes());
        put(&mut bytes, 60, &self.users.to_le_bytes());
        put(&mut bytes, 64, &self.groups.to_le_bytes());
        put(&mut bytes, 68, &self.first_group.to_le_bytes());
        for (index, (first, last)) in self.ranges.into_iter().enumerate() {
            put(&mut bytes, 72 + index * 8, &first.to_le_bytes());
            put(&mut bytes, 76 + index * 8, &last.to_le_bytes());
        }
        put(&mut bytes, 104, &self.last_uid.to_le_bytes());
        put(&mut bytes, 108, &self.last_gid.to_le_bytes());
        put(&mut bytes, 112, &self.digest.to_le_bytes());
        put(&mut bytes, 120, &self.place_bits.to_le_bytes());
        for (index, section) in self.sections.into_iter().enumerate() {
            let at = SECTIONS_AT + index * 16;
            put(&mut bytes, at, &section.offset.to_le_bytes());
            put(&mut bytes, at + 8, &section.bytes.to_le_bytes());
        }
        let sum = header_checksum(&bytes);
        put(&mut bytes, 16, &sum.to_le_bytes());
        bytes
    }

    /// Believes a header only when magic, format, checksum, length and every section fit.
    pub(crate) fn parse(bytes: &[u8; HEADER_BYTES], file_bytes: u64) -> Result<Self, ReadError> {
        if bytes.first_chunk() != Some(&MAGIC) || u32_at(bytes, 8) != FORMAT {
            return Err(ReadError::Damaged);
        }
        if header_checksum(bytes) != u64_at(bytes, 16) || u64_at(bytes, 24) != file_bytes {
            return Err(ReadError::Damaged);
        }
        let flags = u32_at(bytes, 56);
        let mut header = Self {
            sum: u64_at(bytes, 16),
            file_bytes,
            version: u64_at(bytes, 32),
            issued_at_ms: i64::from_le_bytes(u64_at(bytes, 40).to_le_bytes()),
            seed: u64_at(bytes, 48),
            enumerate: flags & FLAG_ENUMERATE != 0,
            members: flags & FLAG_MEMBERS != 0,
            owners: owners(flags),
            users: u32_at(bytes, 60),
            groups: u32_at(bytes, 64),
            first_group: u32_at(bytes, 68),
            last_uid: u32_at(bytes, 104),
            last_gid: u32_at(bytes, 108),
            digest: u64_at(bytes, 112),
            place_bits: u32_at(bytes, 120),
            ..Self::default()
        };
        if !PLACE_BITS.contains(&header.place_bits) {
            return Err(ReadError::Damaged);
        }
        for (index, range) in header.ranges.iter_mut().enumerate() {
            *range = (u32_at(bytes, 72 + index * 8), u32_at(bytes, 76 + index * 8));
        }
        for (index, section) in header.sections.iter_mut().enumerate() {
            let at = SECTIONS_AT + index * 16;
            *section = Section {
                offset: u64_at(bytes, at),
                bytes: u64_at(bytes, at + 8),
            };
            let end = section.offset.checked_add(section.bytes);
            if end.is_none_or(|end| end > file_bytes) {
                return Err(ReadError::Damaged);
            }
        }
        Ok(header)
    }
}

fn owners(flags: u32) -> Owners {
    match (flags & FLAG_ASK_IDS != 0, flags & FLAG_ASK_NAMES != 0) {
        (false, _) => Owners::Off,
        (true, false) => Owners::Ids,
        (true, true) => Owners::All,
    }
}

fn header_checksum(bytes: &[u8; HEADER_BYTES]) -> u64 {
    let (_, checked) = bytes.split_at(HEADER_CHECKED_FROM);
    checksum(checked, u64::from(FORMAT))
}

/// Rounds up to a multiple of a power of two.
#[inline]
pub(crate) fn rounded(length: usize, multiple: usize) -> usize {
    length.div_ceil(multiple) * multiple
}

/// The number at an offset that the caller knows to lie inside; 0 outside, which no check accepts.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    chunk_at(bytes, at).map_or(0, u32::from_le_bytes)
}

/// As [`u32_at`].
#[inline]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    chunk_at(bytes, at).map_or(0, u64::from_le_bytes)
}

/// As [`u32_at`].
#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    chunk_at(bytes, at).map_or(0, u16::from_le_bytes)
}

#[inline]
fn chunk_at<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Puts bytes at an offset that the caller knows to lie inside.
pub(crate) fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    if let Some(place) = bytes.get_mut(at..at + value.len()) {
        place.copy_from_slice(value);
    }
}
