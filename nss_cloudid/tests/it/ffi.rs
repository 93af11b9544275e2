//! Calls what glibc calls, the way glibc does, on a host of a thread's own.

#![expect(unsafe_code, reason = "the functions under test take raw pointers")]

use std::ffi::{CStr, CString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr::null_mut;

use libc::{c_char, c_int, c_long, gid_t};
use libnss::group::CGroup;
use libnss::passwd::CPasswd;
use nss_cloudid::ffi as module;

use crate::host::Host;

pub(crate) const SUCCESS: c_int = 1;
pub(crate) const NOT_FOUND: c_int = 0;
pub(crate) const UNAVAILABLE: c_int = -1;
pub(crate) const TRY_AGAIN: c_int = -2;

const PAGE: usize = 4096;

/// What a call said: status, `errno`, and the entry if there was one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said<Entry> {
    pub(crate) status: c_int,
    pub(crate) errno: c_int,
    pub(crate) entry: Option<Entry>,
}

/// A passwd entry as the caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) line: String,
}

/// A group entry as the caller sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) gid: u32,
    pub(crate) members: Vec<String>,
}

/// What is looked up.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Key<'a> {
    Name(&'a str),
    Id(u32),
    Next,
}

/// Memory that ends at a page nobody may touch.
pub(crate) struct Guarded {
    start: *mut u8,
}

impl Guarded {
    const PAGES: usize = 600;
    const FILLING: u8 = 0xa5;

    pub(crate) fn new() -> Self {
        let bytes = (Self::PAGES + 1) * PAGE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        let kind = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        // SAFETY: a new mapping, nowhere in particular.
        let start: *mut u8 = unsafe { libc::mmap(null_mut(), bytes, access, kind, -1, 0) }.cast();
        let guard = start.wrapping_add(Self::PAGES * PAGE);
        // SAFETY: the last page of that mapping.
        let outcome = unsafe { libc::mprotect(guard.cast(), PAGE, libc::PROT_NONE) };
        assert_eq!(outcome, 0);
        Self { start }
    }

    /// The last so many bytes before the guard, everything before them filled.
    fn last(&self, length: usize) -> *mut c_char {
        let before = Self::PAGES * PAGE - length;
        let near = before.min(2 * PAGE);
        let filled = self.start.wrapping_add(before - near);
        // SAFETY: inside the mapping, whose pages before the guard are writable.
        unsafe { filled.write_bytes(Self::FILLING, near) };
        self.start.wrapping_add(before).cast()
    }

    /// Nothing was written before the last so many bytes.
    fn untouched_before(&self, length: usize) -> bool {
        let before = Self::PAGES * PAGE - length;
        let near = before.min(2 * PAGE);
        let filled = self.start.wrapping_add(before - near);
        // SAFETY: inside the mapping, and written by `last`.
        let bytes = unsafe { std::slice::from_raw_parts(filled, near) };
        bytes.iter().all(|byte| *byte == Self::FILLING)
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        // SAFETY: the mapping that `new` made, used by nobody any more.
        unsafe { libc::munmap(self.start.cast(), (Self::PAGES + 1) * PAGE) };
    }
}

/// Asks for a user with a buffer of a length, `errno` being ERANGE before.
pub(crate) fn user(memory: &Guarded, key: Key<'_>, length: usize) -> Said<User> {
    let buffer = memory.last(length);
    let mut entry = CPasswd {
        name: null_mut(),
        passwd: null_mut(),
        uid: 0,
        gid: 0,
        gecos: null_mut(),
        dir: null_mut(),
        shell: null_mut(),
    };
    let name = name_of(key);
    let errno = stale_errno();
    let status = match key {
        // SAFETY: all pointers are valid, the buffer has this length.
        Key::Name(_) => unsafe {
            module::_nss_cloudid_getpwnam_r(name.as_ptr(), &mut entry, buffer, length, errno)
        },
        // SAFETY: as above.
        Key::Id(id) => unsafe {
            module::_nss_cloudid_getpwuid_r(id, &mut entry, buffer, length, errno)
        },
        // SAFETY: as above.
        Key::Next => unsafe { module::_nss_cloudid_getpwent_r(&mut entry, buffer, length, errno) },
    };
    assert!(memory.untouched_before(length), "wrote before the buffer");
    said(status, || {
        let inside = |text: *mut c_char| string_inside(buffer, length, text);
        let line = format!(
            "{}:{}:{}:{}:{}:{}:{}",
            inside(entry.name),
            inside(entry.passwd),
            entry.uid,
            entry.gid,
            inside(entry.gecos),
            inside(entry.dir),
            inside(entry.shell)
        );
        User { line }
    })
}

