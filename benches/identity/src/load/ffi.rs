//! glibc's lookups, as every program of a host makes them.

#![expect(unsafe_code, reason = "glibc's functions take raw pointers")]

use std::ffi::{CStr, c_char, c_int};
use std::mem::MaybeUninit;
use std::ptr::null_mut;

/// Room for a group of 5,000 members, and for many groups of one user.
const BUFFER_BYTES: usize = 1 << 20;
const LIST_LENGTH: usize = 512;
/// Group that every user is said to be in besides; of no one here.
const BASE_GROUP: libc::gid_t = 65_000;

unsafe extern "C" {
    /// Sets the services of one database for this process. glibc then no longer looks whether
    /// `/etc/nsswitch.conf` has changed.
    fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
}

/// What glibc writes answers into. One for each thread.
pub(crate) struct Room {
    buffer: Vec<c_char>,
    list: Vec<libc::gid_t>,
}

impl Room {
    pub(crate) fn new() -> Self {
        Self {
            buffer: vec![0; BUFFER_BYTES],
            list: vec![0; LIST_LENGTH],
        }
    }
}

/// Whether there is a user of this name.
pub(crate) fn user_by_name(name: &CStr, room: &mut Room) -> bool {
    let mut record = MaybeUninit::uninit();
    let mut found = null_mut();
    let (buffer, length) = (room.buffer.as_mut_ptr(), room.buffer.len());
    // SAFETY: all pointers live as long as the call, and the buffer has this length.
    let status = unsafe {
        libc::getpwnam_r(
            name.as_ptr(),
            record.as_mut_ptr(),
            buffer,
            length,
            &raw mut found,
        )
    };
    status == 0 && !found.is_null()
}

/// Whether there is a user of this id.
pub(crate) fn user_by_id(uid: u32, room: &mut Room) -> bool {
    let mut record = MaybeUninit::uninit();
    let mut found = null_mut();
    let (buffer, length) = (room.buffer.as_mut_ptr(), room.buffer.len());
    // SAFETY: all pointers live as long as the call, and the buffer has this length.
    let status =
        unsafe { libc::getpwuid_r(uid, record.as_mut_ptr(), buffer, length, &raw mut found) };
    status == 0 && !found.is_null()
}

/// Whether there is a group of this name.
pub(crate) fn group_by_name(name: &CStr, room: &mut Room) -> bool {
    let mut record = MaybeUninit::uninit();
    let mut found = null_mut();
    let (buffer, length) = (room.buffer.as_mut_ptr(), room.buffer.len());
    // SAFETY: all pointers live as long as the call, and the buffer has this length.
    let status = unsafe {
        libc::getgrnam_r(
            name.as_ptr(),
            record.as_mut_ptr(),
            buffer,
            length,
            &raw mut found,
        )
    };
    status == 0 && !found.is_null()
}

/// Whether there is a group of this id.
pub(crate) fn group_by_id(gid: u32, room: &mut Room) -> bool {
    let mut record = MaybeUninit::uninit();
    let mut found = null_mut();
    let (buffer, length) = (room.buffer.as_mut_ptr(), room.buffer.len());
    // SAFETY: all pointers live as long as the call, and the buffer has this length.
    let status =
        unsafe { libc::getgrgid_r(gid, record.as_mut_ptr(), buffer, length, &raw mut found) };
    status == 0 && !found.is_null()
}

/// In how many groups a user is, the one we add included.
pub(crate) fn groups_of_user(name: &CStr, room: &mut Room) -> usize {
    let mut count = c_int::try_from(room.list.len()).unwrap_or(0);
    // SAFETY: the list has `count` entries.
    let _ = unsafe {
        libc::getgrouplist(
            name.as_ptr(),
            BASE_GROUP,
            room.list.as_mut_ptr(),
            &raw mut count,
        )
    };
    usize::try_from(count).unwrap_or(0)
}

/// Lists every user; how many there are.
pub(crate) fn all_users(room: &mut Room) -> usize {
    // SAFETY: only this thread enumerates.
    unsafe { libc::setpwent() };
    let mut count = 0;
    loop {
        let mut record = MaybeUninit::uninit();
        let mut found = null_mut();
        let (buffer, length) = (room.buffer.as_mut_ptr(), room.buffer.len());
        // SAFETY: all pointers live as long as the call, and the buffer has this length.
        let status =
            unsafe { libc::getpwent_r(record.as_mut_ptr(), buffer, length, &raw mut found) };
        if status != 0 || found.is_null() {
            break;
        }
        count += 1;
    }
    // SAFETY: as above.
    unsafe { libc::endpwent() };
    count
}

/// Asks one service for users and groups from now on, whatever `/etc/nsswitch.conf` says. False
/// where glibc does not take it.
pub(crate) fn configure_lookup(service: &CStr) -> bool {
    [c"passwd", c"group"].iter().all(|database| {
        // SAFETY: both are C strings; no other thread runs yet.
        let status = unsafe { __nss_configure_lookup(database.as_ptr(), service.as_ptr()) };
        status == 0
    })
}
