//! Who can reach which host: everything the decision engine needs, read in one go, and the
//! difference that a change makes.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use directory_api::rest::Reach;
use jiff::{SignedDuration, Timestamp};
use policy::{
    AccessRule, Decision, Host, HostState, OWN_TAG_PREFIX, Person, Question, ReasonCode,
    UnreadableRule, UserState,
};
use sqlx::SqliteConnection;

use crate::http::Refused;

/// The login that is asked about.
#[derive(Debug, Clone)]
pub struct Login {
    /// PAM service.
    pub service: String,
    /// Where it comes from; anywhere when absent.
    pub source: Option<IpAddr>,
    /// The moment that was named; some time from now on when absent.
    pub at: Option<Timestamp>,
    /// The present.
    pub now: Timestamp,
    /// Whether those are left out who cannot log in at all.
    pub possible_only: bool,
}

impl Login {
    /// By ssh, from anywhere, now.
    #[must_use]
    pub fn by_ssh(now: Timestamp) -> Self {
        Self {
            service: "sshd".to_owned(),
            source: None,
            at: None,
            now,
            possible_only: false,
        }
    }

    /// Leaves those out who cannot log in: not now, and not at another time or from elsewhere
    /// either, as far as the question leaves that open.
    #[must_use]
    pub fn possible_only(self) -> Self {
        Self {
            possible_only: true,
            ..self
        }
    }
}

/// The organisation as the engine sees it at one moment.
pub struct World {
    /// Everybody but the deleted.
    pub people: Vec<Person>,
    /// All hosts but the retired.
    pub hosts: Vec<Host>,
    /// The rules.
    pub rules: Vec<AccessRule>,
    /// The rules that cannot be read.
    pub unreadable: Vec<UnreadableRule>,
}

impl World {
    /// Reads it.
    ///
    /// # Errors
    /// The database fails.
    pub async fn load(database: &mut SqliteConnection) -> Result<Self, Refused> {
        let (rules, unreadable) = rules(database).await?;
        Ok(Self {
            people: people(database).await?,
            hosts: hosts(database).await?,
            rules,
            unreadable,
        })
    }

    /// What the engine says.
    pub fn decide(&self, question: &Question<'_>) -> Decision {
        policy::decide_with_unreadable(question, &self.rules, &self.unreadable)
    }

    /// Whether some rule names this person and this host, whatever the time and the source.
    #[must_use]
    pub fn could_reach(&self, person: &Person, host: &Host) -> bool {
        policy::could_ever_reach(&person.id, &person.groups, host, &self.rules)
    }

    /// Every pair of user and host where a login is possible now, at some time or from somewhere.
    #[must_use]
    pub fn reach(&self, now: Timestamp) -> BTreeSet<Reach> {
        let login = Login::by_ssh(now).possible_only();
        let mut pairs = BTreeSet::new();
        for person in &self.people {
            for host in &self.hosts {
                if self.answer(person, host, &login).is_some() {
                    pairs.insert(Reach {
                        user: person.username.clone(),
                        host: host.name.clone(),
                    });
                }
            }
        }
        pairs
    }

    /// What would be said to this person at this host; nothing where no rule is about both, or
    /// where only possible logins are wanted and this is none.
    #[must_use]
    pub fn answer(&self, person: &Person, host: &Host, login: &Login) -> Option<Decision> {
        if !self.could_reach(person, host) {
            return None;
        }
        let decision = self.decide(&Question {
            person,
            host,
            service: &login.service,
            source: login.source,
            now: login.at.unwrap_or(login.now),
        });
        let possible = decision.allowed
            || (decision.reason == ReasonCode::OutsideSchedule && login.at.is_none())
            || (decision.reason == ReasonCode::SourceNotAllowed && login.source.is_none());
        (possible || !login.possible_only).then_some(decision)
    }
}

async fn rules(
    database: &mut SqliteConnection,
) -> Result<(Vec<AccessRule>, Vec<UnreadableRule>), Refused> {
    let texts: Vec<String> = sqlx::query_scalar("SELECT rule FROM access_rules ORDER BY id")
        .fetch_all(database)
        .await?;
    let (mut rules, mut unreadable) = (Vec::new(), Vec::new());
    for text in texts {
        match serde_json::from_str(&text) {
            Ok(rule) => rules.push(rule),
            Err(_) => unreadable
                .push(serde_json::from_str(&text).unwrap_or_else(|_| UnreadableRule::illegible())),
        }
    }
    Ok((rules, unreadable))
}

