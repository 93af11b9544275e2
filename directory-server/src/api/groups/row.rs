//! Groups as they stand in the database.

use directory_api::rest::{Group, GroupSettings};
use posix_names::Gid;
use sqlx::SqliteConnection;

use crate::api::time;
use crate::http::{Column, Listing, Refused, field};
use crate::id::Kind;

/// One row of `groups`, with its number of direct members.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct GroupRow {
    pub(crate) id: String,
    pub(crate) name: String,
    description: String,
    unix: i64,
    gid: Option<i64>,
    created_at: i64,
    created_by: String,
    updated_at: i64,
    pub(crate) version: i64,
    members: i64,
}

/// What every query of groups reads.
pub(super) const GROUPS: Listing = Listing {
    columns: "groups.*, (SELECT COUNT(*) FROM group_users WHERE group_id = groups.id)
        + (SELECT COUNT(*) FROM group_groups WHERE parent_id = groups.id) AS members",
    tables: "groups",
    id: "groups.id",
    fields: &[
        field("name", Column::Text("groups.name")),
        field("description", Column::Text("groups.description")),
        field("unix", Column::Truth("groups.unix")),
        field("gid", Column::Number("COALESCE(groups.gid, 0)")),
        field("created_at", Column::Moment("groups.created_at")),
        field("updated_at", Column::Moment("groups.updated_at")),
        field(
            "member",
            Column::Any {
                begin: "groups.id IN (SELECT group_id FROM group_users
                    JOIN users ON users.id = user_id WHERE",
                text: "username",
            },
        ),
    ],
    sorted: "",
};

impl GroupRow {
    /// By id or name.
    pub(crate) async fn find(database: &mut SqliteConnection, name: &str) -> Result<Self, Refused> {
        let mut query = GROUPS.select();
        query.push(if Kind::Group.is_id(name) {
            " WHERE id = "
        } else {
            " WHERE name = "
        });
        query
            .push_bind(name)
            .build_query_as()
            .fetch_optional(database)
            .await?
            .ok_or_else(|| Refused::not_found("group"))
    }

    pub(super) fn settings(&self) -> GroupSettings {
        GroupSettings {
            name: self.name.clone(),
            description: self.description.clone(),
            unix: self.unix != 0,
        }
    }

    pub(super) fn has_gid(&self) -> bool {
        self.gid.is_some()
    }

    pub(super) fn shown(&self) -> Result<Group, Refused> {
        let gid = self
            .gid
            .filter(|_| self.unix != 0)
            .map(|gid| Gid::new(gid.unsigned_abs()));
        Ok(Group {
            id: self.id.clone(),
            settings: self.settings(),
            gid: gid
                .transpose()
                .map_err(|_| Refused::conflict("The stored gid of this group is unusable."))?,
            member_count: self.members.unsigned_abs(),
            created_at: time(self.created_at),
            created_by: self.created_by.clone(),
            updated_at: time(self.updated_at),
            version: self.version.unsigned_abs(),
        })
    }
}
