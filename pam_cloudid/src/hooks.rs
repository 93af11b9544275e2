//! PAM's six calls: who it is about, whether that is for us, and what the cacher says. Every call
//! ends in the table of `codes.rs`.

use std::ffi::c_int;

use local_protocol::{Begin, BeginAfterKey, Login, Outcome, Purpose, Request, SessionId};
use pamsm::PamError;
use zeroize::Zeroizing;

use crate::codes::{Ending, Step, code};
use crate::dialogue::{Conversation, Dialogue, Tone, lead};
use crate::ffi::{Handle, Style, is_known};
use crate::line::Line;
use crate::local::is_local;
use crate::log::Log;
use crate::options::Options;
use crate::person::{Pinned, actor, check, is_sudo};
use crate::text::field;

const PAM_SILENT: c_int = 0x8000;
const PAM_PRELIM_CHECK: c_int = 0x4000;

const PERSON: &str = "cloudid_person";
const SESSIONS: &str = "cloudid_sessions";

/// Where sshd says which methods have succeeded.
const SSH_AUTH_INFO: &str = "SSH_AUTH_INFO_0";
/// A certificate with many principals has a few kilobytes; more fits no frame beside the rest.
const PROVEN_BYTES_MAX: usize = 32 * 1024;

/// Longest name anything on a host could have; a longer one is nobody's.
const NAME_BYTES_MAX: usize = 256;
/// What an answer costs that is refused here, in microseconds. The cacher holds back what it
/// refuses itself.
const FAILURE_DELAY: u32 = 2_000_000;

/// `pam_sm_authenticate`.
pub(crate) fn authenticate(handle: &Handle, options: &Options, flags: c_int) -> PamError {
    let call = Call::new(handle, options, flags, Step::Authenticate);
    call.end(call.authenticate())
}

/// `pam_sm_setcred`: there are no credentials to set. Yes for whom we let in; the profile ignores
/// everything else.
pub(crate) fn set_credentials(handle: &Handle, _: &Options, _: c_int) -> PamError {
    match pinned(handle) {
        Some(person) if person.admitted => PamError::SUCCESS,
        Some(_) | None => PamError::USER_UNKNOWN,
    }
}

/// `pam_sm_acct_mgmt`.
pub(crate) fn account(handle: &Handle, options: &Options, flags: c_int) -> PamError {
    let call = Call::new(handle, options, flags, Step::Account);
    call.end(call.account())
}

/// `pam_sm_open_session`.
pub(crate) fn open_session(handle: &Handle, options: &Options, flags: c_int) -> PamError {
    let call = Call::new(handle, options, flags, Step::Session);
    call.end(call.open_session())
}

/// `pam_sm_close_session`.
pub(crate) fn close_session(handle: &Handle, options: &Options, flags: c_int) -> PamError {
    let call = Call::new(handle, options, flags, Step::Session);
    call.end(call.close_session())
}

/// `pam_sm_chauthtok`, called twice: can it be changed, then change it.
pub(crate) fn change_password(handle: &Handle, options: &Options, flags: c_int) -> PamError {
    let call = Call::new(handle, options, flags, Step::Password);
    let purpose = if flags & PAM_PRELIM_CHECK == 0 {
        Purpose::ChangePassword
    } else {
        Purpose::MayChangePassword
    };
    call.end(call.change_password(purpose))
}

/// One call of PAM.
struct Call<'a> {
    handle: &'a Handle,
    options: &'a Options,
    step: Step,
    service: String,
    silent: bool,
}

impl<'a> Call<'a> {
    fn new(handle: &'a Handle, options: &'a Options, flags: c_int, step: Step) -> Self {
        #[cfg(feature = "test-socket-path")]
        assert!(!options.panic, "asked to panic");
        // sudo asks for silence when it authenticates, where people need the words most.
        let may_be_silent = matches!(step, Step::Session | Step::Password);
        Self {
            handle,
            options,
            step,
            service: field(&handle.service().unwrap_or_default()),
            silent: options.quiet || (may_be_silent && flags & PAM_SILENT != 0),
        }
    }

    fn authenticate(&self) -> Result<Ending, Ending> {
        let user = self.handle.user_or_ask().ok_or(Ending::Silence)?;
        let login = self.login(&user, None)?;
        let name = login.user.clone();
        let opening = self.after_key(self.begin(Purpose::Authenticate, login));
        // After a key the first thing typed may be a code, which opens no keyring.
        let is_password = matches!(opening, Request::Begin(_));
        let dialogue = self.talk(&opening)?;
        if let Ending::Decided(Outcome::Allowed | Outcome::PasswordMustChange) = dialogue.ending {
            self.pin(&name, true)?;
            if let Some(password) = dialogue.password.as_ref().filter(|_| is_password) {
                self.handle.keep_password(password);
            }
        }
        Ok(dialogue.ending)
    }

    fn account(&self) -> Result<Ending, Ending> {
        let login = self.later_login()?;
        let name = login.user.clone();
        let typed = pinned(self.handle).is_some_and(|person| person.admitted);
        let mut dialogue = self.talk(&Request::Account(login))?;
        if !typed && dialogue.ending == Ending::Decided(Outcome::PasswordMustChange) {
            // Nobody has typed a password here: a key, a timer. sshd would run nothing but passwd,
            // and without a terminal not even that.
            dialogue.ending = Ending::Decided(Outcome::Allowed);
        }
        if let Ending::Decided(Outcome::Allowed | Outcome::PasswordMustChange) = dialogue.ending {
            self.pin(&name, true)?;
        }
        Ok(dialogue.ending)
    }

