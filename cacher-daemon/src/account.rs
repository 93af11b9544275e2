//! The account step: the policy engine's word is final for directory users, whatever proved who
//! they are. The log has the decision before the peer does.

use std::net::IpAddr;

use jiff::SignedDuration;
use local_protocol::{Login, Outcome, Reply};
use policy::{Decision, ReasonCode};

use crate::cacher::Cacher;
use crate::events::Event;
use crate::factors::ssh_keys::{KeyRule, SSHD};
use crate::tables::{Circumstances, Tables};

/// What the account step answers.
#[derive(Debug)]
pub struct Verdict {
    /// Said before the outcome.
    pub sentences: Vec<String>,
    /// The outcome.
    pub outcome: Outcome,
}

/// May this person in, now, from there?
pub async fn decide(cacher: &Cacher, login: &Login) -> Verdict {
    let tables = cacher.tables();
    let Some(decision) = decision(cacher, &tables, login) else {
        return not_ours(&tables, login);
    };
    if decision.allowed && key_without_code(cacher, &tables, login) {
        return without_code(cacher, login).await;
    }
    note(cacher, login, &decision).await;
    if !decision.allowed {
        return refusal(decision);
    }
    let must_change = asks_for_passwords(&login.service) && must_change(&tables, login);
    password_age(must_change, cacher.online())
}

/// sshd is told by a group to ask for a code after a key. Should it not have asked, because its
/// settings or the published group say otherwise, nobody gets in by the key alone.
fn key_without_code(cacher: &Cacher, tables: &Tables, login: &Login) -> bool {
    let follows = tables.person(&login.user).is_some_and(|person| {
        let lines = person.ssh_keys.iter().map(|key| key.line.as_str());
        KeyRule::of(tables.factor_policies()).code_follows(lines)
    });
    let passed = || {
        cacher
            .passed
            .has(login.process, &login.user, cacher.since_boot())
    };
    login.service == SSHD && follows && !passed()
}

async fn without_code(cacher: &Cacher, login: &Login) -> Verdict {
    let event = Event::new("auth.failed", "denied")
        .user(&login.user)
        .detail("service", login.service.as_str())
        .detail("remote", login.remote_host.as_str())
        .detail("reason_code", "code_not_asked")
        .detail("user_known", true);
    cacher.record(event).await;
    Verdict {
        sentences: vec![
            "A key must be followed by a code here, and sshd did not ask for one. Its settings \
             have changed; log in again, and if that does not help ask the host's admin."
                .to_owned(),
        ],
        outcome: Outcome::Denied,
    }
}

/// sudo asks even people without any right: they hear so before they are asked for a password.
pub(crate) async fn refused_beforehand(cacher: &Cacher, login: &Login) -> Option<Verdict> {
    if !matches!(login.service.as_str(), "sudo" | "sudo-i") {
        return None;
    }
    let decision = decision(cacher, &cacher.tables(), login).filter(|found| !found.allowed)?;
    note(cacher, login, &decision).await;
    Some(refusal(decision))
}

fn refusal(decision: Decision) -> Verdict {
    Verdict {
        outcome: refused(decision.reason),
        sentences: vec![decision.sentence],
    }
}

/// Where an old password is no reason to stop: nobody is there to type a new one, or the person is
/// already in and asks for a right.
fn asks_for_passwords(service: &str) -> bool {
    const NEVER: [&str; 10] = [
        "cron",
        "crond",
        "atd",
        "systemd-user",
        "polkit-1",
        "sudo",
        "sudo-i",
        "sudo-rs",
        "su",
        "su-l",
    ];
    !NEVER.contains(&service)
}

/// Writes a decision down, before anybody hears of it.
async fn note(cacher: &Cacher, login: &Login, decision: &Decision) {
    let mut event = Event::new(
        if decision.allowed {
            "auth.login"
        } else {
            "auth.failed"
        },
        if decision.allowed {
            "success"
        } else {
            "denied"
        },
    )
    .user(&login.user)
    .detail("service", login.service.as_str())
    .detail("remote", login.remote_host.as_str())
    .detail("terminal", login.terminal.as_str())
    .detail("reason_code", code(decision.reason))
    .detail("rule_ids", decision.rule_ids.clone())
    .detail("user_known", true);
    event.offline(!cacher.online());
    cacher.record(event).await;
}

/// A new password can only be set while the directory answers; nobody is locked out for want of it.
fn password_age(must_change: bool, online: bool) -> Verdict {
    match (must_change, online) {
        (false, _) => Verdict {
            sentences: Vec::new(),
            outcome: Outcome::Allowed,
        },
        (true, true) => Verdict {
            sentences: vec!["Your password must be changed now.".to_owned()],
            outcome: Outcome::PasswordMustChange,
        },
        (true, false) => Verdict {
            sentences: vec![
                "Your password must be changed as soon as the directory answers again: run passwd."
                    .to_owned(),
            ],
            outcome: Outcome::Allowed,
        },
    }
}

