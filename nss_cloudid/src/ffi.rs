//! What glibc calls. Every function goes through one guard: no panic leaves it, `errno` is what the
//! status says, and after a success it is what it was before, because what could set it puts it back.
//! `unsafe` here: reading what glibc points to, and pointing into the buffer that glibc gave.
//!
//! No panic hook is installed: nothing here panics by itself (no index, no unwrap), and a hook would
//! need a lock that could be held across a fork.

#![expect(
    unsafe_code,
    reason = "glibc passes raw pointers and expects unmangled symbols"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};

use libc::{c_char, c_int, c_long, gid_t, size_t, uid_t};
use libnss::group::CGroup;
use libnss::interop::NssStatus;
use libnss::passwd::CPasswd;
use posix_names::NAME_BYTES_MAX;

use crate::answer::Failure;
use crate::enumeration::Listing;
use crate::lookup::{self, GroupRoom};
use crate::pack::{GroupPlaces, POINTER_BYTES, UserPlaces};
use crate::thread::{keeping_errno, set_errno};

static USERS: Listing = Listing::new();
static GROUPS: Listing = Listing::new();

/// Finds a user by name.
///
/// # Safety
/// As glibc calls it: `name` is a C string, `buffer` has `length` bytes, the rest is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_cloudid_getpwnam_r(
    name: *const c_char,
    result: *mut CPasswd,
    buffer: *mut c_char,
    length: size_t,
    errno_place: *mut c_int,
) -> c_int {
    // SAFETY: glibc passes a C string that lives as long as the call.
    let name = unsafe { text(name) };
    // SAFETY: glibc passes a buffer of this length, for this call alone.
    let room = unsafe { room(buffer, length) };
    // SAFETY: glibc passes its own result, for this call alone.
    let reply = unsafe { Reply::new(result) };
    let answer = || lookup::user_by_name(name, room, |found, room| reply.passwd(found, room));
    // SAFETY: glibc passes the address of this thread's `errno`.
    unsafe { guarded(errno_place, answer) }
}

/// Finds a user by id.
///
/// # Safety
/// As glibc calls it: `buffer` has `length` bytes, the rest is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_cloudid_getpwuid_r(
    uid: uid_t,
    result: *mut CPasswd,
    buffer: *mut c_char,
    length: size_t,
    errno_place: *mut c_int,
) -> c_int {
    // SAFETY: glibc passes a buffer of this length, for this call alone.
    let room = unsafe { room(buffer, length) };
    // SAFETY: glibc passes its own result, for this call alone.
    let reply = unsafe { Reply::new(result) };
    let answer = || lookup::user_by_id(uid, room, |found, room| reply.passwd(found, room));
    // SAFETY: glibc passes the address of this thread's `errno`.
    unsafe { guarded(errno_place, answer) }
}

/// Finds a group by name.
///
/// # Safety
/// As glibc calls it: `name` is a C string, `buffer` has `length` bytes, the rest is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_cloudid_getgrnam_r(
    name: *const c_char,
    result: *mut CGroup,
    buffer: *mut c_char,
    length: size_t,
    errno_place: *mut c_int,
) -> c_int {
    // SAFETY: glibc passes a C string that lives as long as the call.
    let name = unsafe { text(name) };
    // SAFETY: glibc passes a buffer of this length, for this call alone.
    let room = unsafe { room(buffer, length) };
    // SAFETY: glibc passes its own result, for this call alone.
    let reply = unsafe { Reply::new(result) };
    let answer = || lookup::group_by_name(name, room, |found, room| reply.group(found, room));
    // SAFETY: glibc passes the address of this thread's `errno`.
    unsafe { guarded(errno_place, answer) }
}

/// Finds a group by id.
///
/// # Safety
/// As glibc calls it: `buffer` has `length` bytes, the rest is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_cloudid_getgrgid_r(
    gid: gid_t,
    result: *mut CGroup,
    buffer: *mut c_char,
    length: size_t,
    errno_place: *mut c_int,
) -> c_int {
    // SAFETY: glibc passes a buffer of this length, for this call alone.
    let room = unsafe { room(buffer, length) };
    // SAFETY: glibc passes its own result, for this call alone.
    let reply = unsafe { Reply::new(result) };
    let answer = || lookup::group_by_id(gid, room, |found, room| reply.group(found, room));
    // SAFETY: glibc passes the address of this thread's `errno`.
    unsafe { guarded(errno_place, answer) }
}

