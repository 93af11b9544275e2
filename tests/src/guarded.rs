//! The scene of stories about second factors: a site where a policy is in force, people with an
//! authenticator and backup codes, and what they type.

use crate::authenticator::Enrolled;
use crate::command::{Outcome, fail};
use crate::directory::ARRIVAL_LIMIT;
use crate::site::{PASSWORD, Site};
use crate::terminal::Terminal;
use crate::wait::eventually;
use std::sync::atomic::{AtomicU32, Ordering};

/// How every program asks for a password.
pub const PASSWORD_PROMPT: &str = "(?i)password[^:\n]*: ";
/// How every program asks for a code.
pub const CODE_PROMPT: &str = "(?i)code[^\n]*: ";

/// A site where a policy is in force; alice, who has a key, and bob, who has none, have an
/// authenticator and backup codes each.
#[derive(Debug)]
pub struct Guarded {
    /// Where it is.
    pub site: Site,
    /// What alice has.
    pub alice: Enrolled,
    /// What bob has.
    pub bob: Enrolled,
}

impl Guarded {
    /// A policy with these options at a usual site.
    #[must_use]
    #[track_caller]
    pub fn new(policy: &[&str]) -> Self {
        Self::at(Site::new(), policy)
    }

    /// A policy with these options at a site.
    #[must_use]
    #[track_caller]
    pub fn at(site: Site, policy: &[&str]) -> Self {
        site.directory.add_person("bob", PASSWORD, &["web"]);
        site.web.until("id bob");
        let enrol = |person| {
            // The code that confirms must not grow too old on its way.
            let early = || site.web.number("date +%s") % 30 < 20;
            if !eventually(ARRIVAL_LIMIT, early) {
                fail("the clock of a host stands still");
            }
            let now = site.web.number("date +%s");
            site.directory.enrol_factors(person, PASSWORD, now)
        };
        let (alice, bob) = (enrol("alice"), enrol("bob"));
        site.change(&[&["policy", "add", "all"], policy].concat());
        Self { site, alice, bob }
    }
}

impl Site {
    /// A change that is in force on the host before the story goes on: whoever is added afterwards
    /// arrives there in a bundle that has it.
    #[track_caller]
    pub fn change(&self, words: &[&str]) {
        static MARKS: AtomicU32 = AtomicU32::new(0);
        let mark = format!("mark{}", MARKS.fetch_add(1, Ordering::Relaxed));
        let add = ["user", "add", &mark, "--active", "--group", "web", "--yes"];
        self.directory.ok(&[words, &["--yes"]].concat());
        self.directory.ok(&add);
        self.web.until(&format!("id {mark}"));
    }

    /// The code that an authenticator shows so many steps from now, by the clock of the host.
    #[must_use]
    #[track_caller]
    pub fn code(&self, enrolled: &Enrolled, steps: i64) -> String {
        let now = self.web.number("date +%s");
        enrolled.authenticator.code(now, steps)
    }

    /// bob logs in by ssh, and types what is asked.
    #[must_use]
    #[track_caller]
    pub fn bob_by_password(&self, password: &str, code: &str) -> Outcome {
        let ssh = self.laptop.ssh(&self.web).user("bob").asked(None);
        let terminal = ssh.conversation("ssh", &["{}", "id -un"]);
        terminal.told(&[(PASSWORD_PROMPT, password), (CODE_PROMPT, code)])
    }

    /// alice logs in by ssh with her key, and types a code.
    #[must_use]
    #[track_caller]
    pub fn alice_by_key(&self, code: &str) -> Outcome {
        let ssh = self.laptop.ssh(&self.web).user("alice");
        let ssh = ssh.asked(Some(&self.key));
        let terminal = ssh.conversation("ssh", &["{}", "id -un"]);
        terminal.told(&[(CODE_PROMPT, code)])
    }

    /// What sudo says to somebody who types a code once and then nothing more.
    #[must_use]
    #[track_caller]
    pub fn sudo(&self, person: &str, code: &str) -> String {
        let terminal = self.web.terminal_of(person, "sudo -k id -un");
        let nothing = [(PASSWORD_PROMPT, ""); 5];
        let first = [(PASSWORD_PROMPT, PASSWORD), (CODE_PROMPT, code)];
        let said = terminal.told(&[&first[..], &nothing].concat());
        said.said().trim().to_owned()
    }

    /// A person may use sudo on the host for everything.
    #[track_caller]
    pub fn add_sudoer(&self, person: &str) {
        let file = format!("/etc/sudoers.d/{person}");
        self.web.write(&file, &format!("{person} ALL=(ALL) ALL\n"));
        self.web.ok(&format!("chmod 440 {file}"));
    }
}

impl Terminal {
    /// Answers the prompts as they come, until the program ends, and hears how.
    #[must_use]
    #[track_caller]
    pub fn told(mut self, answers: &[(&str, &str)]) -> Outcome {
        for (prompt, answer) in answers {
            if !self.shows(prompt) {
                break;
            }
            self.answer(answer);
        }
        self.finish()
    }
}

impl Outcome {
    /// Everything that was shown.
    #[must_use]
    pub fn said(&self) -> String {
        format!("{}{}", self.stderr, self.stdout)
    }

    /// Checks that it failed.
    #[track_caller]
    pub fn refused(&self) {
        if self.succeeded() {
            fail(&format!("this had to be refused: {self:?}"));
        }
    }
}
