//! A code after a password or a key. The same is asked of everybody, known or not, and nothing is
//! said in between: only who has proven the first factor can learn anything from what follows.

use std::collections::BTreeSet;
use std::time::Duration;

use local_protocol::{Login, Outcome, Secret};
use policy::{Enrolment, FactorKind, Factors, Standing};
use signed_bundle::PersonRecord;

use super::one_line::{self, OneLine};
use super::{ask, check, note_failure, say};
use crate::cacher::Cacher;
use crate::connection::{Broken, Connection};
use crate::events::Event;
use crate::factors::{Asked, CodeJudged};

/// From the password to the next prompt at least, so that the time between tells nothing about the
/// password or its verifier.
const PACE: Duration = Duration::from_millis(400);

const USED: &str = "This code was used. Wait for the next one.";

/// A login at which a code of some kinds is demanded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demanded<'a> {
    pub(super) person: Option<&'a PersonRecord>,
    pub(super) login: &'a Login,
    pub(super) factors: &'a Factors,
    pub(super) kinds: &'a BTreeSet<FactorKind>,
}

/// Where somebody stands who has proven the first factor.
enum After {
    /// A code of these kinds is due.
    Code(BTreeSet<FactorKind>),
    /// Nothing more, and what is said about it.
    Enough(Option<String>),
    /// It ends here, and why.
    No(String),
}

/// Asks for password and code.
pub(super) async fn password_and_code(
    cacher: &Cacher,
    connection: &mut Connection,
    demanded: Demanded<'_>,
) -> Result<Outcome, Broken> {
    let config = cacher.config();
    let (password, mut code) = if config.pam.one_line {
        let typed = ask(connection, one_line::PROMPT, false).await?;
        let OneLine { password, code } = one_line::split(&typed);
        // What was typed in one line is never asked for again.
        (password, Some(code))
    } else {
        (ask(connection, &config.pam.prompt, false).await?, None)
    };
    let name = &demanded.login.user;
    let pace = tokio::time::sleep(PACE.min(config.pam.fail_delay));
    let ((mut outcome, mut reason), ()) =
        tokio::join!(check(cacher, demanded.person, name, &password), pace);
    let mut after = None;
    if let (Outcome::Allowed, Some(person)) = (&outcome, demanded.person) {
        match standing(cacher, person, demanded).await {
            After::Code(kinds) => after = Some((person, kinds)),
            After::Enough(sentence) => {
                return enough(connection, sentence).await;
            }
            After::No(sentence) => {
                return not_enrolled(cacher, connection, demanded, sentence).await;
            }
        }
    }
    if code.is_none() {
        let prompt = cacher.code_prompt(demanded.factors, &demanded.login.service);
        code = Some(Some(ask(connection, &prompt, false).await?));
    }
    let slow = tokio::time::sleep(config.pam.fail_delay);
    if let Some((person, kinds)) = after {
        let typed = code.flatten();
        (outcome, reason) = judged(cacher, person, demanded, &kinds, typed.as_ref()).await;
        if outcome == Outcome::Allowed {
            return Ok(Outcome::Allowed);
        }
        // Who could not type a right code hears no more than who could not type the password.
        outcome = Outcome::WrongAnswer;
    }
    note_failure(cacher, demanded.login, demanded.person.is_some(), reason).await;
    slow.await;
    let sentence = super::sentence(cacher, name, &outcome);
    // A code that was used was a right one.
    let sentence = sentence.or_else(|| (reason == "code_used").then(|| USED.to_owned()));
    if let Some(sentence) = sentence {
        say(connection, &sentence).await?;
    }
    Ok(outcome)
}

/// Asks for a code alone: sshd has accepted a key.
pub(super) async fn code_after_key(
    cacher: &Cacher,
    connection: &mut Connection,
    person: &PersonRecord,
    demanded: Demanded<'_>,
) -> Result<Outcome, Broken> {
    let kinds = match standing(cacher, person, demanded).await {
        After::Code(kinds) => kinds,
        After::Enough(sentence) => return enough(connection, sentence).await,
        After::No(sentence) => return not_enrolled(cacher, connection, demanded, sentence).await,
    };
    let prompt = cacher.code_prompt(demanded.factors, &demanded.login.service);
    let typed = ask(connection, &prompt, false).await?;
    let slow = tokio::time::sleep(cacher.config().pam.fail_delay);
    let (outcome, reason) = judged(cacher, person, demanded, &kinds, Some(&typed)).await;
    if outcome != Outcome::Allowed {
        note_failure(cacher, demanded.login, true, reason).await;
        slow.await;
        // The key is proven, so the owner may hear why.
        if let Some(sentence) = why_not(reason) {
            say(connection, sentence).await?;
        }
    }
    Ok(outcome)
}