/// Begins to list users.
#[unsafe(no_mangle)]
pub extern "C" fn _nss_cloudid_setpwent(_stay_open: c_int) -> c_int {
    USERS.rewind();
    NssStatus::Success as c_int
}

/// Ends the listing of users.
#[unsafe(no_mangle)]
pub extern "C" fn _nss_cloudid_endpwent() -> c_int {
    USERS.rewind();
    NssStatus::Success as c_int
}

/// The next user.
///
/// # Safety
/// As glibc calls it: `buffer` has `length` bytes, the rest is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_cloudid_getpwent_r(
    result: *mut CPasswd,
    buffer: *mut c_char,
    length: size_t,
    errno_place: *mut c_int,
) -> c_int {
    // SAFETY: glibc passes a buffer of this length, for this call alone.
    let room = unsafe { room(buffer, length) };
    // SAFETY: glibc passes its own result, for this call alone.
    let reply = unsafe { Reply::new(result) };
    let answer = || USERS.next_user(room, |found, room| reply.passwd(found, room));
    // SAFETY: glibc passes the address of this thread's `errno`.
    unsafe { guarded(errno_place, answer) }
}

/// Begins to list groups.
#[unsafe(no_mangle)]
pub extern "C" fn _nss_cloudid_setgrent(_stay_open: c_int) -> c_int {
    GROUPS.rewind();
    NssStatus::Success as c_int
}

/// Ends the listing of groups.
#[unsafe(no_mangle)]
pub extern "C" fn _nss_cloudid_endgrent() -> c_int {
    GROUPS.rewind();
    NssStatus::Success as c_int
}

/// The next group.
///
/// # Safety
/// As glibc calls it: `buffer` has `length` bytes, the rest is writable.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_cloudid_getgrent_r(
    result: *mut CGroup,
    buffer: *mut c_char,
    length: size_t,
    errno_place: *mut c_int,
) -> c_int {
    // SAFETY: glibc passes a buffer of this length, for this call alone.
    let room = unsafe { room(buffer, length) };
    // SAFETY: glibc passes its own result, for this call alone.
    let reply = unsafe { Reply::new(result) };
    let answer = || GROUPS.next_group(room, |found, room| reply.group(found, room));
    // SAFETY: glibc passes the address of this thread's `errno`.
    unsafe { guarded(errno_place, answer) }
}

/// Adds the groups of a user to those that glibc has already; without this function glibc would
/// read every group there is.
///
/// # Safety
/// As glibc calls it: `name` is a C string, `list` points to an array from malloc with room for
/// `size` ids of which `used` are set, and all of them may be changed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_cloudid_initgroups_dyn(
    name: *const c_char,
    skip: gid_t,
    used: *mut c_long,
    size: *mut c_long,
    list: *mut *mut gid_t,
    limit: c_long,
    errno_place: *mut c_int,
) -> c_int {
    // SAFETY: glibc passes a C string that lives as long as the call.
    let name = unsafe { text(name) };
    // SAFETY: glibc's own array, for this call alone.
    let mut array = unsafe { GidArray::new(used, size, list) };
    let answer = || {
        lookup::groups_of_user(name, &mut array)?;
        array.keep(skip, limit);
        Ok(())
    };
    // SAFETY: glibc passes the address of this thread's `errno`.
    unsafe { guarded(errno_place, answer) }
}

/// The buffer that the result will point into.
///
/// # Safety
/// `buffer` is null or has `length` bytes that nobody else uses as long as what is returned.
#[inline]
unsafe fn room<'a>(buffer: *mut c_char, length: size_t) -> &'a mut [u8] {
    let length = length.min(isize::MAX.unsigned_abs());
    if buffer.is_null() {
        return &mut [];
    }
    // SAFETY: the caller vouches for the buffer; every byte of C memory is a `u8`.
    unsafe { std::slice::from_raw_parts_mut(buffer.cast(), length) }
}

/// Where glibc wants the answer.
struct Reply<T>(*mut T);

impl<T> Reply<T> {
    /// # Safety
    /// `result` can be written as long as this lives.
    unsafe fn new(result: *mut T) -> Self {
        Self(result)
    }
}