fn must_change(tables: &Tables, login: &Login) -> bool {
    tables
        .person(&login.user)
        .and_then(|person| tables.credential(&person))
        .is_some_and(|credential| credential.must_change)
}

/// A known owner of files without rights here is refused by us: no other module knows them.
fn not_ours(tables: &Tables, login: &Login) -> Verdict {
    let stranger = tables.strangers.contains(&login.user);
    Verdict {
        sentences: stranger
            .then(|| format!("{} has no access to this host.", login.user))
            .into_iter()
            .collect(),
        outcome: if stranger {
            Outcome::Denied
        } else {
            Outcome::NotOurs
        },
    }
}

/// The engine's answer in full, for `cloudid explain`.
#[must_use]
pub fn explain(cacher: &Cacher, login: &Login) -> Reply {
    let tables = cacher.tables();
    let Some(decision) = decision(cacher, &tables, login) else {
        let problem = format!("{} is not a user of the directory on this host", login.user);
        return Reply::Unavailable(posix_names::clean_line(&problem, 256));
    };
    match serde_json::to_string(&decision) {
        Ok(json) => Reply::Explained(json),
        Err(error) => Reply::Unavailable(error.to_string()),
    }
}

fn decision(cacher: &Cacher, tables: &Tables, login: &Login) -> Option<Decision> {
    let person = tables.person(&login.user)?;
    let source = match source(&login.remote_host) {
        Ok(source) => source,
        Err(name) if tables.source_matters() => return Some(unknown_source(&name)),
        Err(_) => None,
    };
    let config = cacher.config();
    let circumstances = Circumstances {
        service: &login.service,
        source,
        now: cacher.now(),
        newest_signed: cacher.newest_signed(),
        max_age: SignedDuration::try_from(config.offline.max_age).unwrap_or(SignedDuration::MAX),
    };
    tables.decide(&person, &circumstances)
}

/// The address behind `PAM_RHOST`: none for a local caller, an error for a name, which says
/// nothing that could be trusted.
pub(crate) fn source(remote_host: &str) -> Result<Option<IpAddr>, String> {
    let bare = remote_host.split('%').next().unwrap_or_default();
    if bare.is_empty() {
        return Ok(None);
    }
    bare.parse::<IpAddr>()
        .map(|address| Some(address.to_canonical()))
        .map_err(|_| remote_host.to_owned())
}

fn unknown_source(name: &str) -> Decision {
    let name = posix_names::clean_line(name, 128);
    Decision {
        allowed: false,
        reason: ReasonCode::CannotTell,
        sentence: format!(
            "This host cannot tell from which address you come (\"{name}\" is not an address), and \
             rules here depend on it. Ask its admin to set \"UseDNS no\" in sshd_config."
        ),
        rule_ids: Vec::new(),
        until: None,
        trace: Vec::new(),
    }
}

fn refused(reason: ReasonCode) -> Outcome {
    match reason {
        ReasonCode::UserExpired => Outcome::Expired,
        ReasonCode::UserLocked => Outcome::TooManyTries,
        ReasonCode::Allowed
        | ReasonCode::HostQuarantined
        | ReasonCode::MirrorTooOld
        | ReasonCode::UserSuspended
        | ReasonCode::DeniedByRule
        | ReasonCode::NoAccessRule
        | ReasonCode::OutsideSchedule
        | ReasonCode::SourceNotAllowed
        | ReasonCode::RuleUnreadable
        | ReasonCode::CannotTell => Outcome::Denied,
    }
}

fn code(reason: ReasonCode) -> serde_json::Value {
    serde_json::to_value(reason).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_is_a_source() {
        assert_eq!(source(""), Ok(None));
        assert_eq!(source("10.1.2.3"), Ok(Some("10.1.2.3".parse().unwrap())));
        assert_eq!(
            source("::ffff:10.1.2.3"),
            Ok(Some("10.1.2.3".parse().unwrap()))
        );
        assert_eq!(source("fe80::1%eth0"), Ok(Some("fe80::1".parse().unwrap())));
        assert!(source("host.example").is_err());
    }

    #[test]
    fn an_old_password_stops_only_people_who_can_type_a_new_one() {
        for service in ["cron", "crond", "atd", "systemd-user", "sudo", "su-l"] {
            assert!(!asks_for_passwords(service), "{service}");
        }
        for service in ["sshd", "login", "gdm-password"] {
            assert!(asks_for_passwords(service), "{service}");
        }
    }

    #[test]
    fn an_old_password_locks_nobody_out_while_the_directory_is_away() {
        assert_eq!(
            password_age(true, true).outcome,
            Outcome::PasswordMustChange
        );
        let away = password_age(true, false);
        assert_eq!(away.outcome, Outcome::Allowed);
        assert_eq!(away.sentences.len(), 1);
    }
}
