//! What glibc calls.

#![expect(
    unsafe_code,
    reason = "glibc passes raw pointers and expects unmangled symbols"
)]

use std::ffi::CStr;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::ptr::null_mut;
use std::sync::OnceLock;

use libc::{c_char, c_int, passwd, size_t};

const SUCCESS: c_int = 1;
const NOT_FOUND: c_int = 0;
const UNAVAILABLE: c_int = -1;
const TRY_AGAIN: c_int = -2;

const TABLE: &str = "/run/copier.table";
const HEADER_BYTES: usize = 8;
const SLOT_BYTES: usize = 8;
const RECORD_BYTES: usize = 16;

/// Finds a user by name.
///
/// # Safety
/// As glibc calls it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn _nss_copier_getpwnam_r(
    name: *const c_char,
    result: *mut passwd,
    buffer: *mut c_char,
    length: size_t,
    errno_place: *mut c_int,
) -> c_int {
    // SAFETY: glibc passes a C string.
    let name = unsafe { CStr::from_ptr(name) }.to_bytes();
    let Some(table) = mapped() else {
        return UNAVAILABLE;
    };
    let Some((record, text)) = found(table, name) else {
        return NOT_FOUND;
    };
    if length < text.len() {
        // SAFETY: glibc passes the address of this thread's `errno`.
        unsafe { errno_place.write(libc::ERANGE) };
        return TRY_AGAIN;
    }
    // SAFETY: the buffer was found long enough.
    unsafe { buffer.copy_from_nonoverlapping(text.as_ptr().cast(), text.len()) };
    let begins = |at: usize| buffer.wrapping_add(usize::from(half_at(record, at)));
    let password = buffer.wrapping_add(name.len() + 1);
    let answer = passwd {
        pw_name: buffer,
        pw_passwd: password,
        pw_uid: word_at(record, 0),
        pw_gid: word_at(record, 4),
        pw_gecos: begins(8),
        pw_dir: begins(10),
        pw_shell: begins(12),
    };
    // SAFETY: glibc passes its own result.
    unsafe { result.write(answer) };
    SUCCESS
}

/// The table, mapped with the first lookup of a process.
fn mapped() -> Option<&'static [u8]> {
    static MAPPED: OnceLock<Option<&'static [u8]>> = OnceLock::new();
    *MAPPED.get_or_init(|| {
        let file = File::open(TABLE).ok()?;
        let length = usize::try_from(file.metadata().ok()?.len()).ok()?;
        let (access, kind) = (libc::PROT_READ, libc::MAP_SHARED);
        // SAFETY: a new mapping, where the kernel likes.
        let start = unsafe { libc::mmap(null_mut(), length, access, kind, file.as_raw_fd(), 0) };
        if start == libc::MAP_FAILED {
            return None;
        }
        // SAFETY: mapped for good, and nobody changes the file while it is measured.
        Some(unsafe { std::slice::from_raw_parts(start.cast(), length) })
    })
}

/// A record and its text.
fn found<'a>(table: &'a [u8], name: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let hash = hash(name);
    let (low, high) = (hash & 0xffff_ffff, hash >> 32);
    let mask = u64::from(word_at(table, 0)).checked_sub(1)?;
    let mut slot = low & mask;
    loop {
        let at = HEADER_BYTES + usize::try_from(slot).ok()? * SLOT_BYTES;
        let record = usize::try_from(word_at(table, at + 4)).ok()?;
        if record == 0 {
            return None;
        }
        if u64::from(word_at(table, at)) == high {
            let record = table.get(record..)?;
            let text = record.get(RECORD_BYTES..)?;
            let text = text.get(..usize::from(half_at(record, 14)))?;
            if text.starts_with(name) && text.get(name.len()) == Some(&0) {
                return Some((record, text));
            }
        }
        slot = (slot + 1) & mask;
    }
}

/// FNV-1a, of 64 bits.
fn hash(name: &[u8]) -> u64 {
    let mixed = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
    name.iter().fold(0xcbf2_9ce4_8422_2325, mixed)
}

fn word_at(bytes: &[u8], at: usize) -> u32 {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.map_or(0, |word| u32::from_le_bytes(*word))
}

fn half_at(bytes: &[u8], at: usize) -> u16 {
    let found = bytes.get(at..).and_then(|rest| rest.first_chunk());
    found.map_or(0, |half| u16::from_le_bytes(*half))
}
