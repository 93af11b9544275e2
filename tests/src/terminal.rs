//! A terminal with a person in front: waits for a prompt, types an answer.

use crate::command::{OrFail, Outcome, fail};
use crate::host::Host;
use rexpect::ReadUntil;
use rexpect::process::WaitStatus;
use rexpect::reader::Regex;
use rexpect::session::{Options, PtySession, spawn_with_options};
use std::fmt;
use std::process::Command;

/// How long a prompt may take to appear, in milliseconds.
const PROMPT_LIMIT_MS: u64 = 20_000;

/// A program on a terminal.
pub struct Terminal {
    what: String,
    session: PtySession,
    seen: String,
}

impl Terminal {
    #[track_caller]
    pub(crate) fn start(command: Command) -> Self {
        let what = format!("{command:?}");
        let options = Options::new()
            .timeout_ms(Some(PROMPT_LIMIT_MS))
            .strip_ansi_escape_codes(true);
        let session = spawn_with_options(command, options).or_fail("open a terminal");
        Self {
            what,
            session,
            seen: String::new(),
        }
    }

    /// Waits until the program shows `text` (a regular expression).
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> &mut Self {
        if !self.shows(text) {
            fail(&format!(
                "{}: ended before {text:?}: {}",
                self.what, self.seen
            ));
        }
        self
    }

    /// Waits until the program shows `text` (a regular expression) or ends; true when it was shown.
    #[track_caller]
    pub fn shows(&mut self, text: &str) -> bool {
        let pattern = ReadUntil::Regex(Regex::new(text).or_fail("read the pattern"));
        match self.session.exp_any(vec![pattern, ReadUntil::EOF]) {
            Ok((before, matched)) => {
                self.seen.push_str(&before);
                self.seen.push_str(&matched);
                !matched.is_empty()
            }
            Err(error) => fail(&format!(
                "{}: no {text:?} after {}: {error}",
                self.what, self.seen
            )),
        }
    }

    /// Types a line.
    #[track_caller]
    pub fn answer(&mut self, line: &str) -> &mut Self {
        self.session.send_line(line).or_fail("type a line");
        self
    }

    /// Presses Ctrl-C.
    #[track_caller]
    pub fn interrupt(&mut self) -> &mut Self {
        self.session.send_control('c').or_fail("press Ctrl-C");
        self
    }

    /// Waits until the program ends; answers everything it showed since the last prompt.
    #[track_caller]
    #[must_use]
    pub fn finish(mut self) -> Outcome {
        let rest = match self.session.exp_eof() {
            Ok(rest) => rest,
            Err(error) => fail(&format!(
                "{} does not end: {error}\n{}",
                self.what, self.seen
            )),
        };
        let code = match self.session.process().wait() {
            Ok(WaitStatus::Exited(_, code)) => code,
            _ => -1,
        };
        let stdout = rest.replace("\r\n", "\n").trim().to_owned();
        Outcome {
            what: self.what,
            code,
            stdout,
            stderr: self.seen,
        }
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("what", &self.what)
            .field("seen", &self.seen)
            .finish()
    }
}

impl Host {
    /// A terminal of the host itself with a root shell's command on it. The terminal is made inside
    /// the host, because programs ask for its name.
    #[track_caller]
    #[must_use]
    pub fn terminal(&self, command: &str) -> Terminal {
        Terminal::start(self.command(&["script", "-qec", &format!("exec {command}"), "/dev/null"]))
    }

    /// What PAM of a service answers for a user who types `password`: each of `steps`
    /// (`authenticate`, `acct_mgmt`, `open_session`, ...) in turn.
    #[track_caller]
    #[must_use]
    pub fn pam(&self, service: &str, user: &str, password: &str, steps: &str) -> Outcome {
        self.run(&format!(
            "echo '{password}' | timeout 20 pamtester {service} {user} {steps}"
        ))
    }

    /// The same as somebody else: a session of that user, without asking for a password.
    #[track_caller]
    #[must_use]
    pub fn terminal_of(&self, user: &str, command: &str) -> Terminal {
        self.terminal(&format!("su - {user} --session-command '{command}'"))
    }
}
