//! Who is in a group: users and groups, without circles, at most eight deep.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::rest::{GroupMember, GroupMembers, MembersChange};
use serde::Deserialize;
use sqlx::SqliteConnection;

use super::GroupRow;
use crate::act::Act;
use crate::api::users::UserRow;
use crate::audit::Draft;
use crate::http::{Body, Call, Filters, Refused};
use crate::id::Kind;
use crate::state::AppState;

const DEPTH_MAX: usize = 8;
const CHANGES_MAX: usize = 1000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    transitive: bool,
}

pub(super) async fn list(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Filters(wanted): Filters<Wanted>,
) -> Result<Json<GroupMembers>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let group = GroupRow::find(&mut snapshot, &id).await?;
    members(&mut snapshot, &group.id, wanted.transitive)
        .await
        .map(Json)
}

async fn members(
    database: &mut SqliteConnection,
    group: &str,
    transitive: bool,
) -> Result<GroupMembers, Refused> {
    let mut found = BTreeSet::new();
    let mut open = vec![group.to_owned()];
    let mut seen = BTreeSet::new();
    while let Some(group) = open.pop() {
        if !seen.insert(group.clone()) {
            continue;
        }
        let direct: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT 'user', users.id, username FROM group_users JOIN users ON users.id = user_id
             WHERE group_id = $1
             UNION ALL
             SELECT 'group', groups.id, name FROM group_groups JOIN groups ON groups.id = child_id
             WHERE parent_id = $1",
        )
        .bind(&group)
        .fetch_all(&mut *database)
        .await?;
        for (kind, id, name) in direct {
            if transitive && kind == "group" {
                open.push(id.clone());
            }
            found.insert(GroupMember { kind, id, name });
        }
    }
    Ok(GroupMembers {
        items: found.into_iter().collect(),
    })
}

pub(super) async fn change(
    State(state): State<AppState>,
    call: Call,
    Path(id): Path<String>,
    Body(change): Body<MembersChange>,
) -> Result<Response, Refused> {
    if change.add.len() + change.remove.len() > CHANGES_MAX {
        return Err(Refused::invalid(
            "add",
            format!("At most {CHANGES_MAX} members in one call."),
        ));
    }
    let mut act = Act::begin(&state, &call.origin).await?;
    let group = GroupRow::find(act.database(), &id).await?;
    call.check_version(group.version)?;
    for name in &change.add {
        match Member::find(act.database(), name).await? {
            Member::User(user) => add_user(&mut act, &group, &user.id, &user.username).await?,
            Member::Group(child) => add_group(&mut act, &group, &child).await?,
        }
    }
    for name in &change.remove {
        match Member::find(act.database(), name).await? {
            Member::User(user) => remove_user(&mut act, &group, &user).await?,
            Member::Group(child) => remove_group(&mut act, &group, &child).await?,
        }
    }
    let members = members(act.database(), &group.id, false).await?;
    act.finish(StatusCode::OK, &members, None).await
}

/// A member as written in a request: `user:NAME`, `group:NAME`, or a plain id.
enum Member {
    User(Box<UserRow>),
    Group(Box<GroupRow>),
}

impl Member {
    async fn find(database: &mut SqliteConnection, text: &str) -> Result<Self, Refused> {
        if let Some(name) = text.strip_prefix("group:") {
            return Ok(Self::Group(Box::new(GroupRow::find(database, name).await?)));
        }
        if Kind::Group.is_id(text) {
            return Ok(Self::Group(Box::new(GroupRow::find(database, text).await?)));
        }
        let name = text.strip_prefix("user:").unwrap_or(text);
        Ok(Self::User(Box::new(UserRow::find(database, name).await?)))
    }
}

