//! A program that calls PAM: one service file with one line of ours, and a person who types what
//! the test says.
#![expect(unsafe_code, reason = "libpam is C")]

use std::collections::VecDeque;
use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::path::{Path, PathBuf};
use std::ptr;

use tempfile::TempDir;
use zeroize::{Zeroize, Zeroizing};

pub(crate) const SUCCESS: c_int = 0;
pub(crate) const PERM_DENIED: c_int = 6;
pub(crate) const AUTH_ERR: c_int = 7;
pub(crate) const CRED_INSUFFICIENT: c_int = 8;
pub(crate) const AUTHINFO_UNAVAIL: c_int = 9;
pub(crate) const USER_UNKNOWN: c_int = 10;
pub(crate) const MAXTRIES: c_int = 11;
pub(crate) const NEW_AUTHTOK_REQD: c_int = 12;
pub(crate) const ACCT_EXPIRED: c_int = 13;
pub(crate) const AUTHTOK_ERR: c_int = 20;

const PAM_SERVICE_FILE: &str = "cloudid-test";
const PAM_USER: c_int = 2;
const PAM_TTY: c_int = 3;
const PAM_RHOST: c_int = 4;
const PAM_RUSER: c_int = 8;
const PAM_FAIL_DELAY: c_int = 10;
const CONV_ERR: c_int = 19;

#[repr(C)]
struct Message {
    style: c_int,
    text: *const c_char,
}

#[repr(C)]
struct Response {
    typed: *mut c_char,
    code: c_int,
}

