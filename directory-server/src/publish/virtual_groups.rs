//! The gids of the groups that exist on every host, from the same sequence as all others: given
//! out once, never changed.

use std::collections::BTreeMap;

use posix_names::Gid;
use signed_bundle::VirtualGroup;

use super::PublishError;
use crate::assign::next_id;
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
        None => next_id(tx, &owner).await.map_err(|_| PublishError::NoIds)?,
    };
    Gid::new(id.unsigned_abs()).map_err(|_| PublishError::NoIds)
}
