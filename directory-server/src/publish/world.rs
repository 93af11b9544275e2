//! Everything bundles are made of, read in one snapshot. A user or group that cannot be sent is
//! left out and named; a rule that cannot be read stops everything, because leaving out a deny
//! would let somebody in.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use policy::{AccessRule, HostState, OWN_TAG_PREFIX, UserState};
use posix_names::{Gecos, Gid, GroupName, HomeDirectory, LoginShell, Uid, UserName};
use signed_bundle::{CredentialRecord, GroupIds, GroupRecord, PersonRecord, SshKeyRecord};
use sqlx::FromRow;

use super::PublishError;
use super::factors::WorldFactors;
use crate::store::{Store, Writing};

const DEFAULT_SHELL: &str = "/bin/bash";

/// The organisation at one moment.
pub(super) struct World {
    pub(super) hosts: Vec<WorldHost>,
    pub(super) people: Vec<WorldPerson>,
    pub(super) groups: Vec<GroupRecord>,
    pub(super) rules: Vec<AccessRule>,
    pub(super) factors: WorldFactors,
    /// Sequence and subject of every fast-lane message, ascending.
    pub(super) fast_lane: Vec<(u64, String)>,
    /// Users of any state; an organisation that had some has some for ever.
    pub(super) users_ever: u64,
}

/// A host for which bundles are made.
pub(super) struct WorldHost {
    pub(super) policy: policy::Host,
    pub(super) sealing_key: String,
    pub(super) bundle_version: u64,
    /// How many people may vanish at once, as an administrator has confirmed.
    pub(super) confirmed_removals: u32,
}

/// A person with what proves them.
pub(super) struct WorldPerson {
    /// Without groups: each host learns those that it knows.
    pub(super) record: PersonRecord,
    /// Ids of all groups, nesting resolved.
    pub(super) groups: BTreeSet<String>,
    pub(super) credential: Option<CredentialRecord>,
}

#[derive(FromRow)]
struct UserRow {
    id: String,
    username: String,
    uid: i64,
    state: String,
    display_name: String,
    home: Option<String>,
    shell: Option<String>,
    expires_at: Option<i64>,
    password_verifier: Option<String>,
    password_must_change: i64,
}

#[derive(FromRow)]
struct HostRow {
    id: String,
    hostname: String,
    state: String,
    project: String,
    trust_host_tags: i64,
    sealing_key: String,
    bundle_version: i64,
    confirmed_removals: i64,
}

impl World {
    pub(super) async fn load(store: &Store) -> Result<Self, PublishError> {
        let mut tx = store.snapshot().await?;
        let groups_of = memberships(&mut tx).await?;
        let keys_of = ssh_keys(&mut tx).await?;
        let users_ever: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM users")
            .fetch_one(&mut *tx)
            .await?;
        let world = Self {
            hosts: hosts(&mut tx).await?,
            people: people(&mut tx, &groups_of, &keys_of).await?,
            groups: groups(&mut tx).await?,
            rules: rules(&mut tx).await?,
            factors: WorldFactors::load(&mut tx).await?,
            fast_lane: fast_lane(&mut tx).await?,
            users_ever: users_ever.unsigned_abs(),
        };
        Ok(world)
    }

    pub(super) fn newest_sequence(&self) -> u64 {
        self.fast_lane.last().map_or(0, |(sequence, _)| *sequence)
    }
}

async fn hosts(tx: &mut Writing) -> Result<Vec<WorldHost>, PublishError> {
    let rows: Vec<HostRow> = sqlx::query_as(
        "SELECT hosts.id, hosts.hostname, hosts.state, projects.name AS project,
                projects.trust_host_tags, hosts.sealing_key, hosts.bundle_version,
                hosts.confirmed_removals
         FROM hosts JOIN projects ON projects.id = hosts.project_id
         WHERE hosts.state IN ('active', 'quarantined')",
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut tags_of = pairs(tx, "SELECT host_id, tag FROM host_tags").await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let mut tags = tags_of.remove(&row.id).unwrap_or_default();
            if row.trust_host_tags != 0 {
                let own = tags
                    .iter()
                    .filter_map(|tag| tag.strip_prefix(OWN_TAG_PREFIX));
                let own: Vec<String> = own.map(str::to_owned).collect();
                tags.extend(own);
            }
            WorldHost {
                policy: policy::Host {
                    name: row.hostname,
                    state: if row.state == "quarantined" {
                        HostState::Quarantined
                    } else {
                        HostState::Active
                    },
                    project: row.project,
                    tags,
                    mirror_age: None,
                    mirror_age_max: jiff::SignedDuration::MAX,
                    id: row.id,
                },
                sealing_key: row.sealing_key,
                bundle_version: row.bundle_version.unsigned_abs(),
                confirmed_removals: u32::try_from(row.confirmed_removals).unwrap_or_default(),
            }
        })
        .collect())
}

