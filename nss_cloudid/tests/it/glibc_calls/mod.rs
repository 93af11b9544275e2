//! glibc's own functions, with their answers as text: entry, *none*, or the error. A buffer that is
//! too small is doubled, as every caller does.

mod ffi;

use libc::c_int;

/// Far beyond any entry of the tests: a module that says ERANGE for ever is found out.
const ENOUGH: usize = 1 << 20;

/// A listing of users or of groups.
pub(crate) struct Listing {
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Users,
    Groups,
}

impl Listing {
    pub(crate) fn users() -> Self {
        Self { kind: Kind::Users }
    }

    pub(crate) fn groups() -> Self {
        Self { kind: Kind::Groups }
    }

    pub(crate) fn rewind(&mut self) {
        match self.kind {
            Kind::Users => ffi::rewind_users(),
            Kind::Groups => ffi::rewind_groups(),
        }
    }

    /// The next entry; after the last one it begins again.
    pub(crate) fn next(&mut self) -> String {
        let answer = match self.kind {
            Kind::Users => grown(64, ffi::next_user),
            Kind::Groups => grown(64, ffi::next_group),
        };
        if !answer.contains(':') {
            self.rewind();
        }
        answer
    }
}

pub(crate) fn user_by_name(name: &str, buffer: usize) -> String {
    grown(buffer, |buffer| ffi::user_by_name(name, buffer))
}

pub(crate) fn user_by_id(uid: u32, buffer: usize) -> String {
    grown(buffer, |buffer| ffi::user_by_id(uid, buffer))
}

pub(crate) fn group_by_name(name: &str, buffer: usize) -> String {
    grown(buffer, |buffer| ffi::group_by_name(name, buffer))
}

pub(crate) fn group_by_id(gid: u32, buffer: usize) -> String {
    grown(buffer, |buffer| ffi::group_by_id(gid, buffer))
}

/// What `getgrouplist` says with room for so many: its count, and the groups that fit.
pub(crate) fn groups_of(name: &str, gid: u32, room: usize) -> String {
    let (fits, count, mut groups) = ffi::groups_of(name, gid, room);
    groups.sort_unstable();
    if fits {
        format!("{count} groups {groups:?}")
    } else {
        format!("{count} groups do not fit into {room}")
    }
}

/// Asks with larger and larger buffers while the error is ERANGE.
fn grown(first: usize, ask: impl Fn(&mut [u8]) -> Result<Option<String>, c_int>) -> String {
    let mut size = first;
    loop {
        match ask(&mut vec![0; size]) {
            Ok(Some(entry)) => return entry,
            Ok(None) => return "none".to_owned(),
            Err(libc::ERANGE) if size < ENOUGH => size *= 2,
            Err(error) => return format!("error {error}"),
        }
    }
}