/// Asks for a group with a buffer of a length, `errno` being ERANGE before.
pub(crate) fn group(memory: &Guarded, key: Key<'_>, length: usize) -> Said<Group> {
    let buffer = memory.last(length);
    let mut entry = CGroup {
        name: null_mut(),
        passwd: null_mut(),
        gid: 0,
        members: null_mut(),
    };
    let name = name_of(key);
    let errno = stale_errno();
    let status = match key {
        // SAFETY: all pointers are valid, the buffer has this length.
        Key::Name(_) => unsafe {
            module::_nss_cloudid_getgrnam_r(name.as_ptr(), &mut entry, buffer, length, errno)
        },
        // SAFETY: as above.
        Key::Id(id) => unsafe {
            module::_nss_cloudid_getgrgid_r(id, &mut entry, buffer, length, errno)
        },
        // SAFETY: as above.
        Key::Next => unsafe { module::_nss_cloudid_getgrent_r(&mut entry, buffer, length, errno) },
    };
    assert!(memory.untouched_before(length), "wrote before the buffer");
    said(status, || {
        assert!(entry.members.is_aligned(), "pointers are not aligned");
        assert_eq!(string_inside(buffer, length, entry.passwd), "x");
        let mut members = Vec::new();
        loop {
            let place = entry.members.wrapping_add(members.len());
            let end = buffer.wrapping_add(length);
            assert!(place.wrapping_add(1).cast() <= end && place.cast() >= buffer);
            // SAFETY: aligned, and inside the buffer as checked.
            let member = unsafe { place.read() };
            if member.is_null() {
                break;
            }
            members.push(string_inside(buffer, length, member));
        }
        Group {
            name: string_inside(buffer, length, entry.name),
            gid: entry.gid,
            members,
        }
    })
}

/// Begins the listing of users and of groups again.
pub(crate) fn rewind() {
    module::_nss_cloudid_setpwent(0);
    module::_nss_cloudid_setgrent(0);
}

/// Asks for the groups of a user, `known` being there already in an array that is just as large.
pub(crate) fn group_list(name: &str, known: &[u32], skip: u32, limit: c_long) -> Said<Vec<u32>> {
    let name = CString::new(name).unwrap();
    let (mut used, mut size) = (known.len() as c_long, known.len().max(1) as c_long);
    // SAFETY: malloc takes any size.
    let array = unsafe { libc::malloc(size_of::<gid_t>() * known.len().max(1)) };
    let mut array: *mut gid_t = array.cast();
    // SAFETY: the array has room for what is known.
    unsafe { array.copy_from_nonoverlapping(known.as_ptr(), known.len()) };
    let errno = stale_errno();
    // SAFETY: all pointers are valid, the array came from malloc and has `size` ids.
    let status = unsafe {
        module::_nss_cloudid_initgroups_dyn(
            name.as_ptr(),
            skip,
            &mut used,
            &mut size,
            &mut array,
            limit,
            errno,
        )
    };
    assert!(used <= size, "{used} ids in an array of {size}");
    let counted = usize::try_from(used).unwrap();
    // SAFETY: the module says that so many ids are set.
    let ids = unsafe { std::slice::from_raw_parts(array, counted) }.to_vec();
    // SAFETY: the array came from malloc or realloc.
    unsafe { libc::free(array.cast()) };
    assert_eq!(ids.get(..known.len()), Some(known), "what was known stays");
    let mut said = said(status, || ids.clone());
    said.entry.get_or_insert(ids);
    said
}

