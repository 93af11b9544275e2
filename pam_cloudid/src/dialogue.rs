//! The dialogue: shows what the cacher says, asks what it wants to know, until it has decided.
//! Knows neither PAM nor sockets.

use local_protocol::{Outcome, Reply, Request, Secret, SessionId};
use zeroize::Zeroizing;

use crate::answer;
use crate::codes::{Ending, Step};
use crate::text;

/// A cacher that says more than this has lost its way.
const REPLIES_MAX: usize = 64;

const IMPOSSIBLE_PASSWORD: &str = "A password has 1 to 256 bytes. Nothing was changed.";

/// The person, reached through the program that called PAM.
pub(crate) trait Conversation {
    /// Asks; `None` when the person gave up or cannot be reached.
    fn ask(&mut self, prompt: &str, echo: bool) -> Option<Zeroizing<Vec<u8>>>;
    /// Shows a text; nobody may be there to read it.
    fn say(&mut self, text: &str, tone: Tone);
}

/// How a text is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Good to know.
    Information,
    /// Why it does not go on.
    Refusal,
}

/// The cacher. Each call has its own deadline.
pub(crate) trait Cacher {
    /// Sends a request; `None` when it could not be sent.
    fn send(&mut self, request: &Request) -> Option<()>;
    /// Waits for a reply; `None` when there is none.
    fn receive(&mut self) -> Option<Reply>;
}

/// How a dialogue ended, and what came of it besides.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dialogue {
    pub(crate) ending: Ending,
    /// What was typed first without echo, for modules that unlock something with the password.
    pub(crate) password: Option<Secret>,
    /// The session that was registered.
    pub(crate) session: Option<SessionId>,
}

/// Leads the dialogue that `opening` begins.
pub(crate) fn lead(
    cacher: &mut impl Cacher,
    person: &mut impl Conversation,
    opening: &Request,
    step: Step,
) -> Dialogue {
    let mut relay = Relay {
        cacher,
        person,
        step,
        unsaid: Vec::new(),
        password: None,
        session: None,
    };
    let ending = relay.run(opening).unwrap_or_else(|ending| ending);
    relay.speak(tone_of(&ending));
    Dialogue {
        ending,
        password: relay.password,
        session: relay.session,
    }
}

fn tone_of(ending: &Ending) -> Tone {
    match ending {
        Ending::Decided(Outcome::Allowed | Outcome::PasswordMustChange) => Tone::Information,
        Ending::Decided(_)
        | Ending::NotOurs
        | Ending::Silence
        | Ending::GaveUp
        | Ending::ImpossibleAnswer
        | Ending::AnotherPerson => Tone::Refusal,
    }
}

struct Relay<'a, C, P> {
    cacher: &'a mut C,
    person: &'a mut P,
    step: Step,
    /// Said by the cacher, held until it is clear how it is meant.
    unsaid: Vec<String>,
    password: Option<Secret>,
    session: Option<SessionId>,
}

impl<C: Cacher, P: Conversation> Relay<'_, C, P> {
    fn run(&mut self, opening: &Request) -> Result<Ending, Ending> {
        self.cacher.send(opening).ok_or(Ending::Silence)?;
        for _ in 0..REPLIES_MAX {
            match self.cacher.receive().ok_or(Ending::Silence)? {
                Reply::Prompt(prompt) if self.may_ask() => {
                    self.speak(Tone::Information);
                    let answer = self.answer(&prompt.text, prompt.echo)?;
                    self.cacher
                        .send(&Request::Answer(answer))
                        .ok_or(Ending::Silence)?;
                }
                Reply::Say(text) => self.unsaid.push(text::shown(&text)),
                Reply::Done(outcome) => return Ok(Ending::Decided(outcome)),
                Reply::SessionOpened(session) if self.step == Step::Session => {
                    self.session = Some(session);
                    return Ok(Ending::Decided(Outcome::Allowed));
                }
                Reply::Prompt(_)
                | Reply::SessionOpened(_)
                | Reply::Keys(_)
                | Reply::Owner(_)
                | Reply::Status(_)
                | Reply::Explained(_)
                | Reply::IdentityMemory
                | Reply::IdentityMap
                | Reply::Refused
                | Reply::Unavailable(_) => return Err(Ending::Silence),
            }
        }
        Err(Ending::Silence)
    }

    /// Who asks for a password in another step is not to be told one.
    fn may_ask(&self) -> bool {
        matches!(self.step, Step::Authenticate | Step::Password)
    }

    fn answer(&mut self, prompt: &str, echo: bool) -> Result<Secret, Ending> {
        let typed = self
            .person
            .ask(&text::shown(prompt), echo)
            .ok_or(Ending::GaveUp)?;
        let Some(answer) = answer::possible(&typed) else {
            if self.step == Step::Password {
                self.unsaid.push(IMPOSSIBLE_PASSWORD.to_owned());
            }
            return Err(Ending::ImpossibleAnswer);
        };
        if !echo && self.password.is_none() {
            self.password = Some(answer.clone());
        }
        Ok(answer)
    }

    fn speak(&mut self, tone: Tone) {
        for text in self.unsaid.drain(..) {
            self.person.say(&text, tone);
        }
    }
}

#[cfg(test)]
#[path = "dialogue_tests.rs"]
mod tests;
