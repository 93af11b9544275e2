//! The daemon drives the conversation: it asks, says, and ends. The module in the other process
//! only relays, so a new factor needs no new module.

mod attempt;
pub mod change;
mod password;
pub mod tries;
pub mod verifier;

use jiff::Timestamp;
use local_protocol::{Begin, Outcome, Prompt, Reply, Request, Secret};
use posix_names::clean_line;
use signed_bundle::PersonRecord;

use crate::account::refused_beforehand;
use crate::cacher::Cacher;
use crate::connection::{Broken, Connection, TYPING_TIMEOUT};
use crate::events::Event;
use crate::sync::online::Answered;
use password::normalised;
use tries::Permit;
use verifier::Checked;

/// Longest text shown at once.
const TEXT_BYTES_MAX: usize = 1024;

/// Asks and waits for the answer.
pub(crate) async fn ask(
    connection: &mut Connection,
    text: &str,
    echo: bool,
) -> Result<Secret, Broken> {
    // The space at the end of a prompt is wanted, and cleaning would take it away.
    let text = format!("{} ", clean_line(text, TEXT_BYTES_MAX - 1));
    connection
        .send(&Reply::Prompt(Prompt { text, echo }))
        .await?;
    match connection.next(TYPING_TIMEOUT).await? {
        Some(Request::Answer(answer)) => Ok(answer),
        None => Err(Broken::Closed),
        Some(_) => Err(Broken::NotAnAnswer),
    }
}

/// Tells the person something.
pub(crate) async fn say(connection: &mut Connection, text: &str) -> Result<(), Broken> {
    let text = clean_line(text, TEXT_BYTES_MAX);
    connection.send(&Reply::Say(text)).await
}

/// Finds out whether the person is who they say. Whether they may in is the account step's business.
///
/// # Errors
/// The other side left or broke the protocol.
pub async fn authenticate(
    cacher: &Cacher,
    connection: &mut Connection,
    begin: &Begin,
) -> Result<Outcome, Broken> {
    let login = &begin.login;
    let tables = cacher.tables();
    let person = tables.person(&login.user);
    if person.is_none() && begin.known_elsewhere {
        return Ok(Outcome::NotOurs);
    }
    if let Some(refusal) = refused_beforehand(cacher, login).await {
        for sentence in &refusal.sentences {
            say(connection, sentence).await?;
        }
        return Ok(refusal.outcome);
    }
    if let Some(notice) = cacher.offline_notice() {
        say(connection, &notice).await?;
    }
    let typed = ask(connection, &cacher.config().pam.prompt, false).await?;
    // From here on the time an answer takes must not tell what was wrong with it.
    let slow = tokio::time::sleep(cacher.config().pam.fail_delay);
    let (outcome, reason) = check(cacher, person.as_ref(), &login.user, &typed).await;
    if outcome != Outcome::Allowed {
        let mut event = Event::new("auth.failed", "failure")
            .user(&login.user)
            .detail("service", login.service.as_str())
            .detail("remote", login.remote_host.as_str())
            .detail("reason_code", reason)
            .detail("user_known", person.is_some());
        event.offline(!cacher.online());
        cacher.record(event).await;
        slow.await;
    }
    if let Some(sentence) = sentence(cacher, &login.user, &outcome) {
        say(connection, &sentence).await?;
    }
    Ok(outcome)
}

fn sentence(cacher: &Cacher, user: &str, outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::TooManyTries => {
            let until = cacher.tries.locked_until(user, cacher.now())?;
            Some(format!(
                "Too many wrong passwords. Passwords work again at {}; keys work now.",
                clock_time(until)
            ))
        }
        Outcome::CannotTell => Some(
            "The password cannot be checked at the moment because the directory does not answer."
                .to_owned(),
        ),
        Outcome::Allowed
        | Outcome::WrongAnswer
        | Outcome::Denied
        | Outcome::Expired
        | Outcome::PasswordMustChange
        | Outcome::NotOurs
        | Outcome::PasswordUnchanged => None,
    }
}

/// Hours and minutes, in the one zone that every reader of a log can compare.
pub(crate) fn clock_time(time: Timestamp) -> String {
    time.strftime("%H:%M UTC").to_string()
}

/// Outcome and, for the log, why. Unknown names go the same way as known ones.
async fn check(
    cacher: &Cacher,
    person: Option<&PersonRecord>,
    name: &str,
    typed: &Secret,
) -> (Outcome, &'static str) {
    let Some(password) = normalised(typed.expose()) else {
        return (Outcome::WrongAnswer, "malformed");
    };
    let permit = match cacher.begin_try(name).await {
        Ok(permit) => permit,
        Err(error) => {
            tracing::error!(%error, "a try could not be counted, so nothing is compared");
            return (Outcome::CannotTell, "not_counted");
        }
    };
    if permit == Permit::Locked {
        return (Outcome::TooManyTries, "user_locked");
    }
    let verifier = person.and_then(|person| {
        let tables = cacher.tables();
        tables
            .credential(person)
            .map(|credential| credential.password_verifier)
    });
    let answer = match (person, verifier) {
        // Somebody we know, without a verifier here: only the directory can tell.
        (Some(_), None) => cacher.check_online(name, &password).await,
        (_, verifier) => match cacher.compare(verifier, &password).await {
            Checked::Right => Answered::Yes,
            Checked::Wrong => Answered::No(String::new()),
            Checked::CannotTell => Answered::Silent,
        },
    };
    match answer {
        Answered::Yes => {
            cacher.forget_tries(name).await;
            (Outcome::Allowed, "allowed")
        }
        Answered::No(_) => (Outcome::WrongAnswer, "wrong_password"),
        Answered::Silent => {
            cacher.take_back_try(name).await;
            (Outcome::CannotTell, "cannot_tell")
        }
    }
}