/// Runs something in a thread that sees the host's `/run/cloudid`, and has descriptors of its own.
pub(crate) fn on<T: Send>(host: &Host, work: impl FnOnce() -> T + Send) -> T {
    let run = host.path("run");
    std::thread::scope(|scope| {
        let inside = scope.spawn(move || {
            // SAFETY: separates this thread's mounts and descriptors, nothing else.
            let outcome = unsafe { libc::unshare(libc::CLONE_NEWNS | libc::CLONE_FILES) };
            assert_eq!(outcome, 0, "needs root");
            see(&run);
            work()
        });
        match inside.join() {
            Ok(result) => result,
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// Mounts a host's folder as `/run/cloudid`, in a mount namespace of one's own.
fn see(run: &Path) {
    let private = libc::MS_REC | libc::MS_PRIVATE;
    mount(Path::new("none"), Path::new("/"), None, private);
    mount(Path::new("tmpfs"), Path::new("/run"), Some(c"tmpfs"), 0);
    std::fs::create_dir("/run/cloudid").unwrap();
    mount(run, Path::new("/run/cloudid"), None, libc::MS_BIND);
}

/// Works in a child process that sees the host's `/run/cloudid`; whether it said yes in time.
pub(crate) fn process_on(host: &Host, work: impl FnOnce() -> bool) -> bool {
    let run = host.path("run");
    child_says(|| {
        // SAFETY: separates the child's mounts, nothing else.
        let outcome = unsafe { libc::unshare(libc::CLONE_NEWNS) };
        assert_eq!(outcome, 0, "needs root");
        see(&run);
        work()
    })
}

/// A FIFO or a device of the file system.
pub(crate) fn make_node(path: &Path, mode: u32, device: u64) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: the path is a C string.
    let outcome = unsafe { libc::mknod(path.as_ptr(), mode, device) };
    assert_eq!(outcome, 0, "needs root");
}

/// Number of the device that swallows everything.
pub(crate) fn null_device() -> u64 {
    libc::makedev(1, 3)
}

fn mount(source: &Path, target: &Path, kind: Option<&CStr>, flags: libc::c_ulong) {
    let [source, target] =
        [source, target].map(|path| CString::new(path.as_os_str().as_bytes()).unwrap());
    let kind = kind.map_or(std::ptr::null(), CStr::as_ptr);
    let nothing = std::ptr::null();
    // SAFETY: all strings are C strings or null, in a mount namespace of this thread's own.
    let outcome = unsafe { libc::mount(source.as_ptr(), target.as_ptr(), kind, flags, nothing) };
    assert_eq!(outcome, 0, "{}", std::io::Error::last_os_error());
}

fn name_of(key: Key<'_>) -> CString {
    match key {
        Key::Name(name) => CString::new(name).unwrap(),
        Key::Id(_) | Key::Next => CString::default(),
    }
}

/// This thread's `errno`, set to what an earlier call may have left.
fn stale_errno() -> *mut c_int {
    // SAFETY: always the address of this thread's `errno`.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    unsafe { errno.write(libc::ERANGE) };
    errno
}

fn said<Entry>(status: c_int, entry: impl FnOnce() -> Entry) -> Said<Entry> {
    // SAFETY: always the address of this thread's `errno`.
    let errno = unsafe { libc::__errno_location() };
    // SAFETY: as above.
    let errno = unsafe { errno.read() };
    Said {
        status,
        errno,
        entry: (status == SUCCESS).then(entry),
    }
}

/// A string that begins and ends inside the buffer.
fn string_inside(buffer: *mut c_char, length: usize, text: *mut c_char) -> String {
    let from = (text as usize).checked_sub(buffer as usize).unwrap();
    assert!(from < length, "points outside the buffer");
    // SAFETY: the buffer has this length, and was written by the call.
    let bytes = unsafe { std::slice::from_raw_parts(buffer.cast::<u8>(), length) };
    let text = CStr::from_bytes_until_nul(&bytes[from..]).unwrap();
    text.to_str().unwrap().to_owned()
}

/// Opens descriptors until so many are open, or the process may have no more; how many there are.
pub(crate) fn open_descriptors(wanted: usize) -> usize {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the limit is written.
    unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) };
    limit.rlim_cur = limit.rlim_max.min(1 << 17);
    // SAFETY: the limit is a valid one; raising it disturbs no other test.
    unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) };
    // SAFETY: takes numbers only.
    let opened = (0..wanted).take_while(|_| unsafe { libc::dup(0) } >= 0);
    opened.count()
}

/// Closes one descriptor of this thread's own table.
pub(crate) fn close(descriptor: i32) {
    // SAFETY: takes a number, of a table that only this thread has.
    unsafe { libc::close(descriptor) };
}

/// Gives this child more time than the minute it began with.
pub(crate) fn take_an_hour() {
    // SAFETY: takes a number only.
    unsafe { libc::alarm(3600) };
}

/// Forks, works in the child, and tells whether the child said yes within a minute.
pub(crate) fn child_says(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child only looks up and leaves.
    let child = unsafe { libc::fork() };
    if child == 0 {
        // SAFETY: ends a child that hangs.
        unsafe { libc::alarm(60) };
        nss_cloudid::forget();
        let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        let code = if matches!(said, Ok(true)) { 0 } else { 1 };
        // SAFETY: leaves without running anything of the parent's.
        unsafe { libc::_exit(code) };
    }
    let mut status = -1;
    // SAFETY: waits for that child alone.
    let waited = unsafe { libc::waitpid(child, &mut status, 0) };
    waited == child && status == 0
}
