//! Which hosts are there. Says once when a host has fallen silent and once when it is back, never
//! at every missed breath: a short cut of the network or a reboot is no news.

use jiff::{SignedDuration, Timestamp};

use crate::act::Act;
use crate::audit::{Draft, Severity};
use crate::http::{Origin, Refused};
use crate::state::AppState;

/// Longer than a reboot, and many times the pings of an open stream.
const SILENT_AFTER: SignedDuration = SignedDuration::from_mins(5);

/// Compares what was heard with what was said. `listening_since` is when this directory began to
/// run: silence while it was away itself is no fault of hosts. Returns how many came and went.
///
/// # Errors
/// The database fails.
pub async fn note_comings_and_goings(
    state: &AppState,
    listening_since: Timestamp,
) -> Result<usize, Refused> {
    let origin = Origin::of_system(state.clock.now());
    let mut act = Act::begin(state, &origin).await?;
    let silence_begins = act
        .now_ms()
        .saturating_sub(i64::try_from(SILENT_AFTER.as_millis()).unwrap_or(i64::MAX));
    let back = back(&mut act, silence_begins).await?;
    let gone = if listening_since.as_millisecond() < silence_begins {
        gone(&mut act, silence_begins).await?
    } else {
        0
    };
    if back + gone > 0 {
        act.finish_empty().await?;
    }
    Ok(back + gone)
}

async fn back(act: &mut Act<'_>, silence_begins: i64) -> Result<usize, Refused> {
    let hosts: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT hosts.id, hostname, (last_seen - since) / 1000
         FROM silent_hosts JOIN hosts ON hosts.id = host_id
         WHERE last_seen > since AND last_seen >= $1 AND state IN ('active', 'quarantined')",
    )
    .bind(silence_begins)
    .fetch_all(act.database())
    .await?;
    for (id, hostname, seconds) in &hosts {
        sqlx::query("DELETE FROM silent_hosts WHERE host_id = $1")
            .bind(id)
            .execute(act.database())
            .await?;
        let draft = Draft::new("host.online").detail("offline_seconds", *seconds);
        said(act, draft, id, hostname).await?;
    }
    Ok(hosts.len())
}

async fn gone(act: &mut Act<'_>, silence_begins: i64) -> Result<usize, Refused> {
    let hosts: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT id, hostname, last_seen FROM hosts
         WHERE last_seen < $1 AND state IN ('active', 'quarantined')
           AND id NOT IN (SELECT host_id FROM silent_hosts)",
    )
    .bind(silence_begins)
    .fetch_all(act.database())
    .await?;
    for (id, hostname, last_seen) in &hosts {
        sqlx::query("INSERT INTO silent_hosts (host_id, since) VALUES ($1, $2)")
            .bind(id)
            .bind(last_seen)
            .execute(act.database())
            .await?;
        let seen = Timestamp::from_millisecond(*last_seen).unwrap_or_default();
        let draft = Draft::new("host.offline")
            .severity(Severity::Notice)
            .detail("last_seen", seen.to_string());
        said(act, draft, id, hostname).await?;
    }
    Ok(hosts.len())
}

async fn said(act: &mut Act<'_>, draft: Draft, id: &str, hostname: &str) -> Result<(), Refused> {
    act.record(draft.target("host", id, hostname).host(id, hostname))
        .await
}
