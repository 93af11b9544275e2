//! The calls themselves.

#![expect(unsafe_code, reason = "calls C functions")]

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::ptr::null_mut;

use libc::{c_char, c_int, group, passwd};

type Answer = Result<Option<String>, c_int>;

pub(crate) fn user_by_name(name: &str, buffer: &mut [u8]) -> Answer {
    let name = CString::new(name).unwrap();
    passwd_entry(buffer, |entry, text, length, found| {
        // SAFETY: all pointers are valid, the buffer has this length.
        unsafe { libc::getpwnam_r(name.as_ptr(), entry, text, length, found) }
    })
}

pub(crate) fn user_by_id(uid: u32, buffer: &mut [u8]) -> Answer {
    passwd_entry(buffer, |entry, text, length, found| {
        // SAFETY: all pointers are valid, the buffer has this length.
        unsafe { libc::getpwuid_r(uid, entry, text, length, found) }
    })
}

pub(crate) fn next_user(buffer: &mut [u8]) -> Answer {
    let answer = passwd_entry(buffer, |entry, text, length, found| {
        // SAFETY: all pointers are valid, the buffer has this length.
        unsafe { libc::getpwent_r(entry, text, length, found) }
    });
    end_of_list(answer)
}

pub(crate) fn group_by_name(name: &str, buffer: &mut [u8]) -> Answer {
    let name = CString::new(name).unwrap();
    group_entry(buffer, |entry, text, length, found| {
        // SAFETY: all pointers are valid, the buffer has this length.
        unsafe { libc::getgrnam_r(name.as_ptr(), entry, text, length, found) }
    })
}

pub(crate) fn group_by_id(gid: u32, buffer: &mut [u8]) -> Answer {
    group_entry(buffer, |entry, text, length, found| {
        // SAFETY: all pointers are valid, the buffer has this length.
        unsafe { libc::getgrgid_r(gid, entry, text, length, found) }
    })
}

pub(crate) fn next_group(buffer: &mut [u8]) -> Answer {
    let answer = group_entry(buffer, |entry, text, length, found| {
        // SAFETY: all pointers are valid, the buffer has this length.
        unsafe { libc::getgrent_r(entry, text, length, found) }
    });
    end_of_list(answer)
}

pub(crate) fn rewind_users() {
    // SAFETY: takes nothing; this process has one thread that lists.
    unsafe { libc::setpwent() }
}

pub(crate) fn rewind_groups() {
    // SAFETY: takes nothing; this process has one thread that lists.
    unsafe { libc::setgrent() }
}

/// Whether all groups fit, how many there are, and those that fit.
pub(crate) fn groups_of(name: &str, gid: u32, room: usize) -> (bool, c_int, Vec<u32>) {
    let name = CString::new(name).unwrap();
    let mut groups = vec![0; room];
    let mut count = c_int::try_from(room).unwrap();
    // SAFETY: the array has room for `count` ids.
    let outcome =
        unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &mut count) };
    groups.truncate(usize::try_from(count).unwrap());
    (outcome >= 0, count, groups)
}

fn passwd_entry(
    buffer: &mut [u8],
    call: impl FnOnce(*mut passwd, *mut c_char, usize, *mut *mut passwd) -> c_int,
) -> Answer {
    let mut entry = MaybeUninit::zeroed();
    let mut found = null_mut();
    let (text, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    let error = call(entry.as_mut_ptr(), text, length, &mut found);
    if found.is_null() {
        return if error == 0 { Ok(None) } else { Err(error) };
    }
    // SAFETY: glibc has filled the entry.
    let entry = unsafe { entry.assume_init() };
    let [name, password, gecos, home, shell] = [
        entry.pw_name,
        entry.pw_passwd,
        entry.pw_gecos,
        entry.pw_dir,
        entry.pw_shell,
    ]
    .map(string);
    let (uid, gid) = (entry.pw_uid, entry.pw_gid);
    Ok(Some(format!(
        "{name}:{password}:{uid}:{gid}:{gecos}:{home}:{shell}"
    )))
}

fn group_entry(
    buffer: &mut [u8],
    call: impl FnOnce(*mut group, *mut c_char, usize, *mut *mut group) -> c_int,
) -> Answer {
    let mut entry = MaybeUninit::zeroed();
    let mut found = null_mut();
    let (text, length) = (buffer.as_mut_ptr().cast(), buffer.len());
    let error = call(entry.as_mut_ptr(), text, length, &mut found);
    if found.is_null() {
        return if error == 0 { Ok(None) } else { Err(error) };
    }
    // SAFETY: glibc has filled the entry.
    let entry = unsafe { entry.assume_init() };
    let mut members = Vec::new();
    loop {
        // SAFETY: the table ends with a null pointer, where the loop ends.
        let member = unsafe { entry.gr_mem.wrapping_add(members.len()).read() };
        if member.is_null() {
            break;
        }
        members.push(string(member));
    }
    let [name, password] = [entry.gr_name, entry.gr_passwd].map(string);
    Ok(Some(format!(
        "{name}:{password}:{}:{}",
        entry.gr_gid,
        members.join(",")
    )))
}

/// At the end of a list glibc says ENOENT.
fn end_of_list(answer: Answer) -> Answer {
    match answer {
        Err(libc::ENOENT) => Ok(None),
        other => other,
    }
}

fn string(text: *mut c_char) -> String {
    // SAFETY: a string of an entry that glibc has filled.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().unwrap().to_owned()
}
