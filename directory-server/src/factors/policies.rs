//! Policies as they are stored. One that cannot be read stops whatever asks: leaving it out could
//! let somebody in with one factor.

use std::net::IpAddr;

use policy::{FactorPolicy, Factors, Selector};
use sqlx::SqliteConnection;

use crate::http::Refused;

/// A policy and the hosts it is for.
#[derive(Debug, Clone)]
pub struct StoredPolicy {
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
    let rows: Vec<(String, String, String, String)> =
        sqlx::query_as("SELECT id, project, hosts, policy FROM policies ORDER BY id")
            .fetch_all(database)
            .await?;
    let policies = rows.into_iter().map(|(id, project, hosts, policy)| {
        let unreadable = |why: String| Unreadable(id.clone(), why);
        let hosts = Some(hosts.as_str()).filter(|hosts| !hosts.is_empty());
        let hosts = hosts.map(str::parse).transpose();
        Ok(StoredPolicy {
            project,
            hosts: hosts.map_err(|error: policy::BadSelector| unreadable(error.to_string()))?,
            policy: serde_json::from_str(&policy).map_err(|error| unreadable(error.to_string()))?,
        })
    });
    Ok(policies.collect())
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
