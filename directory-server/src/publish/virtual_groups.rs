//! The gids of the groups that exist on every host, from the same sequence as all others: given
//! out once, never changed.

use std::collections::BTreeMap;

use posix_names::{FIRST_RANGE, Gid, SECOND_RANGE};
use signed_bundle::VirtualGroup;

use super::PublishError;
use crate::store::{Store, Writing};

const GROUPS: [VirtualGroup; 3] = [
    VirtualGroup::Everybody,
    VirtualGroup::KeyAndCode,
    VirtualGroup::Recorded,
];

pub(super) async fn gids(store: &Store) -> Result<BTreeMap<VirtualGroup, Gid>, PublishError> {
    let mut tx = store.write().await?;
    let mut gids = BTreeMap::new();
    for group in GROUPS {
        gids.insert(group, gid(&mut tx, group).await?);
    }
    tx.commit().await?;
    Ok(gids)
}

async fn gid(tx: &mut Writing, group: VirtualGroup) -> Result<Gid, PublishError> {
    let owner = group.name().to_string();
    let given: Option<i64> = sqlx::query_scalar("SELECT id FROM unix_ids WHERE owner = $1")
        .bind(&owner)
        .fetch_optional(&mut **tx)
        .await?;
    let id = match given {
        Some(id) => id,
        None => {
            let id = free_id(tx).await?;
            sqlx::query("INSERT INTO unix_ids (id, owner) VALUES ($1, $2)")
                .bind(id)
                .bind(&owner)
                .execute(&mut **tx)
                .await?;
            id
        }
    };
    Gid::new(id.unsigned_abs()).map_err(|_| PublishError::NoIds)
}

/// Behind the newest id of the first range, then of the second.
async fn free_id(tx: &mut Writing) -> Result<i64, PublishError> {
    for range in [FIRST_RANGE, SECOND_RANGE] {
        let (first, last) = (i64::from(*range.start()), i64::from(*range.end()));
        let newest: Option<i64> =
            sqlx::query_scalar("SELECT MAX(id) FROM unix_ids WHERE id BETWEEN $1 AND $2")
                .bind(first)
                .bind(last)
                .fetch_one(&mut **tx)
                .await?;
        let next = newest.map_or(first, |newest| newest + 1);
        if next <= last {
            return Ok(next);
        }
    }
    Err(PublishError::NoIds)
}
