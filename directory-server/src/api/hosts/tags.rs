//! Tags: what rules select hosts by.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::rest::{Page, Tag, TagsChange, TagsChanged};

use super::HostRow;
use crate::act::Act;
use crate::audit::Draft;
use crate::http::{Asked, Body, Call, Column, Listing, NoShortForms, Refused, field};
use crate::reach::World;
use crate::state::AppState;

const TAGS_MAX: usize = 64;
const TAG_BYTES_MAX: usize = 128;

const IN_USE: Listing = Listing {
    columns: "name, hosts",
    tables: "(SELECT tag AS name, COUNT(*) AS hosts
        FROM host_tags JOIN hosts ON hosts.id = host_id
        WHERE state <> 'retired' GROUP BY tag)",
    id: "name",
    fields: &[
        field("name", Column::Text("name")),
        field("host_count", Column::Number("hosts")),
    ],
    sorted: "",
};

/// Checks tags that administrators give: `key=value` or a bare word, none that hosts or facts make.
pub(crate) fn checked_tags(tags: &[String]) -> Result<BTreeSet<String>, Refused> {
    if tags.len() > TAGS_MAX {
        return Err(Refused::invalid(
            "tags",
            format!("At most {TAGS_MAX} tags."),
        ));
    }
    for tag in tags {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let (key, value) = tag.split_once('=').unwrap_or((tag, "x"));
        let sound = tag.len() <= TAG_BYTES_MAX
            && [key, value]
                .iter()
                .all(|part| !part.is_empty() && part.bytes().all(plain));
        if !sound || key == "project" {
            return Err(Refused::invalid(
                "tags",
                "A tag is a word or key=value of letters, digits, dot, underscore and hyphen; \
                 \"auto:\", \"host:\" and \"project=\" are not for administrators to give.",
            ));
        }
    }
    Ok(tags.iter().cloned().collect())
}

/// Replaces the tags that administrators gave.
pub(super) async fn set_tags(
    act: &mut Act<'_>,
    host: &str,
    tags: &BTreeSet<String>,
) -> Result<(), Refused> {
    sqlx::query("DELETE FROM host_tags WHERE host_id = $1 AND source = 'admin'")
        .bind(host)
        .execute(act.database())
        .await?;
    for tag in tags {
        sqlx::query(
            "INSERT INTO host_tags (host_id, tag, source) VALUES ($1, $2, 'admin')
             ON CONFLICT DO NOTHING",
        )
        .bind(host)
        .bind(tag)
        .execute(act.database())
        .await?;
    }
    Ok(())
}

#[derive(Debug, sqlx::FromRow)]
struct TagRow {
    name: String,
    hosts: i64,
}

impl TagRow {
    fn shown(self) -> Tag {
        Tag {
            name: self.name,
            host_count: self.hosts.unsigned_abs(),
        }
    }
}

pub(super) async fn list(
    State(state): State<AppState>,
    asked: Asked<NoShortForms>,
) -> Result<Response, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let page: Page<TagRow> = IN_USE.page(&asked, |_| (), &mut snapshot).await?;
    Ok(asked.answer(page.map(|row| Ok::<_, Refused>(row.shown()))?))
}

pub(super) async fn change(
    State(state): State<AppState>,
    call: Call,
    Body(change): Body<TagsChange>,
) -> Result<Response, Refused> {
    let add = checked_tags(&change.add)?;
    let remove = checked_tags(&change.remove)?;
    let mut act = Act::begin(&state, &call.origin).await?;
    let world = World::load(act.database()).await?;
    let mut changed = TagsChanged::default();
    for host in world
        .hosts
        .iter()
        .filter(|host| change.selector.matches(host))
    {
        let row = HostRow::find(act.database(), &host.id).await?;
        let before: BTreeSet<String> = row
            .settings(act.database())
            .await?
            .tags
            .into_iter()
            .collect();
        let after = before
            .union(&add)
            .filter(|tag| !remove.contains(*tag))
            .cloned()
            .collect();
        if before == after {
            continue;
        }
        set_tags(&mut act, &row.id, &after).await?;
        let now = act.now_ms();
        sqlx::query("UPDATE hosts SET updated_at = $2, version = version + 1 WHERE id = $1")
            .bind(&row.id)
            .bind(now)
            .execute(act.database())
            .await?;
        let given: Vec<&String> = after.difference(&before).collect();
        let taken: Vec<&String> = before.difference(&after).collect();
        act.record(
            Draft::new(if given.is_empty() {
                "tag.removed"
            } else {
                "tag.added"
            })
            .target("host", &row.id, &row.hostname)
            .host(&row.id, &row.hostname)
            .detail("added", serde_json::to_value(&given)?)
            .detail("removed", serde_json::to_value(&taken)?),
        )
        .await?;
        act.touch_host(&row.id);
        changed.hosts.push(row.hostname);
    }
    act.finish(StatusCode::OK, &changed, None).await
}
