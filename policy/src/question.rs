//! What the engine is asked and what it answers. Time, source and facts are parameters, so that
//! the same call previews in the directory, enforces on the host and explains in the CLI.

use std::collections::BTreeSet;
use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// May this person use this service on this host, now, coming from there?
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// Who.
    pub person: &'a Person,
    /// Where.
    pub host: &'a Host,
    /// PAM service name: `sshd`, `login`, `su`, `sudo`, `cron`.
    pub service: &'a str,
    /// Where the person comes from; `None` for a console or a local caller.
    pub source: Option<IpAddr>,
    /// The moment of the question.
    pub now: Timestamp,
}

/// What the engine needs to know of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// `usr_…`
    pub id: String,
    /// Login name, for sentences only: nothing is decided by it.
    pub username: String,
    /// Where in their life they are.
    pub state: UserState,
    /// When the account ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Passwords and codes are refused until then; keys are not.
    pub locked_until: Option<Timestamp>,
    /// Ids of all groups, nesting resolved.
    pub groups: BTreeSet<String>,
}

/// What the engine needs to know of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// `hst_…`
    pub id: String,
    /// Host name, for host-name patterns in selectors.
    pub name: String,
    /// Whether it takes logins at all.
    pub state: HostState,
    /// Name of its project.
    pub project: String,
    /// `key=value` or bare words.
    pub tags: BTreeSet<String>,
    /// How old the mirror is that the answer comes from; `None` in the directory itself.
    pub mirror_age: Option<SignedDuration>,
    /// Older mirrors take no logins.
    pub mirror_age_max: SignedDuration,
}

/// Life of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UserState {
    /// Exists in the directory only.
    Staged,
    /// Can log in where rules say so.
    Active,
    /// The name resolves, logins are refused, sessions are ended.
    Suspended,
    /// Gone; name and id are never used again.
    Deleted,
}

/// Life of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    /// Waits for approval.
    Pending,
    /// Takes logins.
    Active,
    /// Keeps open sessions, takes no new ones.
    Quarantined,
    /// Its key is refused; no slice is made for it.
    Retired,
}

/// The engine's answer.
#[must_use = "an access decision that nobody looks at decides nothing"]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// Yes or no.
    pub allowed: bool,
    /// Why, as a stable code.
    pub reason: ReasonCode,
    /// The same for people: what happened and what to do next.
    pub sentence: String,
    /// Ids of the rules that decided.
    pub rule_ids: Vec<String>,
    /// When the answer stops being true, as far as is known now.
    pub until: Option<Timestamp>,
    /// Step by step how the answer came about.
    pub trace: Vec<TraceStep>,
}

/// One step of the way to an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceStep {
    /// `host`, `user`, `deny-rules`, `access-rules`.
    pub step: String,
    /// What the step found.
    pub result: String,
    /// The rule concerned, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Why it did or did not apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// Why an answer is what it is (stable names, quoted in logs and events).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonCode {
    /// A rule allows it.
    Allowed,
    /// The host takes no new logins.
    HostQuarantined,
    /// The host has not heard from the directory for too long.
    MirrorTooOld,
    /// The account is suspended, or not active yet.
    UserSuspended,
    /// The account's end has passed.
    UserExpired,
    /// Too many failures; passwords and codes are refused for a while.
    UserLocked,
    /// A deny rule applies.
    DeniedByRule,
    /// No rule allows it.
    NoAccessRule,
    /// A rule would allow it at another time.
    OutsideSchedule,
    /// A rule would allow it from another place.
    SourceNotAllowed,
    /// A rule that might concern this person cannot be read.
    RuleUnreadable,
    /// The engine could not tell; never a yes.
    CannotTell,
}
