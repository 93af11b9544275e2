//! What glibc calls. The answers are written the way the cheapest possible module would write them.

#![expect(
    unsafe_code,
    reason = "glibc passes raw pointers and expects unmangled symbols"
)]

use std::ffi::CStr;

use libc::{c_char, c_int, c_long, gid_t, group, passwd, size_t, uid_t};

const SUCCESS: c_int = 1;
const NOT_FOUND: c_int = 0;
const TRY_AGAIN: c_int = -2;

/// Ids below this one are nobody's.
const FIRST_ID: u32 = 70_000;
const FIRST_GROUP: gid_t = 75_000;

/// name, password, comment, home and shell, and where each begins.
const USER: &[u8; 33] = b"user\0x\0User\0/home/user\0/bin/bash\0";
const NAME: usize = 0;
const PASSWORD: usize = 5;
const COMMENT: usize = 7;
const HOME: usize = 12;
const SHELL: usize = 23;
/// name, password and one member of a group; behind the list of its members.
const GROUP: &[u8; 11] = b"grp\0x\0user\0";
const LIST_BYTES: usize = 2 * size_of::<*mut c_char>();

/// Finds a user by name.
///
/// # Safety
/// As glibc calls it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_floor_getpwnam_r(
    name: *const c_char,
    result: *mut passwd,
    buffer: *mut c_char,
    length: size_t,
    errno_place: *mut c_int,
) -> c_int {
    // SAFETY: glibc passes a C string.
    if unsafe { begins_with(name, b"nouser-") } {
        return NOT_FOUND;
    }
    // SAFETY: as glibc calls it.
    unsafe { user(71_000, result, (buffer, length), errno_place) }
}

/// Finds a user by id.
///
/// # Safety
/// As glibc calls it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_floor_getpwuid_r(
    uid: uid_t,
    result: *mut passwd,
    buffer: *mut c_char,
    length: size_t,
    errno_place: *mut c_int,
) -> c_int {
    if uid < FIRST_ID {
        return NOT_FOUND;
    }
    // SAFETY: as glibc calls it.
    unsafe { user(uid, result, (buffer, length), errno_place) }
}

/// Finds a group by name.
///
/// # Safety
/// As glibc calls it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_floor_getgrnam_r(
    _name: *const c_char,
    result: *mut group,
    buffer: *mut c_char,
    length: size_t,
    errno_place: *mut c_int,
) -> c_int {
    // SAFETY: as glibc calls it.
    unsafe { one_group(FIRST_GROUP, result, (buffer, length), errno_place) }
}

/// Finds a group by id.
///
/// # Safety
/// As glibc calls it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_floor_getgrgid_r(
    gid: gid_t,
    result: *mut group,
    buffer: *mut c_char,
    length: size_t,
    errno_place: *mut c_int,
) -> c_int {
    // SAFETY: as glibc calls it.
    unsafe { one_group(gid, result, (buffer, length), errno_place) }
}

/// Adds the groups of a user to glibc's list; glibc made room for more than 50.
///
/// # Safety
/// As glibc calls it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_floor_initgroups_dyn(
    name: *const c_char,
    _skipped: gid_t,
    start: *mut c_long,
    size: *mut c_long,
    groups: *mut *mut gid_t,
    _limit: c_long,
    _errno_place: *mut c_int,
) -> c_int {
    // SAFETY: glibc passes a C string.
    let count: u32 = if unsafe { begins_with(name, b"many-") } {
        50
    } else {
        5
    };
    // SAFETY: glibc passes its own counters.
    let first = unsafe { start.read() };
    // SAFETY: as above.
    let room = unsafe { size.read() };
    // SAFETY: as above.
    let list = unsafe { groups.read() };
    for number in 0..count {
        let place = first + c_long::from(number);
        let Some(place) = usize::try_from(place).ok().filter(|_| place < room) else {
            break;
        };
        // SAFETY: the list has room for `room` entries.
        let entry = unsafe { list.add(place) };
        // SAFETY: as above.
        unsafe { entry.write(FIRST_GROUP + number) };
        // SAFETY: glibc passes its own counter.
        unsafe { start.write(first + c_long::from(number) + 1) };
    }
    SUCCESS
}

/// # Safety
/// `name` is a C string.
unsafe fn begins_with(name: *const c_char, prefix: &[u8]) -> bool {
    // SAFETY: the caller passes a C string.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_bytes().starts_with(prefix)
}

/// # Safety
/// All pointers are glibc's, the buffer has the length that stands with it.
unsafe fn user(
    uid: uid_t,
    result: *mut passwd,
    (buffer, length): (*mut c_char, size_t),
    errno_place: *mut c_int,
) -> c_int {
    if length < USER.len() {
        // SAFETY: glibc passes the address of this thread's `errno`.
        return unsafe { too_small(errno_place) };
    }
    // SAFETY: the buffer was found long enough.
    unsafe { buffer.cast::<[u8; 33]>().write_unaligned(*USER) };
    let record = passwd {
        pw_name: buffer.wrapping_add(NAME),
        pw_passwd: buffer.wrapping_add(PASSWORD),
        pw_uid: uid,
        pw_gid: FIRST_GROUP,
        pw_gecos: buffer.wrapping_add(COMMENT),
        pw_dir: buffer.wrapping_add(HOME),
        pw_shell: buffer.wrapping_add(SHELL),
    };
    // SAFETY: glibc passes its own result.
    unsafe { result.write(record) };
    SUCCESS
}

/// # Safety
/// All pointers are glibc's, the buffer has the length that stands with it.
unsafe fn one_group(
    gid: gid_t,
    result: *mut group,
    (buffer, length): (*mut c_char, size_t),
    errno_place: *mut c_int,
) -> c_int {
    let gap = buffer.align_offset(align_of::<*mut c_char>());
    if length < gap + LIST_BYTES + GROUP.len() {
        // SAFETY: glibc passes the address of this thread's `errno`.
        return unsafe { too_small(errno_place) };
    }
    let list = buffer.wrapping_add(gap);
    let text = list.wrapping_add(LIST_BYTES);
    // SAFETY: the buffer was found long enough.
    unsafe { text.cast::<[u8; 11]>().write_unaligned(*GROUP) };
    let members = [text.wrapping_add(6), std::ptr::null_mut()];
    // SAFETY: the buffer was found long enough, and the list aligned.
    unsafe { list.cast::<[*mut c_char; 2]>().write_unaligned(members) };
    let record = group {
        gr_name: text,
        gr_passwd: text.wrapping_add(4),
        gr_gid: gid,
        gr_mem: list.cast(),
    };
    // SAFETY: glibc passes its own result.
    unsafe { result.write(record) };
    SUCCESS
}

/// # Safety
/// `errno_place` is the address of this thread's `errno`.
unsafe fn too_small(errno_place: *mut c_int) -> c_int {
    // SAFETY: the caller passes a place for it.
    unsafe { errno_place.write(libc::ERANGE) };
    TRY_AGAIN
}