#[repr(C)]
struct Conversation {
    converse: extern "C" fn(c_int, *const *const Message, *mut *mut Response, *mut c_void) -> c_int,
    data: *mut c_void,
}

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_start_confdir(
        service: *const c_char,
        user: *const c_char,
        conversation: *const Conversation,
        folder: *const c_char,
        handle: *mut *mut c_void,
    ) -> c_int;
    fn pam_end(handle: *mut c_void, status: c_int) -> c_int;
    fn pam_set_item(handle: *mut c_void, item: c_int, value: *const c_void) -> c_int;
    fn pam_authenticate(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_setcred(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_acct_mgmt(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_open_session(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_close_session(handle: *mut c_void, flags: c_int) -> c_int;
    fn pam_chauthtok(handle: *mut c_void, flags: c_int) -> c_int;
}

/// What the person types, and what they were shown: (style of libpam, text).
#[derive(Default)]
pub(crate) struct Person {
    pub(crate) types: VecDeque<Zeroizing<Vec<u8>>>,
    pub(crate) shown: Vec<(c_int, String)>,
    /// The delay libpam was asked for, which the program does not wait for.
    pub(crate) delayed: bool,
}

/// One PAM transaction.
pub(crate) struct Transaction {
    handle: *mut c_void,
    person: *mut Person,
    _conversation: Box<Conversation>,
    _folder: TempDir,
}

impl Transaction {
    /// Starts a transaction whose only line is ours, with these options.
    pub(crate) fn start(service: &str, user: Option<&str>, options: &str) -> Self {
        let module = module();
        let mut lines = String::new();
        for kind in ["auth", "account", "session", "password"] {
            lines += &format!("{kind} required {} {options}\n", module.display());
        }
        Self::with_lines(service, user, &lines)
    }

    pub(crate) fn with_lines(service: &str, user: Option<&str>, lines: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(service), lines).unwrap();
        let person = Box::into_raw(Box::<Person>::default());
        let conversation = Box::new(Conversation {
            converse,
            data: person.cast(),
        });
        let service = CString::new(service).unwrap();
        let user = user.map(|user| CString::new(user).unwrap());
        let path = CString::new(folder.path().to_str().unwrap()).unwrap();
        let mut handle = ptr::null_mut();
        // SAFETY: every text outlives the call; the conversation outlives the handle.
        let code = unsafe {
            pam_start_confdir(
                service.as_ptr(),
                user.as_ref().map_or(ptr::null(), |user| user.as_ptr()),
                &raw const *conversation,
                path.as_ptr(),
                &raw mut handle,
            )
        };
        assert_eq!(code, SUCCESS);
        let delay: extern "C" fn(c_int, c_uint, *mut c_void) = note_delay;
        // SAFETY: libpam keeps the function's address and calls it with our data.
        unsafe { pam_set_item(handle, PAM_FAIL_DELAY, delay as *const c_void) };
        Self {
            handle,
            person,
            _conversation: conversation,
            _folder: folder,
        }
    }

    pub(crate) fn person(&mut self) -> &mut Person {
        // SAFETY: made by `with_lines`, freed when the transaction is dropped, used by libpam
        // only inside its calls.
        unsafe { &mut *self.person }
    }

    pub(crate) fn types(&mut self, answers: &[&[u8]]) -> &mut Self {
        let answers = answers.iter().map(|text| Zeroizing::new(text.to_vec()));
        self.person().types.extend(answers);
        self
    }

    pub(crate) fn become_user(&mut self, user: &str) -> &mut Self {
        self.set(PAM_USER, user)
    }

    pub(crate) fn from(&mut self, host: &str, terminal: &str) -> &mut Self {
        self.set(PAM_RHOST, host).set(PAM_TTY, terminal)
    }

    pub(crate) fn called_by(&mut self, user: &str) -> &mut Self {
        self.set(PAM_RUSER, user)
    }

    fn set(&mut self, item: c_int, text: &str) -> &mut Self {
        let text = CString::new(text).unwrap();
        // SAFETY: libpam copies the text.
        let code = unsafe { pam_set_item(self.handle, item, text.as_ptr().cast()) };
        assert_eq!(code, SUCCESS);
        self
    }

    pub(crate) fn authenticate(&mut self) -> c_int {
        // SAFETY: the handle is open until the transaction is dropped; so below.
        unsafe { pam_authenticate(self.handle, 0) }
    }

    pub(crate) fn set_credentials(&mut self) -> c_int {
        // SAFETY: see `authenticate`.
        unsafe { pam_setcred(self.handle, 2) }
    }

    pub(crate) fn account(&mut self) -> c_int {
        // SAFETY: see `authenticate`.
        unsafe { pam_acct_mgmt(self.handle, 0) }
    }

    pub(crate) fn open_session(&mut self) -> c_int {
        // SAFETY: see `authenticate`.
        unsafe { pam_open_session(self.handle, 0) }
    }

    pub(crate) fn close_session(&mut self) -> c_int {
        // SAFETY: see `authenticate`.
        unsafe { pam_close_session(self.handle, 0) }
    }

    pub(crate) fn change_password(&mut self) -> c_int {
        // SAFETY: see `authenticate`.
        unsafe { pam_chauthtok(self.handle, 0) }
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // SAFETY: ends the handle once; the conversation is still there.
        unsafe { pam_end(self.handle, SUCCESS) };
        // SAFETY: the pointer came out of a box, and nobody uses it any more.
        drop(unsafe { Box::from_raw(self.person) });
    }
}

/// The module that was built for these tests, beside the test program.
pub(crate) fn module() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let module = program.parent().unwrap().join("libpam_cloudid.so");
    assert!(Path::exists(&module), "{} is missing", module.display());
    module
}

/// For tests that do not care what the service is called.
pub(crate) fn start(user: &str, options: &str) -> Transaction {
    Transaction::start(PAM_SERVICE_FILE, Some(user), options)
}

extern "C" fn converse(
    count: c_int,
    messages: *const *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int {
    assert_eq!(count, 1, "the module sends one message at a time");
    // SAFETY: libpam hands back the data of the conversation.
    let person = unsafe { &mut *data.cast::<Person>() };
    // SAFETY: one message was announced.
    let first = unsafe { *messages };
    // SAFETY: libpam's module side keeps it until this function returns.
    let message = unsafe { &*first };
    // SAFETY: its text is a C string.
    let text = unsafe { CStr::from_ptr(message.text) };
    let text = text.to_str().unwrap().to_owned();
    person.shown.push((message.style, text));
    let typed = if message.style <= 2 {
        let Some(answer) = person.types.pop_front() else {
            return CONV_ERR; // the person gave up
        };
        let text = CString::new(answer.as_slice()).unwrap();
        // SAFETY: libc copies the text into memory of its own.
        let typed = unsafe { libc::strdup(text.as_ptr()) };
        text.into_bytes().zeroize();
        typed
    } else {
        ptr::null_mut()
    };
    // SAFETY: allocates one response for the module to free.
    let response = unsafe { libc::calloc(1, size_of::<Response>()) }.cast::<Response>();
    // SAFETY: just allocated.
    unsafe { (*response).typed = typed };
    // SAFETY: libpam's pointer for the answer.
    unsafe { *responses = response };
    SUCCESS
}

extern "C" fn note_delay(_code: c_int, microseconds: c_uint, data: *mut c_void) {
    // SAFETY: libpam hands over the data of the conversation.
    let person = unsafe { &mut *data.cast::<Person>() };
    person.delayed |= microseconds > 0;
}
