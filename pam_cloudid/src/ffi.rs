//! Everything unsafe: libpam's entry points, each behind a guard against panics, and what `pamsm`
//! leaves to us (the terminal, the delay, answers that are checked, wiped and freed).
#![expect(
    unsafe_code,
    reason = "libpam and glibc are C; nothing outside this file calls them directly"
)]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;

use local_protocol::Secret;
use pamsm::{LogLvl, Pam, PamError, PamFlags, PamLibExt, PamServiceModule, pam_module};
use zeroize::{Zeroize, Zeroizing};

use crate::hooks;
use crate::log::Log;
use crate::options::Options;

const PAM_TTY: c_int = 3;
const PAM_CONV: c_int = 5;
const PAM_AUTHTOK: c_int = 6;
const PASSWD_BUFFER_BYTES_MAX: usize = 1 << 20;

#[link(name = "pam")]
unsafe extern "C" {
    fn pam_get_item(handle: *const c_void, item: c_int, value: *mut *const c_void) -> c_int;
    fn pam_set_item(handle: *mut c_void, item: c_int, value: *const c_void) -> c_int;
    fn pam_fail_delay(handle: *mut c_void, microseconds: c_uint) -> c_int;
}

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

type Converse = unsafe extern "C" fn(
    count: c_int,
    messages: *mut *const Message,
    responses: *mut *mut Response,
    data: *mut c_void,
) -> c_int;

#[repr(C)]
struct Conversation {
    converse: Option<Converse>,
    data: *mut c_void,
}

/// How a message is meant; the numbers are libpam's.
#[derive(Debug, Clone, Copy)]
#[repr(i32)]
pub(crate) enum Style {
    HiddenPrompt = 1,
    ShownPrompt = 2,
    Error = 3,
    Information = 4,
}

/// The transaction libpam has called us for.
pub(crate) struct Handle(Pam);

impl Handle {
    /// The name, asked for when the program has not given one yet.
    pub(crate) fn user_or_ask(&self) -> Option<Vec<u8>> {
        bytes(self.0.get_user(None))
    }

    pub(crate) fn user(&self) -> Option<Vec<u8>> {
        bytes(self.0.get_cached_user())
    }

    pub(crate) fn service(&self) -> Option<Vec<u8>> {
        bytes(self.0.get_service())
    }

    pub(crate) fn remote_host(&self) -> Option<Vec<u8>> {
        bytes(self.0.get_rhost())
    }

    pub(crate) fn remote_user(&self) -> Option<Vec<u8>> {
        bytes(self.0.get_ruser())
    }

    pub(crate) fn terminal(&self) -> Option<Vec<u8>> {
        let text = self.item(PAM_TTY)?.cast::<c_char>();
        // SAFETY: libpam keeps this item as a C string until it is set again, which only this
        // thread could do.
        Some(unsafe { CStr::from_ptr(text) }.to_bytes().to_vec())
    }

    /// What the program has put into the environment of the transaction.
    pub(crate) fn environment(&self, name: &str) -> Option<Vec<u8>> {
        bytes(self.0.getenv(name))
    }

    /// Keeps bytes with the transaction. Never a secret: libpam copies and does not wipe them.
    pub(crate) fn remember(&self, key: &str, bytes: Vec<u8>) -> bool {
        self.0.send_bytes(key, bytes, None).is_ok()
    }

    pub(crate) fn recall(&self, key: &str) -> Option<Vec<u8>> {
        self.0.retrieve_bytes(key).ok()
    }

    /// Leaves the password to later modules, such as those that open a keyring. libpam wipes its
    /// copy, and we ours.
    pub(crate) fn keep_password(&self, password: &Secret) {
        let mut text = Zeroizing::new(Vec::with_capacity(password.expose().len() + 1));
        text.extend_from_slice(password.expose());
        text.push(0);
        // SAFETY: libpam copies the text, which ends with NUL, before it returns.
        unsafe { pam_set_item(self.raw(), PAM_AUTHTOK, text.as_ptr().cast()) };
    }

    /// Asks libpam to wait before it reports a failure.
    pub(crate) fn delay_failure(&self, microseconds: u32) {
        // SAFETY: sets a number in the handle, which is valid for the duration of the call.
        unsafe { pam_fail_delay(self.raw(), microseconds) };
    }

    /// Sends one message to the program. `None` when it has no way to show it, the person gave
    /// up, or a prompt came back without an answer.
    pub(crate) fn converse(&self, style: Style, text: &str) -> Option<Zeroizing<Vec<u8>>> {
        let conversation = self.item(PAM_CONV)?.cast::<Conversation>();
        // SAFETY: this item is a conversation structure that the program keeps until pam_end.
        let conversation = unsafe { conversation.as_ref() }?;
        let converse = conversation.converse?;
        let text = CString::new(text).ok()?;
        let message = Message {
            style: style as c_int,
            text: text.as_ptr(),
        };
        let mut messages: [*const Message; 1] = [&raw const message];
        let mut responses = ptr::null_mut();
        // SAFETY: one message, as announced, which outlives the call; the program owns `data`.
        let code = unsafe {
            converse(
                1,
                messages.as_mut_ptr(),
                &raw mut responses,
                conversation.data,
            )
        };
        if code != PamError::SUCCESS as c_int {
            return None; // what may stand in `responses` is not ours then
        }
        take_answer(responses)
    }