    fn open_session(&self) -> Result<Ending, Ending> {
        let login = self.later_login()?;
        let dialogue = self.talk(&Request::OpenSession(login))?;
        if let Some(SessionId(id)) = dialogue.session {
            let mut sessions = self.handle.recall(SESSIONS).unwrap_or_default();
            sessions.extend_from_slice(&id);
            self.remember(SESSIONS, sessions)?;
        }
        Ok(dialogue.ending)
    }

    /// Closes the session opened last; without one there is nothing of ours to close.
    fn close_session(&self) -> Result<Ending, Ending> {
        let mut sessions = self.handle.recall(SESSIONS).unwrap_or_default();
        let id = sessions.last_chunk().copied().ok_or(Ending::NotOurs)?;
        sessions.truncate(sessions.len() - id.len());
        self.remember(SESSIONS, sessions)?;
        Ok(self.talk(&Request::CloseSession(SessionId(id)))?.ending)
    }

    fn change_password(&self, purpose: Purpose) -> Result<Ending, Ending> {
        let login = self.later_login()?;
        Ok(self
            .talk(&Request::Begin(self.begin(purpose, login)))?
            .ending)
    }

    fn begin(&self, purpose: Purpose, login: Login) -> Begin {
        Begin {
            purpose,
            known_elsewhere: is_known(&login.user),
            login,
        }
    }

    /// sshd says which key it has accepted before it asks us. Nobody else is asked for it: in the
    /// environments of other programs a person may have a hand.
    fn after_key(&self, begin: Begin) -> Request {
        let proven = (self.service == "sshd")
            .then(|| self.handle.environment(SSH_AUTH_INFO))
            .flatten()
            .and_then(|proven| String::from_utf8(proven).ok())
            .filter(|proven| (1..=PROVEN_BYTES_MAX).contains(&proven.len()));
        match proven {
            Some(proven) => Request::BeginAfterKey(BeginAfterKey { begin, proven }),
            None => Request::Begin(begin),
        }
    }

    /// The login of a step that may not be the first.
    fn later_login(&self) -> Result<Login, Ending> {
        let user = self.handle.user().ok_or(Ending::Silence)?;
        self.login(&user, pinned(self.handle).as_ref())
    }

    /// Who this is about, when that is for us to answer.
    fn login(&self, user: &[u8], before: Option<&Pinned>) -> Result<Login, Ending> {
        let remote_user = self.handle.remote_user().unwrap_or_default();
        let name = actor(
            &self.service,
            name_from(user)?,
            name_from(&remote_user).unwrap_or_default(),
        );
        let checked = check(name, is_local(name), before);
        if before.is_none() {
            self.pin(name, false)?;
        }
        checked?;
        Ok(Login {
            user: name.to_owned(),
            service: self.service.clone(),
            remote_host: field(&self.handle.remote_host().unwrap_or_default()),
            remote_user: field(&remote_user),
            terminal: field(&self.handle.terminal().unwrap_or_default()),
            process: std::process::id(),
        })
    }

    fn pin(&self, name: &str, admitted: bool) -> Result<(), Ending> {
        let name = name.to_owned();
        self.remember(PERSON, Pinned { name, admitted }.to_bytes())
    }

    fn remember(&self, key: &str, bytes: Vec<u8>) -> Result<(), Ending> {
        let kept = self.handle.remember(key, bytes);
        if kept { Ok(()) } else { Err(Ending::Silence) }
    }

    fn talk(&self, opening: &Request) -> Result<Dialogue, Ending> {
        let mut line = Line::open(self.options, self.handle).ok_or(Ending::Silence)?;
        let mut person = Person {
            handle: self.handle,
            silent: self.silent,
        };
        Ok(lead(&mut line, &mut person, opening, self.step))
    }

    /// The decision goes to the log before it goes to PAM. Names that are not ours leave no
    /// trace: people type passwords where a name is asked.
    fn end(&self, result: Result<Ending, Ending>) -> PamError {
        let ending = result.unwrap_or_else(|ending| ending);
        let code = code(self.step, is_sudo(&self.service), &ending);
        let text = format!("{:?}: {ending:?}, answered {code}", self.step);
        match &ending {
            Ending::Decided(Outcome::Allowed | Outcome::NotOurs) | Ending::NotOurs => {
                if self.options.debug {
                    self.handle.debug(&text);
                }
            }
            Ending::Decided(_)
            | Ending::Silence
            | Ending::GaveUp
            | Ending::ImpossibleAnswer
            | Ending::AnotherPerson => self.handle.notice(&text),
        }
        if ending == Ending::ImpossibleAnswer {
            self.handle.delay_failure(FAILURE_DELAY);
        }
        code
    }
}

/// The name, when it could be anybody's.
fn name_from(bytes: &[u8]) -> Result<&str, Ending> {
    let name = std::str::from_utf8(bytes).map_err(|_| Ending::NotOurs)?;
    let possible = (1..=NAME_BYTES_MAX).contains(&name.len());
    possible.then_some(name).ok_or(Ending::NotOurs)
}

fn pinned(handle: &Handle) -> Option<Pinned> {
    Pinned::from_bytes(&handle.recall(PERSON)?)
}

/// The person behind PAM's conversation.
struct Person<'a> {
    handle: &'a Handle,
    silent: bool,
}

impl Conversation for Person<'_> {
    fn ask(&mut self, prompt: &str, echo: bool) -> Option<Zeroizing<Vec<u8>>> {
        let style = if echo {
            Style::ShownPrompt
        } else {
            Style::HiddenPrompt
        };
        self.handle.converse(style, prompt)
    }

    fn say(&mut self, text: &str, tone: Tone) {
        let style = match tone {
            Tone::Information if self.silent => return,
            Tone::Information => Style::Information,
            Tone::Refusal => Style::Error,
        };
        // Whether anybody reads it decides nothing.
        let _ = self.handle.converse(style, text);
    }
}
