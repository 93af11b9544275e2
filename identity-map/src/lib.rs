//! The identity map: the immutable table of users and groups of one host, from which every process
//! answers name lookups. The cacher writes it, `nss_cloudid` reads it. The reader allocates nothing,
//! trusts no byte that was not summed, and never reads a byte twice that somebody could change.
//!
//! The layout is described in `layout.rs`.

mod body;
mod content;
mod ffi;
mod file;
mod hash;
mod index;
mod keeper;
mod last_header;
mod layout;
mod memory;
mod order;
mod read;
mod read_group;
mod read_user;
mod records;
mod tags;
mod write;

pub use content::{MapContent, MapGroup, MapUser, MemberPolicy, Owners, WriteError};
pub use file::MapFile;
pub use last_header::LastHeader;
pub use layout::{GROUPS_PER_USER_MAX, MAP_BYTES_MAX, MEMBERS_PER_GROUP_MAX, RECORDS_MAX};
pub use memory::{Mark, MemoryFile, SealedMap, Standing};
pub use order::Cursor;
pub use read::{Bytes, Map, ReadError};
pub use read_group::GroupHead;
pub use read_user::{GroupList, UserRecord};
pub use write::write_map;

/// Where the map in force lies. Compiled in: modules, sshd and early boot rely on it.
pub const PUBLISHED_MAP: &str = "/run/cloudid/identity.map";