    fn item(&self, item: c_int) -> Option<*const c_void> {
        let mut value = ptr::null();
        // SAFETY: the handle is valid for the duration of the call, and so is `value`.
        let code = unsafe { pam_get_item(self.raw(), item, &raw mut value) };
        (code == PamError::SUCCESS as c_int && !value.is_null()).then_some(value)
    }

    fn raw(&self) -> *mut c_void {
        const { assert!(size_of::<Pam>() == size_of::<*mut c_void>()) };
        let pam: *const Pam = &raw const self.0;
        // SAFETY: `Pam` is a transparent wrapper of libpam's pointer.
        unsafe { *pam.cast::<*mut c_void>() }
    }
}

impl Log for Handle {
    fn warning(&self, text: &str) {
        // A text with NUL cannot be logged; there is nothing better to do than to go on.
        let _ = self.0.syslog(LogLvl::WARNING, text);
    }

    fn notice(&self, text: &str) {
        let _ = self.0.syslog(LogLvl::NOTICE, text);
    }

    fn debug(&self, text: &str) {
        let _ = self.0.syslog(LogLvl::DEBUG, text);
    }
}

fn bytes(item: Result<Option<&CStr>, PamError>) -> Option<Vec<u8>> {
    item.ok().flatten().map(|text| text.to_bytes().to_vec())
}

/// Takes one answer over: copies it, wipes and frees what the program allocated.
fn take_answer(responses: *mut Response) -> Option<Zeroizing<Vec<u8>>> {
    // SAFETY: the program answered success to one message: this is one response, or NULL.
    let typed = unsafe { responses.as_ref() }?.typed;
    let answer = (!typed.is_null()).then(|| {
        // SAFETY: the answer is a C string that is ours alone now.
        let length = unsafe { libc::strlen(typed) };
        // SAFETY: so many bytes belong to it, and nobody else uses them.
        let letters = unsafe { std::slice::from_raw_parts_mut(typed.cast::<u8>(), length) };
        let answer = Zeroizing::new(letters.to_vec());
        letters.zeroize();
        answer
    });
    // SAFETY: the program allocated the answer with malloc for us to free; NULL is allowed.
    unsafe { libc::free(typed.cast()) };
    // SAFETY: likewise the response around it.
    unsafe { libc::free(responses.cast()) };
    answer
}

/// Whether any source of this host knows the name. A source that fails may know it.
pub(crate) fn is_known(name: &str) -> bool {
    let Ok(name) = CString::new(name) else {
        return false;
    };
    let mut buffer: Vec<c_char> = vec![0; 4096];
    loop {
        let mut entry = std::mem::MaybeUninit::uninit();
        let mut found = ptr::null_mut();
        // SAFETY: all pointers are valid for the call, and the buffer is as long as said.
        let code = unsafe {
            libc::getpwnam_r(
                name.as_ptr(),
                entry.as_mut_ptr(),
                buffer.as_mut_ptr(),
                buffer.len(),
                &raw mut found,
            )
        };
        match code {
            0 => return !found.is_null(),
            libc::ENOENT | libc::ESRCH => return false,
            libc::ERANGE if buffer.len() < PASSWD_BUFFER_BYTES_MAX => {
                buffer.resize(buffer.len() * 4, 0);
            }
            _ => return true,
        }
    }
}

type Hook = fn(&Handle, &Options, c_int) -> PamError;

/// No panic crosses into the program that called PAM, which it would abort.
fn guarded(pam: Pam, flags: PamFlags, words: &[String], hook: Hook) -> PamError {
    let call = AssertUnwindSafe(|| {
        let handle = Handle(pam);
        let options = Options::parse(words, &handle);
        hook(&handle, &options, flags.bits())
    });
    catch_unwind(call).unwrap_or(PamError::AUTHINFO_UNAVAIL)
}

struct Module;

impl PamServiceModule for Module {
    fn authenticate(pam: Pam, flags: PamFlags, words: Vec<String>) -> PamError {
        guarded(pam, flags, &words, hooks::authenticate)
    }

    fn setcred(pam: Pam, flags: PamFlags, words: Vec<String>) -> PamError {
        guarded(pam, flags, &words, hooks::set_credentials)
    }

    fn acct_mgmt(pam: Pam, flags: PamFlags, words: Vec<String>) -> PamError {
        guarded(pam, flags, &words, hooks::account)
    }

    fn open_session(pam: Pam, flags: PamFlags, words: Vec<String>) -> PamError {
        guarded(pam, flags, &words, hooks::open_session)
    }

    fn close_session(pam: Pam, flags: PamFlags, words: Vec<String>) -> PamError {
        guarded(pam, flags, &words, hooks::close_session)
    }

    fn chauthtok(pam: Pam, flags: PamFlags, words: Vec<String>) -> PamError {
        guarded(pam, flags, &words, hooks::change_password)
    }
}

pam_module!(Module);
