//! The daemon drives the conversation: it asks, says, and ends. The module in the other process
//! only relays, so a new factor needs no new module.

mod attempt;
pub mod change;
mod one_line;
mod password;
mod second;
pub mod tries;
pub mod verifier;

use jiff::Timestamp;
use local_protocol::{Begin, BeginAfterKey, Login, Outcome, Prompt, Reply, Request, Secret};
use policy::{Demand, FirstFactor};
use posix_names::clean_line;
use signed_bundle::PersonRecord;

use crate::account::refused_beforehand;
use crate::cacher::Cacher;
use crate::connection::{Broken, Connection, TYPING_TIMEOUT};
use crate::events::Event;
use crate::factors::ssh_keys::{KeyRule, SSHD, accepted_key};
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
    converse(cacher, connection, begin, None).await
}

/// The same for somebody of whom sshd has accepted a key: where the policies have one word about
/// factors, the key stands for the password.
///
/// # Errors
/// The other side left or broke the protocol.
pub async fn authenticate_after_key(
    cacher: &Cacher,
    connection: &mut Connection,
    after: &BeginAfterKey,
) -> Result<Outcome, Broken> {
    let tables = cacher.tables();
    let login = &after.begin.login;
    let policies = tables.factor_policies();
    let person = tables.person(&login.user);
    let key = person
        .as_ref()
        .and_then(|person| accepted_key(person, &after.proven));
    let counts = login.service == SSHD && !policies.is_empty();
    let first = key
        .filter(|_| counts)
        .map(|key| KeyRule::of(policies).proof(key));
    converse(cacher, connection, &after.begin, first).await
}

async fn converse(
    cacher: &Cacher,
    connection: &mut Connection,
    begin: &Begin,
    key: Option<FirstFactor>,
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
    let factors = cacher.factors_for(login);
    let first = key.unwrap_or(FirstFactor::Password);
    let demand = factors.demand(first);
    if let Some(notice) = cacher.offline_notice() {
        say(connection, &notice).await?;
    }
    let outcome = match (&demand, key, &person) {
        (Demand::NotAccepted, _, _) => not_accepted(cacher, connection, login).await?,
        (Demand::Nothing, Some(_), Some(_)) => Outcome::Allowed,
        (Demand::Nothing, _, person) => {
            password_alone(cacher, connection, person.as_ref(), login).await?
        }
        (Demand::Code(kinds), key, person) => {
            let demanded = second::Demanded {
                person: person.as_ref(),
                login,
                factors: &factors,
                kinds,
            };
            match (key, person) {
                (Some(_), Some(person)) => {
                    second::code_after_key(cacher, connection, person, demanded).await?
                }
                (_, _) => second::password_and_code(cacher, connection, demanded).await?,
            }
        }
    };
    if outcome == Outcome::Allowed {
        let now = cacher.since_boot();
        cacher.passed.note(connection.peer.pid, &login.user, now);
    }
    Ok(outcome)
}

async fn password_alone(
    cacher: &Cacher,
    connection: &mut Connection,
    person: Option<&PersonRecord>,
    login: &Login,
) -> Result<Outcome, Broken> {
    let typed = ask(connection, &cacher.config().pam.prompt, false).await?;
    // From here on the time an answer takes must not tell what was wrong with it.
    let slow = tokio::time::sleep(cacher.config().pam.fail_delay);
    let (outcome, reason) = check(cacher, person, &login.user, &typed).await;
    if outcome != Outcome::Allowed {
        note_failure(cacher, login, person.is_some(), reason).await;
        slow.await;
    }
    if let Some(sentence) = sentence(cacher, &login.user, &outcome) {
        say(connection, &sentence).await?;
    }
    Ok(outcome)
}

/// The policies take no such proof here, whoever brings it.
async fn not_accepted(
    cacher: &Cacher,
    connection: &mut Connection,
    login: &Login,
) -> Result<Outcome, Broken> {
    let known = cacher.tables().person(&login.user).is_some();
    note_failure(cacher, login, known, "method_not_allowed").await;
    let sentence = "This host does not accept such a login. Use a hardware SSH key.";
    say(connection, sentence).await?;
    Ok(Outcome::Denied)
}

/// Writes a failure down; why is for the log alone.
async fn note_failure(cacher: &Cacher, login: &Login, known: bool, reason: &'static str) {
    let of_code = reason.starts_with("code_");
    let kind = if of_code {
        "auth.mfa_failed"
    } else {
        "auth.failed"
    };
    let mut event = Event::new(kind, "failure")
        .user(&login.user)
        .detail("service", login.service.as_str())
        .detail("remote", login.remote_host.as_str())
        .detail("reason_code", reason)
        .detail("user_known", known);
    event.offline(!cacher.online());
    cacher.record(event).await;
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