impl Reply<CPasswd> {
    #[expect(
        clippy::unnecessary_wraps,
        reason = "as a group's, which can have no room"
    )]
    fn passwd(&self, user: UserPlaces, buffer: &mut [u8]) -> Result<(), Failure> {
        let base: *mut c_char = buffer.as_mut_ptr().cast();
        let [name, passwd, gecos, dir, shell] = user
            .starts
            .map(|start| base.wrapping_add(usize::from(start)));
        let answer = CPasswd {
            name,
            passwd,
            uid: user.uid,
            gid: user.gid,
            gecos,
            dir,
            shell,
        };
        // SAFETY: who made this vouched for the result.
        unsafe { self.0.write(answer) };
        Ok(())
    }
}

impl Reply<CGroup> {
    fn group(&self, group: GroupPlaces, buffer: &mut [u8]) -> Result<(), Failure> {
        point_to_members(buffer, &group)?;
        let base = buffer.as_mut_ptr();
        let answer = CGroup {
            name: base.wrapping_add(group.name).cast(),
            passwd: base.wrapping_add(group.password).cast(),
            gid: group.gid,
            members: base.wrapping_add(group.table).cast(),
        };
        // SAFETY: who made this vouched for the result.
        unsafe { self.0.write(answer) };
        Ok(())
    }
}

/// Fills the table of pointers to the members. Each length is read before a pointer covers it: with
/// n members it lies at least 7 (n - m) bytes behind the pointer of member m.
#[inline(never)]
fn point_to_members(buffer: &mut [u8], places: &GroupPlaces) -> Result<(), Failure> {
    let names = places.table + (places.members + 1) * POINTER_BYTES;
    if names > buffer.len() {
        return Err(Failure::BufferTooSmall);
    }
    let base = buffer.as_mut_ptr();
    let lengths = base.wrapping_add(names - places.members);
    let table: *mut *mut u8 = base.wrapping_add(places.table).cast();
    let mut name = base.wrapping_add(names);
    let mut point = |member: usize| {
        // SAFETY: the lengths are the last bytes of the table, which lies inside the buffer.
        let length = unsafe { lengths.wrapping_add(member).read() };
        // SAFETY: aligned by `pack`, and one of the table's entries.
        unsafe { table.wrapping_add(member).write(name) };
        name = name.wrapping_add(usize::from(length) + 1);
    };
    let in_fours = places.members / 4;
    for four in 0..in_fours {
        let first = four * 4;
        point(first);
        point(first + 1);
        point(first + 2);
        point(first + 3);
    }
    (in_fours * 4..places.members).for_each(point);
    let end = table.wrapping_add(places.members);
    // SAFETY: the last of the table's entries.
    unsafe { end.write(std::ptr::null_mut()) };
    Ok(())
}

/// glibc's array of group ids: those it knows, and room for those that are added.
struct GidArray<'a> {
    used: *mut c_long,
    size: *mut c_long,
    list: *mut *mut gid_t,
    known: &'a [gid_t],
    added: &'a mut [gid_t],
}

impl GidArray<'_> {
    /// # Safety
    /// `list` points to an array from malloc with room for `size` ids of which `used` are set; all
    /// three can be written as long as this lives.
    unsafe fn new(used: *mut c_long, size: *mut c_long, list: *mut *mut gid_t) -> Self {
        Self {
            used,
            size,
            list,
            known: &[],
            added: &mut [],
        }
    }

    /// Counts in what was added, in little endian, except what glibc knows already.
    fn keep(self, skip: gid_t, limit: c_long) {
        let mut kept = 0;
        for index in 0..self.added.len() {
            let Some(gid) = self.added.get(index).copied().map(gid_t::from_le) else {
                break;
            };
            if gid != skip
                && !self.known.contains(&gid)
                && let Some(place) = self.added.get_mut(kept)
            {
                *place = gid;
                kept += 1;
            }
        }
        let total = c_long::try_from(self.known.len() + kept).unwrap_or(c_long::MAX);
        let known = c_long::try_from(self.known.len()).unwrap_or(c_long::MAX);
        let total = if limit > 0 {
            total.min(limit).max(known)
        } else {
            total
        };
        // SAFETY: who made this array vouched for `used`.
        unsafe { self.used.write(total) };
    }
}