async fn judged(
    cacher: &Cacher,
    person: &PersonRecord,
    demanded: Demanded<'_>,
    kinds: &BTreeSet<FactorKind>,
    typed: Option<&Secret>,
) -> (Outcome, &'static str) {
    let Some(typed) = typed else {
        return (Outcome::WrongAnswer, "code_missing");
    };
    let asked = Asked {
        person,
        login: demanded.login,
        factors: demanded.factors,
        kinds,
    };
    match cacher.judge_code(asked, typed).await {
        CodeJudged::Right => (Outcome::Allowed, "allowed"),
        CodeJudged::Wrong(reason) => (Outcome::WrongAnswer, reason),
        CodeJudged::Locked => (Outcome::TooManyTries, "code_locked"),
        // Not "unavailable": another module would be asked next.
        CodeJudged::CannotTell(reason) => (Outcome::Denied, reason),
    }
}

fn why_not(reason: &str) -> Option<&'static str> {
    match reason {
        "code_used" => Some(USED),
        "code_locked" => Some("Too many wrong codes. Codes are not compared for a while."),
        "clock_behind" => Some("This host's clock is wrong, so verification codes do not count."),
        "horizon_over" => Some(
            "The directory has been unreachable for too long: verification codes no longer count. \
             Use a backup code.",
        ),
        "offline_codes_off" | "needs_directory" => {
            Some("The directory is unreachable, and such codes do not count without it.")
        }
        "directory_odd" => Some("The directory could not check the code. Try again."),
        "not_counted" | "not_written" => Some("The code could not be noted on this host's disk."),
        _ => None,
    }
}

async fn standing(cacher: &Cacher, person: &PersonRecord, demanded: Demanded<'_>) -> After {
    let Demanded {
        login,
        factors,
        kinds,
        ..
    } = demanded;
    let Ok(kept) = cacher.kept(&person.id).await else {
        return After::No("What this host knows of your second factors is damaged.".to_owned());
    };
    let tables = cacher.tables();
    let record = tables.factors_of(&person.id);
    let none = BTreeSet::new();
    let enrolment = Enrolment {
        enrolled: record.map_or(&none, |record| &record.enrolled),
        ever: kept.ever,
        excused: kept.excused,
    };
    match factors.standing(kinds, enrolment) {
        Standing::Asked(kinds) => {
            let (now, seconds) = (cacher.since_boot(), factors.remember_seconds);
            if cacher.remembered.within(&person.id, login, now, seconds) {
                return After::Enough(None);
            }
            After::Code(kinds)
        }
        Standing::Excused(None) => After::Enough(None),
        Standing::Excused(Some(left)) => excused(cacher, person, left).await,
        Standing::NotEnrolled => After::No(format!(
            "A second factor is needed here, and you have none that counts. Enrol one: {}",
            where_to_enrol(cacher)
        )),
    }
}

/// Counted before anybody is let in by it.
async fn excused(cacher: &Cacher, person: &PersonRecord, left: u32) -> After {
    let user = person.id.clone();
    let counted = cacher
        .with_ledger(move |ledger, disk| ledger.excuse(disk, &user))
        .await;
    if counted.is_err() {
        return After::No("This login could not be counted on this host's disk.".to_owned());
    }
    After::Enough(Some(format!(
        "You have no second factor yet. Logins here without one: {left} left. Enrol one: {}",
        where_to_enrol(cacher)
    )))
}

fn where_to_enrol(cacher: &Cacher) -> String {
    let config = cacher.config();
    match config.directory.url.first() {
        Some(address) => format!("{}/me", address.trim_end_matches('/')),
        None => "ask your administrator".to_owned(),
    }
}

async fn enough(connection: &mut Connection, sentence: Option<String>) -> Result<Outcome, Broken> {
    if let Some(sentence) = sentence {
        say(connection, &sentence).await?;
    }
    Ok(Outcome::Allowed)
}

async fn not_enrolled(
    cacher: &Cacher,
    connection: &mut Connection,
    demanded: Demanded<'_>,
    sentence: String,
) -> Result<Outcome, Broken> {
    let event = Event::new("auth.mfa_failed", "denied")
        .user(&demanded.login.user)
        .detail("service", demanded.login.service.as_str())
        .detail("remote", demanded.login.remote_host.as_str())
        .detail("reason_code", "not_enrolled");
    cacher.record(event).await;
    say(connection, &sentence).await?;
    Ok(Outcome::Denied)
}