#[derive(sqlx::FromRow)]
struct PersonRow {
    id: String,
    username: String,
    state: String,
    expires_at: Option<i64>,
    locked_until: Option<i64>,
}

async fn people(database: &mut SqliteConnection) -> Result<Vec<Person>, Refused> {
    let mut groups = memberships(database).await?;
    let rows: Vec<PersonRow> = sqlx::query_as(
        "SELECT id, username, state, expires_at, locked_until FROM users WHERE state <> 'deleted'",
    )
    .fetch_all(database)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Person {
                groups: groups.remove(&row.id).unwrap_or_default(),
                id: row.id,
                username: row.username,
                state: user_state(&row.state)?,
                expires_at: moment(row.expires_at),
                locked_until: moment(row.locked_until),
            })
        })
        .collect()
}

/// All groups of every user, nesting resolved.
///
/// # Errors
/// The database fails.
pub async fn memberships(
    database: &mut SqliteConnection,
) -> Result<BTreeMap<String, BTreeSet<String>>, Refused> {
    let direct: Vec<(String, String)> = sqlx::query_as("SELECT user_id, group_id FROM group_users")
        .fetch_all(&mut *database)
        .await?;
    let nested: Vec<(String, String)> =
        sqlx::query_as("SELECT child_id, parent_id FROM group_groups")
            .fetch_all(database)
            .await?;
    let mut parents: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (child, parent) in nested {
        parents.entry(child).or_default().push(parent);
    }
    let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (user, group) in direct {
        let all = groups.entry(user).or_default();
        let mut open = vec![group];
        while let Some(group) = open.pop() {
            if all.insert(group.clone()) {
                open.extend(parents.get(&group).into_iter().flatten().cloned());
            }
        }
    }
    Ok(groups)
}

#[derive(sqlx::FromRow)]
struct HostRow {
    id: String,
    hostname: String,
    state: String,
    project: String,
    trust_host_tags: i64,
}

async fn hosts(database: &mut SqliteConnection) -> Result<Vec<Host>, Refused> {
    let pairs: Vec<(String, String)> = sqlx::query_as("SELECT host_id, tag FROM host_tags")
        .fetch_all(&mut *database)
        .await?;
    let mut tags: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (host, tag) in pairs {
        tags.entry(host).or_default().insert(tag);
    }
    let rows: Vec<HostRow> = sqlx::query_as(
        "SELECT hosts.id, hostname, state, projects.name AS project, trust_host_tags
         FROM hosts JOIN projects ON projects.id = project_id WHERE state <> 'retired'",
    )
    .fetch_all(database)
    .await?;
    rows.into_iter()
        .map(|row| {
            let stored = tags.remove(&row.id).unwrap_or_default();
            Ok(Host {
                tags: tags_for_rules(stored, row.trust_host_tags != 0),
                id: row.id,
                name: row.hostname,
                state: host_state(&row.state)?,
                project: row.project,
                mirror_age: None,
                mirror_age_max: SignedDuration::MAX,
            })
        })
        .collect()
}

/// Where the project trusts its hosts, what a host says of itself counts without the prefix too.
fn tags_for_rules(mut tags: BTreeSet<String>, trusted: bool) -> BTreeSet<String> {
    if trusted {
        let own = tags
            .iter()
            .filter_map(|tag| tag.strip_prefix(OWN_TAG_PREFIX));
        let own: Vec<String> = own.map(str::to_owned).collect();
        tags.extend(own);
    }
    tags
}

/// The state of a user as stored.
///
/// # Errors
/// The database holds something else.
pub fn user_state(text: &str) -> Result<UserState, Refused> {
    Ok(serde_json::from_value(text.into())?)
}

/// The state of a host as stored.
///
/// # Errors
/// The database holds something else.
pub fn host_state(text: &str) -> Result<HostState, Refused> {
    Ok(serde_json::from_value(text.into())?)
}

/// A stored moment.
#[must_use]
pub fn moment(millis: Option<i64>) -> Option<Timestamp> {
    millis.and_then(|millis| Timestamp::from_millisecond(millis).ok())
}
