//! What a login name, a group name, an id, a home and a shell of the directory may be. Every type
//! here is checked where it is made and cannot hold a bad value afterwards. Directory and host
//! check independently; neither trusts that the other did. No I/O.
#![forbid(unsafe_code)]

mod home;
mod id;
mod name;
mod reserved;
mod text;

pub use home::{BadHome, BadShell, DEFAULT_HOME_ROOT, HomeDirectory, LoginShell};
pub use id::{BadId, FIRST_RANGE, Gid, SECOND_RANGE, Uid};
pub use name::{BadName, GroupName, NAME_BYTES_MAX, UserName, folded, is_name};
pub use reserved::{is_protected_gid, is_reserved};
pub use text::{Gecos, clean_line};