/// Adds a user to a group; who is there already stays.
pub(crate) async fn add_user(
    act: &mut Act<'_>,
    group: &GroupRow,
    user: &str,
    username: &str,
) -> Result<(), Refused> {
    let added = sqlx::query(
        "INSERT INTO group_users (group_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(&group.id)
    .bind(user)
    .execute(act.database())
    .await?;
    if added.rows_affected() == 0 {
        return Ok(());
    }
    changed(act, group, "group.member_added", ("user", user, username)).await?;
    act.touch_user(user);
    Ok(())
}

async fn remove_user(act: &mut Act<'_>, group: &GroupRow, user: &UserRow) -> Result<(), Refused> {
    let removed = sqlx::query("DELETE FROM group_users WHERE group_id = $1 AND user_id = $2")
        .bind(&group.id)
        .bind(&user.id)
        .execute(act.database())
        .await?;
    if removed.rows_affected() == 0 {
        return Ok(());
    }
    changed(
        act,
        group,
        "group.member_removed",
        ("user", &user.id, &user.username),
    )
    .await?;
    act.touch_user(&user.id);
    Ok(())
}

async fn add_group(act: &mut Act<'_>, group: &GroupRow, child: &GroupRow) -> Result<(), Refused> {
    let added = sqlx::query(
        "INSERT INTO group_groups (parent_id, child_id) VALUES ($1, $2) ON CONFLICT DO NOTHING",
    )
    .bind(&group.id)
    .bind(&child.id)
    .execute(act.database())
    .await?;
    if added.rows_affected() == 0 {
        return Ok(());
    }
    refuse_circles_and_depth(act.database(), &group.id).await?;
    changed(
        act,
        group,
        "group.member_added",
        ("group", &child.id, &child.name),
    )
    .await?;
    act.touch_everything();
    Ok(())
}

async fn remove_group(
    act: &mut Act<'_>,
    group: &GroupRow,
    child: &GroupRow,
) -> Result<(), Refused> {
    let removed = sqlx::query("DELETE FROM group_groups WHERE parent_id = $1 AND child_id = $2")
        .bind(&group.id)
        .bind(&child.id)
        .execute(act.database())
        .await?;
    if removed.rows_affected() == 0 {
        return Ok(());
    }
    changed(
        act,
        group,
        "group.member_removed",
        ("group", &child.id, &child.name),
    )
    .await?;
    act.touch_everything();
    Ok(())
}

async fn changed(
    act: &mut Act<'_>,
    group: &GroupRow,
    kind: &str,
    (member_kind, id, name): (&str, &str, &str),
) -> Result<(), Refused> {
    let now = act.now_ms();
    sqlx::query("UPDATE groups SET updated_at = $2, version = version + 1 WHERE id = $1")
        .bind(&group.id)
        .bind(now)
        .execute(act.database())
        .await?;
    act.record(
        Draft::new(kind)
            .target("group", &group.id, &group.name)
            .detail("member", format!("{member_kind}:{id}"))
            .detail("member_name", name),
    )
    .await
}

/// Looks upward and downward from a group that has a new child.
async fn refuse_circles_and_depth(
    database: &mut SqliteConnection,
    group: &str,
) -> Result<(), Refused> {
    let edges: Vec<(String, String)> =
        sqlx::query_as("SELECT parent_id, child_id FROM group_groups")
            .fetch_all(database)
            .await?;
    let up = longest(group, &|of| {
        edges
            .iter()
            .filter(|(_, child)| child == of)
            .map(|(parent, _)| parent.clone())
            .collect()
    })?;
    let down = longest(group, &|of| {
        edges
            .iter()
            .filter(|(parent, _)| parent == of)
            .map(|(_, child)| child.clone())
            .collect()
    })?;
    if up + down + 1 > DEPTH_MAX {
        return Err(too_deep());
    }
    Ok(())
}

/// Steps of the longest way from a group; a circle is a way without end.
fn longest(from: &str, next: &dyn Fn(&str) -> Vec<String>) -> Result<usize, Refused> {
    let mut layer = BTreeSet::from([from.to_owned()]);
    for steps in 0..DEPTH_MAX {
        layer = layer.iter().flat_map(|group| next(group)).collect();
        if layer.is_empty() {
            return Ok(steps);
        }
        if layer.contains(from) {
            return Err(Refused::conflict(
                "The groups would contain each other in a circle.",
            ));
        }
    }
    Err(too_deep())
}

fn too_deep() -> Refused {
    Refused::conflict(format!(
        "Groups can be nested at most {DEPTH_MAX} deep, and never in a circle."
    ))
}
