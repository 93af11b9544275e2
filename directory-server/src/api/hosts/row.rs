//! Hosts as they stand in the database.

use directory_api::agent::HostFacts;
use directory_api::rest::{Host, HostSettings, Time};
use jiff::{SignedDuration, Timestamp};
use sqlx::SqliteConnection;

use crate::api::time;
use crate::http::{Column, Listing, Refused, field};
use crate::id::Kind;
use crate::reach::{host_state, moment};

/// A host is called stale when nothing was heard of it for so long.
pub(super) const STALE_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// What every query of hosts reads.
pub(super) const HOSTS: Listing = Listing {
    columns: "hosts.*, projects.name AS project",
    tables: "hosts JOIN projects ON projects.id = project_id",
    id: "hosts.id",
    fields: &[
        field("hostname", Column::Text("hostname")),
        field("state", Column::Text("state")),
        field("display_name", Column::Text("display_name")),
        field("description", Column::Text("hosts.description")),
        field("project", Column::Text("projects.name")),
        field("ephemeral", Column::Truth("ephemeral")),
        field("bundle_version", Column::Number("bundle_version")),
        field("acked_version", Column::Number("acked_version")),
        field("last_seen", Column::Moment("last_seen")),
        field("created_at", Column::Moment("hosts.created_at")),
        field("updated_at", Column::Moment("hosts.updated_at")),
        field(
            "tag",
            Column::Any {
                begin: "hosts.id IN (SELECT host_id FROM host_tags WHERE",
                text: "tag",
            },
        ),
    ],
    sorted: "",
};

/// One row of `hosts` with the name of its project.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct HostRow {
    pub(crate) id: String,
    pub(crate) hostname: String,
    pub(super) state: String,
    project: String,
    display_name: String,
    description: String,
    pub(super) facts: String,
    enrolled_by: String,
    ephemeral: i64,
    pub(super) last_seen: Option<i64>,
    pub(super) bundle_version: i64,
    pub(super) acked_version: i64,
    pub(super) acked_sequence: i64,
    pub(super) acked_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    pub(super) version: i64,
}

impl HostRow {
    /// By id, or by the name of a host that is not retired.
    pub(crate) async fn find(database: &mut SqliteConnection, name: &str) -> Result<Self, Refused> {
        let mut query = HOSTS.select();
        if Kind::Host.is_id(name) {
            query.push(" WHERE hosts.id = ").push_bind(name);
        } else {
            query
                .push(" WHERE state <> 'retired' AND hostname = ")
                .push_bind(name);
        }
        query
            .build_query_as()
            .fetch_optional(database)
            .await?
            .ok_or_else(|| Refused::not_found("host"))
    }

    pub(super) fn is_stale(&self, now: Timestamp) -> bool {
        let limit = now
            .saturating_sub(STALE_AFTER)
            .map(Timestamp::as_millisecond);
        self.last_seen
            .is_none_or(|seen| limit.is_ok_and(|limit| seen < limit))
    }

    pub(super) fn facts(&self) -> Result<HostFacts, Refused> {
        Ok(serde_json::from_str(&self.facts)?)
    }

    /// What may be edited.
    pub(super) async fn settings(
        &self,
        database: &mut SqliteConnection,
    ) -> Result<HostSettings, Refused> {
        Ok(HostSettings {
            display_name: self.display_name.clone(),
            description: self.description.clone(),
            project: self.project.clone(),
            tags: self.tags(database, true).await?,
        })
    }

    async fn tags(
        &self,
        database: &mut SqliteConnection,
        of_admins: bool,
    ) -> Result<Vec<String>, Refused> {
        let query = if of_admins {
            "SELECT tag FROM host_tags WHERE host_id = $1 AND source = 'admin' ORDER BY tag"
        } else {
            "SELECT tag FROM host_tags WHERE host_id = $1 AND source <> 'admin' ORDER BY tag"
        };
        Ok(sqlx::query_scalar(query)
            .bind(&self.id)
            .fetch_all(database)
            .await?)
    }

    /// As the API shows it.
    pub(super) async fn shown(
        &self,
        database: &mut SqliteConnection,
        now: Timestamp,
    ) -> Result<Host, Refused> {
        Ok(Host {
            id: self.id.clone(),
            hostname: self.hostname.clone(),
            state: host_state(&self.state)?,
            stale: self.is_stale(now),
            settings: self.settings(database).await?,
            own_tags: self.tags(database, false).await?,
            facts: self.facts()?,
            enrolled_by: self.enrolled_by.clone(),
            ephemeral: self.ephemeral != 0,
            last_seen: moment(self.last_seen).map(Time),
            bundle_version: self.bundle_version.unsigned_abs(),
            acked_version: self.acked_version.unsigned_abs(),
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
            version: self.version.unsigned_abs(),
        })
    }
}