async fn people(
    tx: &mut Writing,
    groups_of: &BTreeMap<String, BTreeSet<String>>,
    keys_of: &BTreeMap<String, Vec<SshKeyRecord>>,
) -> Result<Vec<WorldPerson>, PublishError> {
    let rows: Vec<UserRow> = sqlx::query_as(
        "SELECT id, username, uid, state, display_name, home, shell, expires_at,
                password_verifier, password_must_change
         FROM users WHERE state IN ('active', 'suspended')",
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut people = Vec::with_capacity(rows.len());
    for row in rows {
        let id = row.id.clone();
        match person(row, groups_of, keys_of) {
            Ok(person) => people.push(person),
            Err(why) => tracing::error!(user = %id, %why, "cannot be sent to hosts; left out"),
        }
    }
    Ok(people)
}

fn person(
    row: UserRow,
    groups_of: &BTreeMap<String, BTreeSet<String>>,
    keys_of: &BTreeMap<String, Vec<SshKeyRecord>>,
) -> Result<WorldPerson, String> {
    let username = UserName::parse(&row.username).map_err(|error| error.to_string())?;
    let uid = Uid::new(row.uid.unsigned_abs()).map_err(|error| error.to_string())?;
    let home = match &row.home {
        Some(home) => HomeDirectory::parse(home).map_err(|error| error.to_string())?,
        None => HomeDirectory::of(&username),
    };
    let shell = row.shell.as_deref().unwrap_or(DEFAULT_SHELL);
    let state = match row.state.as_str() {
        "active" => UserState::Active,
        "suspended" => UserState::Suspended,
        other => return Err(format!("unknown state {other}")),
    };
    let credential = row.password_verifier.map(|verifier| CredentialRecord {
        user: row.id.clone(),
        password_verifier: verifier,
        must_change: row.password_must_change != 0,
    });
    let expires_at = row
        .expires_at
        .map(Timestamp::from_millisecond)
        .transpose()
        .map_err(|error| error.to_string())?;
    Ok(WorldPerson {
        groups: groups_of.get(&row.id).cloned().unwrap_or_default(),
        record: PersonRecord {
            groups: GroupIds::default(),
            ssh_keys: keys_of.get(&row.id).cloned().unwrap_or_default(),
            id: row.id,
            gid: uid.private_group(),
            username,
            uid,
            home,
            shell: LoginShell::parse(shell).map_err(|error| error.to_string())?,
            gecos: Gecos::cleaned(&row.display_name),
            state,
            expires_at,
        },
        // What is suspended proves nobody.
        credential: credential.filter(|_| state == UserState::Active),
    })
}

/// The groups of each user, nesting resolved.
async fn memberships(tx: &mut Writing) -> Result<BTreeMap<String, BTreeSet<String>>, PublishError> {
    let direct = pairs(tx, "SELECT user_id, group_id FROM group_users").await?;
    let parents = pairs(tx, "SELECT child_id, parent_id FROM group_groups").await?;
    let resolved = direct.into_iter().map(|(user, groups)| {
        let mut all = BTreeSet::new();
        let mut open: Vec<String> = groups.into_iter().collect();
        while let Some(group) = open.pop() {
            if !all.contains(&group) {
                open.extend(parents.get(&group).into_iter().flatten().cloned());
                all.insert(group);
            }
        }
        (user, all)
    });
    Ok(resolved.collect())
}

async fn groups(tx: &mut Writing) -> Result<Vec<GroupRecord>, PublishError> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT id, name, gid FROM groups WHERE unix = 1 AND gid IS NOT NULL ORDER BY id",
    )
    .fetch_all(&mut **tx)
    .await?;
    let records = rows.into_iter().filter_map(|(id, name, gid)| {
        match (GroupName::parse(&name), Gid::new(gid.unsigned_abs())) {
            (Ok(name), Ok(gid)) => Some(GroupRecord { id, name, gid }),
            (Err(_), _) | (_, Err(_)) => {
                tracing::error!(group = %id, "cannot be sent to hosts; left out");
                None
            }
        }
    });
    Ok(records.collect())
}

async fn rules(tx: &mut Writing) -> Result<Vec<AccessRule>, PublishError> {
    let rows: Vec<(String, String)> =
        sqlx::query_as("SELECT id, rule FROM access_rules ORDER BY id")
            .fetch_all(&mut **tx)
            .await?;
    rows.into_iter()
        .map(|(id, rule)| {
            serde_json::from_str(&rule).map_err(|error| PublishError::Rule(id, error.to_string()))
        })
        .collect()
}

async fn ssh_keys(tx: &mut Writing) -> Result<BTreeMap<String, Vec<SshKeyRecord>>, PublishError> {
    let rows: Vec<(String, String, String, Option<i64>)> = sqlx::query_as(
        "SELECT user_id, fingerprint, public_key, expires_at FROM ssh_keys ORDER BY id",
    )
    .fetch_all(&mut **tx)
    .await?;
    let mut keys: BTreeMap<String, Vec<SshKeyRecord>> = BTreeMap::new();
    for (user, fingerprint, line, expires_at) in rows {
        let expires_at = expires_at.and_then(|end| Timestamp::from_millisecond(end).ok());
        keys.entry(user).or_default().push(SshKeyRecord {
            fingerprint,
            line,
            expires_at,
        });
    }
    Ok(keys)
}

async fn fast_lane(tx: &mut Writing) -> Result<Vec<(u64, String)>, PublishError> {
    let rows: Vec<(i64, String)> =
        sqlx::query_as("SELECT sequence, subject FROM fast_lane ORDER BY sequence")
            .fetch_all(&mut **tx)
            .await?;
    let messages = rows
        .into_iter()
        .map(|(sequence, subject)| (sequence.unsigned_abs(), subject));
    Ok(messages.collect())
}

async fn pairs(
    tx: &mut Writing,
    query: &'static str,
) -> Result<BTreeMap<String, BTreeSet<String>>, PublishError> {
    let rows: Vec<(String, String)> = sqlx::query_as(query).fetch_all(&mut **tx).await?;
    let mut sets: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (key, value) in rows {
        sets.entry(key).or_default().insert(value);
    }
    Ok(sets)
}