impl GroupRoom for GidArray<'_> {
    /// Set to 0 and not yet counted as used.
    fn bytes(&mut self, groups: usize) -> Result<&mut [u8], Failure> {
        // What they pointed to may move.
        (self.known, self.added) = (&[], &mut []);
        // SAFETY: who made this array vouched for `used`.
        let known = unsafe { self.used.read() };
        // SAFETY: and for `size`.
        let room = unsafe { self.size.read() };
        // SAFETY: and for `list`.
        let mut start = unsafe { self.list.read() };
        let (Ok(known), Ok(room)) = (usize::try_from(known), usize::try_from(room)) else {
            return Err(Failure::Unavailable);
        };
        let needed = known.checked_add(groups).ok_or(Failure::OutOfMemory)?;
        if needed > room || start.is_null() {
            let wanted = needed.max(room.saturating_mul(2));
            let (bytes, told) = sizes(wanted).ok_or(Failure::OutOfMemory)?;
            // SAFETY: the array came from malloc, and from here on only the new address is used.
            start = keeping_errno(|| unsafe { libc::realloc(start.cast(), bytes) }).cast();
            if start.is_null() {
                return Err(Failure::OutOfMemory);
            }
            // SAFETY: as read above.
            unsafe { self.list.write(start) };
            // SAFETY: as read above.
            unsafe { self.size.write(told) };
        }
        let tail = start.wrapping_add(known);
        // SAFETY: the array has room for `known + groups` ids.
        unsafe { tail.write_bytes(0, groups) };
        // SAFETY: glibc has set the first `known` ids.
        self.known = unsafe { std::slice::from_raw_parts(start, known) };
        // SAFETY: set to 0 above, and apart from the known ones.
        self.added = unsafe { std::slice::from_raw_parts_mut(tail, groups) };
        let bytes = size_of_val(self.added);
        // SAFETY: the same memory, of which every byte is a `u8`.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.added.as_mut_ptr().cast(), bytes) })
    }
}

/// So many ids in bytes, and as the number that glibc keeps.
fn sizes(ids: usize) -> Option<(size_t, c_long)> {
    Some((
        ids.checked_mul(size_of::<gid_t>())?,
        c_long::try_from(ids).ok()?,
    ))
}

/// As much of a string as a name can have, and one byte more of what is too long for one. Read here
/// and not by `strlen`: to call another library just after a system call, which glibc makes before
/// it calls, takes longer than that.
///
/// # Safety
/// `name` is null or a C string that lives as long as what is returned.
#[inline(never)]
unsafe fn text<'a>(name: *const c_char) -> &'a [u8] {
    if name.is_null() {
        return &[];
    }
    let start: *const u8 = name.cast();
    let mut length = 0;
    // SAFETY: the caller vouches for the string, whose end was not met before.
    while length <= NAME_BYTES_MAX && unsafe { start.wrapping_add(length).read() } != 0 {
        length += 1;
    }
    // SAFETY: so many bytes of the string were read.
    unsafe { std::slice::from_raw_parts(start, length) }
}

/// Runs one answer and tells glibc how it went.
///
/// # Safety
/// `errno_place` can be written.
unsafe fn guarded(errno_place: *mut c_int, answer: impl FnOnce() -> Result<(), Failure>) -> c_int {
    let outcome = catch_unwind(AssertUnwindSafe(answer)).unwrap_or(Err(Failure::Unavailable));
    let (status, errno) = match outcome {
        Ok(()) => return NssStatus::Success as c_int,
        Err(failure) => failure.for_glibc(),
    };
    // SAFETY: the caller vouches for the address.
    unsafe { errno_place.write(errno) };
    set_errno(errno);
    status as c_int
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nss_11_a_panic_is_unavailable_and_goes_no_further() {
        let mut errno = 0;
        // SAFETY: the place of `errno` can be written.
        let status = unsafe { guarded(&raw mut errno, || panic!("injected")) };
        assert_eq!((status, errno), (NssStatus::Unavail as c_int, libc::EAGAIN));
        // SAFETY: as above.
        let status = unsafe { guarded(&raw mut errno, || Ok(())) };
        assert_eq!(status, NssStatus::Success as c_int);
    }
}
