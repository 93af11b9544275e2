//! Policies as they are stored. One that cannot be read stops whatever asks: leaving it out could
//! let somebody in with one factor.

use std::net::IpAddr;

use policy::{FactorPolicy, Factors, Selector};
use sqlx::SqliteConnection;

use crate::http::Refused;

/// A policy and the hosts it is for.
#[derive(Debug, Clone)]
pub struct StoredPolicy {
    /// Its name; hosts never learn it.
    pub name: String,
    /// The name of its project; empty for all.
    project: String,
    hosts: Option<Selector>,
    policy: FactorPolicy,
}

/// A stored policy that cannot be read: its id, and why.
#[derive(Debug)]
pub struct Unreadable(pub String, pub String);

/// All policies, or the first that cannot be read.
///
/// # Errors
/// The database fails.
pub async fn load(
    database: &mut SqliteConnection,
) -> Result<Result<Vec<StoredPolicy>, Unreadable>, sqlx::Error> {
    let rows = rows(database).await?;
    Ok(rows.into_iter().map(Row::read).collect())
}

/// All policies that can be read; only for previews, where nothing is decided.
///
/// # Errors
/// The database fails.
pub(crate) async fn load_readable(
    database: &mut SqliteConnection,
) -> Result<Vec<StoredPolicy>, sqlx::Error> {
    let rows = rows(database).await?;
    Ok(rows.into_iter().filter_map(|row| row.read().ok()).collect())
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    name: String,
    project: String,
    project_name: Option<String>,
    hosts: String,
    policy: String,
}

async fn rows(database: &mut SqliteConnection) -> Result<Vec<Row>, sqlx::Error> {
    sqlx::query_as(
        "SELECT policies.id, policies.name, policies.project, projects.name AS project_name,
                policies.hosts, policies.policy
         FROM policies LEFT JOIN projects ON projects.id = policies.project ORDER BY policies.id",
    )
    .fetch_all(database)
    .await
}

impl Row {
    fn read(self) -> Result<StoredPolicy, Unreadable> {
        let unreadable = |why: String| Unreadable(self.id.clone(), why);
        let project = match self.project_name {
            Some(project) => project,
            None if self.project.is_empty() => String::new(),
            None => return Err(unreadable("its project is gone".to_owned())),
        };
        let hosts = Some(self.hosts.as_str()).filter(|hosts| !hosts.is_empty());
        let hosts = hosts.map(str::parse).transpose();
        let policy = serde_json::from_str(&self.policy);
        Ok(StoredPolicy {
            hosts: hosts.map_err(|error: policy::BadSelector| unreadable(error.to_string()))?,
            policy: policy.map_err(|error: serde_json::Error| unreadable(error.to_string()))?,
            name: self.name,
            project,
        })
    }
}

impl StoredPolicy {
    /// As hosts get it, if this host does. A host's own tags count: they can only make it stricter
    /// where a policy names them, and a policy that must not be left by a tag does not name one.
    #[must_use]
    pub fn for_host(&self, host: &policy::Host) -> Option<FactorPolicy> {
        let here = (self.project.is_empty() || self.project == host.project)
            && self.hosts.as_ref().is_none_or(|hosts| hosts.matches(host));
        here.then(|| self.policy.clone())
    }

    /// Whether it is for the whole organisation, the directory's own door included.
    fn for_everything(&self) -> bool {
        self.project.is_empty() && self.hosts.is_none()
    }
}

/// What holds for a login at this host; without a host, at the directory itself.
///
/// # Errors
/// The database fails, or a policy cannot be read.
pub async fn factors_at(
    database: &mut SqliteConnection,
    host: Option<&policy::Host>,
    (service, source): (&str, Option<IpAddr>),
) -> Result<Factors, Refused> {
    let policies = load(database).await?.map_err(|Unreadable(id, why)| {
        tracing::error!(policy = %id, %why, "a policy cannot be read; codes wait");
        Refused::conflict("A stored policy cannot be read; an administrator must mend it.")
    })?;
    let policies: Vec<FactorPolicy> = policies
        .iter()
        .filter_map(|stored| match host {
            Some(host) => stored.for_host(host),
            None => stored.for_everything().then(|| stored.policy.clone()),
        })
        .collect();
    Ok(Factors::of(&policies, service, source))
}
