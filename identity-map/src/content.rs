//! What a map says, before it is written, and why a map was refused. Texts may be borrowed: whoever
//! has them anyway need not copy those of a hundred thousand people.

use std::borrow::Cow;

use posix_names::{Gid, Uid};

use crate::layout::{GROUPS_PER_USER_MAX, MAP_BYTES_MAX, MEMBERS_PER_GROUP_MAX, RECORDS_MAX};

/// Everything a host's map says. The order of users, groups, members and group lists does not
/// matter: the same content gives the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct MapContent<'a> {
    /// Version of the bundle this map was made from.
    pub version: u64,
    /// When that bundle was signed, milliseconds since 1970.
    pub issued_at_ms: i64,
    /// Whether `getent passwd` without a name lists these users.
    pub enumerate: bool,
    /// Whether groups list their members.
    pub member_policy: MemberPolicy,
    /// What readers may ask the cacher about.
    pub owners: Owners,
    /// Every user of this host.
    pub users: Vec<MapUser<'a>>,
    /// Every group that matters on this host.
    pub groups: Vec<MapGroup<'a>>,
}

/// Whether `getgrnam` lists members. Rights never depend on it: group lists of users are stored
/// with the users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MemberPolicy {
    /// All members that this host knows.
    #[default]
    All,
    /// No members; some programs give up on group entries over 16 KiB.
    None,
}

/// What the NSS module may ask the cacher, once the map lacks it: people and groups of the
/// organisation without rights on this host, who own files here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owners {
    /// Nothing: what the map lacks is not there.
    Off,
    /// Ids of the directory's ranges.
    #[default]
    Ids,
    /// Those, and names.
    All,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapUser<'a> {
    /// Login name.
    pub name: Cow<'a, str>,
    /// User id.
    pub uid: Uid,
    /// Primary group.
    pub gid: Gid,
    /// Comment field.
    pub gecos: Cow<'a, str>,
    /// Home directory.
    pub home: Cow<'a, str>,
    /// Login shell.
    pub shell: Cow<'a, str>,
    /// Every further group, nesting resolved; naming the primary group again does no harm.
    pub groups: Vec<Gid>,
}

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MapGroup<'a> {
    /// Group name.
    pub name: Cow<'a, str>,
    /// Group id.
    pub gid: Gid,
    /// Members, nesting resolved.
    pub members: Vec<Cow<'a, str>>,
}

impl WriteError {
    /// Whether two records have one name or one id.
    #[must_use]
    pub fn is_clash(&self) -> bool {
        match self {
            Self::UserTwice(_)
            | Self::UidTwice { .. }
            | Self::GroupTwice(_)
            | Self::GidTwice { .. } => true,
            Self::TooManyGroups { .. }
            | Self::TooManyMembers { .. }
            | Self::TooManyRecords(_)
            | Self::BadName(_)
            | Self::BadText(_)
            | Self::TooLarge(_)
            | Self::Collisions => false,
        }
    }
}

/// Why a map was not written. Nothing is left out silently: a map is whole or it is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WriteError {
    /// Two users with one name.
    #[error("two users are named {0}")]
    UserTwice(String),
    /// Two users with one id.
    #[error("{first} and {second} have the same user id {uid}")]
    UidTwice {
        /// The shared id.
        uid: Uid,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// Two groups with one name.
    #[error("two groups are named {0}")]
    GroupTwice(String),
    /// Two groups with one id.
    #[error("{first} and {second} have the same group id {gid}")]
    GidTwice {
        /// The shared id.
        gid: Gid,
        /// One of them.
        first: String,
        /// The other.
        second: String,
    },
    /// A user in more groups than the kernel takes.
    #[error("{user} is in {count} groups, at most {GROUPS_PER_USER_MAX} are possible")]
    TooManyGroups {
        /// Who.
        user: String,
        /// In how many.
        count: usize,
    },
    /// A group with more members than the format holds.
    #[error("{group} has {count} members, at most {MEMBERS_PER_GROUP_MAX} are possible")]
    TooManyMembers {
        /// Which group.
        group: String,
        /// How many members.
        count: usize,
    },
    /// More users, or groups, than the format holds.
    #[error("{0} users or groups, at most {RECORDS_MAX} are possible")]
    TooManyRecords(usize),
    /// A name that neither a user nor a group can have.
    #[error("\"{}\" cannot be the name of a user or a group", .0.escape_default())]
    BadName(String),
    /// A text that a passwd record cannot hold: too long, or with a colon, line end or NUL.
    #[error("comment, home or shell of {0} cannot stand in a passwd record")]
    BadText(String),
    /// The whole would be larger than readers accept.
    #[error("the map would have {0} bytes, at most {MAP_BYTES_MAX} are possible")]
    TooLarge(u64),
    /// Names that share one slot of the index under every seed; does not happen by chance.
    #[error("names or ids collide in the index whatever its seed")]
    Collisions,
}
