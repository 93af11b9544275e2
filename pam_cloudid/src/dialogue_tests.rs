//! The dialogue with a cacher and a person who follow a script to its end.
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "whatever else the script says, the test has failed"
)]

use std::collections::VecDeque;

use local_protocol::{Outcome, Prompt, Reply, Request, Secret, SessionId};
use zeroize::Zeroizing;

use super::{Cacher, Conversation, Dialogue, Tone, lead};
use crate::codes::{Ending, Step};

/// What happens next, seen from the module.
#[derive(Debug, PartialEq)]
enum Act {
    /// The cacher is sent this.
    Sent(Request),
    /// The cacher replies.
    Replies(Reply),
    /// The cacher is silent for good.
    Silent,
    /// The person is asked this and types that.
    Asked(&'static str, bool, &'static [u8]),
    /// The person is asked this and gives up.
    GivesUp(&'static str),
    /// The person is told this.
    Told(&'static str, Tone),
}
use Act::{Asked, GivesUp, Replies, Sent, Silent, Told};

/// Both sides share one script, so that the order between them is checked as well.
struct Script(std::cell::RefCell<VecDeque<Act>>);

impl Script {
    fn next(&self) -> Act {
        let act = self.0.borrow_mut().pop_front();
        act.expect("the script is over, the dialogue is not")
    }
}

impl Cacher for &Script {
    fn send(&mut self, request: &Request) -> Option<()> {
        match self.next() {
            Sent(expected) => {
                assert_eq!(*request, expected);
                Some(())
            }
            Silent => None,
            other => panic!("sent {request:?} instead of {other:?}"),
        }
    }

    fn receive(&mut self) -> Option<Reply> {
        match self.next() {
            Replies(reply) => Some(reply),
            Silent => None,
            other => panic!("waited for a reply instead of {other:?}"),
        }
    }
}

impl Conversation for &Script {
    fn ask(&mut self, prompt: &str, echo: bool) -> Option<Zeroizing<Vec<u8>>> {
        match self.next() {
            Asked(expected, expected_echo, typed) => {
                assert_eq!((prompt, echo), (expected, expected_echo));
                Some(Zeroizing::new(typed.to_vec()))
            }
            GivesUp(expected) => {
                assert_eq!(prompt, expected);
                None
            }
            other => panic!("asked {prompt:?} instead of {other:?}"),
        }
    }

    fn say(&mut self, text: &str, tone: Tone) {
        assert_eq!(
            self.next(),
            Told(Box::leak(text.to_owned().into_boxed_str()), tone)
        );
    }
}

fn play(step: Step, acts: Vec<Act>) -> Dialogue {
    let script = Script(VecDeque::from(acts).into());
    let dialogue = lead(&mut &script, &mut &script, &Request::Status, step);
    let unused = script.0.into_inner();
    assert!(unused.is_empty(), "not played: {unused:?}");
    dialogue
}

/// The opening; which request it is does not matter to the dialogue.
fn opening() -> Act {
    Sent(Request::Status)
}

fn password_prompt() -> Act {
    Replies(Reply::Prompt(Prompt {
        text: "Password: ".to_owned(),
        echo: false,
    }))
}

fn answer(text: &[u8]) -> Act {
    Sent(Request::Answer(Secret::new(text.to_vec())))
}

fn says(text: &str) -> Act {
    Replies(Reply::Say(text.to_owned()))
}

fn done(outcome: Outcome) -> Act {
    Replies(Reply::Done(outcome))
}

#[test]
fn password_and_code_are_relayed_and_the_password_is_kept() {
    let dialogue = play(
        Step::Authenticate,
        vec![
            opening(),
            password_prompt(),
            Asked("Password: ", false, b"correct horse"),
            answer(b"correct horse"),
            Replies(Reply::Prompt(Prompt {
                text: "Verification code: ".to_owned(),
                echo: true,
            })),
            Asked("Verification code: ", true, b"123456"),
            answer(b"123456"),
            done(Outcome::Allowed),
        ],
    );
    assert_eq!(dialogue.ending, Ending::Decided(Outcome::Allowed));
    assert_eq!(
        dialogue.password,
        Some(Secret::new(b"correct horse".to_vec()))
    );
}

#[test]
fn what_is_said_before_a_prompt_is_information_and_shown_first() {
    play(
        Step::Authenticate,
        vec![
            opening(),
            says("The directory is unreachable since 10:41 UTC."),
            password_prompt(),
            Told(
                "The directory is unreachable since 10:41 UTC.",
                Tone::Information,
            ),
            Asked("Password: ", false, b"x"),
            answer(b"x"),
            done(Outcome::WrongAnswer),
        ],
    );
}

#[test]
fn the_sentence_before_a_refusal_is_shown_as_one() {
    for outcome in [
        Outcome::Denied,
        Outcome::Expired,
        Outcome::TooManyTries,
        Outcome::PasswordUnchanged,
    ] {
        let dialogue = play(
            Step::Account,
            vec![
                opening(),
                says("Not allowed; you can ask: cloudid request sudo --for 10m"),
                done(outcome.clone()),
                Told(
                    "Not allowed; you can ask: cloudid request sudo --for 10m",
                    Tone::Refusal,
                ),
            ],
        );
        assert_eq!(dialogue.ending, Ending::Decided(outcome));
    }
}

#[test]
fn pam_06_an_impossible_answer_ends_the_dialogue_and_is_not_sent() {
    let long: &'static [u8] = &[b'a'; 769];
    for typed in [b"".as_slice(), long, b"latin-1 \xe9"] {
        let dialogue = play(
            Step::Authenticate,
            vec![
                opening(),
                password_prompt(),
                Asked("Password: ", false, typed),
            ],
        );
        assert_eq!(dialogue.ending, Ending::ImpossibleAnswer);
        assert_eq!(dialogue.password, None);
    }
}

#[test]
fn pam_06_whoever_changes_a_password_hears_that_it_cannot_be_one() {
    let dialogue = play(
        Step::Password,
        vec![
            opening(),
            password_prompt(),
            Asked("Password: ", false, b""),
            Told(super::IMPOSSIBLE_PASSWORD, Tone::Refusal),
        ],
    );
    assert_eq!(dialogue.ending, Ending::ImpossibleAnswer);
}

#[test]
fn pam_19_silence_at_any_point_is_silence() {
    let whole = || {
        vec![
            opening(),
            password_prompt(),
            Asked("Password: ", false, b"x"),
            answer(b"x"),
        ]
    };
    for cut in [0, 1, 3, 4] {
        let mut acts = whole();
        acts.truncate(cut);
        acts.push(Silent);
        assert_eq!(play(Step::Authenticate, acts).ending, Ending::Silence);
    }
}

#[test]
fn giving_up_ends_the_dialogue() {
    let dialogue = play(
        Step::Authenticate,
        vec![opening(), password_prompt(), GivesUp("Password: ")],
    );
    assert_eq!(dialogue.ending, Ending::GaveUp);
}

#[test]
fn pam_01_replies_that_make_no_sense_here_are_no_answer() {
    for reply in [
        Reply::Keys(vec![]),
        Reply::Owner(local_protocol::Owner::Nobody),
        Reply::Status(local_protocol::HostStatus::default()),
        Reply::Explained("{\"allowed\":true}".to_owned()),
        Reply::Refused,
        Reply::Unavailable("no bundle".to_owned()),
        Reply::SessionOpened(SessionId([1; 16])),
    ] {
        for step in [Step::Authenticate, Step::Account, Step::Password] {
            let dialogue = play(step, vec![opening(), Replies(reply.clone())]);
            assert_eq!(dialogue.ending, Ending::Silence, "{reply:?}");
            assert_eq!(dialogue.session, None);
        }
    }
}

#[test]
fn nobody_is_asked_for_a_password_in_the_account_and_session_steps() {
    for step in [Step::Account, Step::Session] {
        let dialogue = play(step, vec![opening(), password_prompt()]);
        assert_eq!(dialogue.ending, Ending::Silence);
    }
}

#[test]
fn an_opened_session_is_a_yes_in_the_session_step() {
    let id = SessionId([9; 16]);
    let dialogue = play(
        Step::Session,
        vec![
            opening(),
            says("web-1: root until 14:12:07"),
            Replies(Reply::SessionOpened(id)),
            Told("web-1: root until 14:12:07", Tone::Information),
        ],
    );
    assert_eq!(dialogue.ending, Ending::Decided(Outcome::Allowed));
    assert_eq!(dialogue.session, Some(id));
}

#[test]
fn a_cacher_that_talks_without_end_is_cut_off() {
    let mut acts = vec![opening()];
    acts.extend((0..super::REPLIES_MAX).map(|_| says("again")));
    acts.extend((0..super::REPLIES_MAX).map(|_| Told("again", Tone::Refusal)));
    assert_eq!(play(Step::Authenticate, acts).ending, Ending::Silence);
}

#[test]
fn pam_21_texts_are_cleaned_on_this_side_too() {
    play(
        Step::Authenticate,
        vec![
            opening(),
            says("\u{1b}[2Jhello\u{202e}"),
            Replies(Reply::Prompt(Prompt {
                text: "\u{7}Password\u{200b}: ".to_owned(),
                echo: false,
            })),
            Told("[2Jhello", Tone::Information),
            Asked("Password: ", false, b"x"),
            answer(b"x"),
            done(Outcome::Allowed),
        ],
    );
}
