//! What time alone brings about: ephemeral hosts that are gone retire, silent ones are told of,
//! passwords age.

use std::time::Duration;

use crate::act::Act;
use crate::ageing::{age_passwords, suspend_inactive};
use crate::audit::{Draft, Severity};
use crate::factors::forget_spent_codes;
use crate::http::{Origin, Refused};
use crate::presence::note_comings_and_goings;
use crate::state::AppState;

const EVERY: Duration = Duration::from_secs(60);

/// Looks after it for ever.
pub fn start(state: AppState) {
    tokio::spawn(async move {
        let listening_since = state.clock.now();
        loop {
            tokio::time::sleep(EVERY).await;
            if let Err(refused) = note_comings_and_goings(&state, listening_since).await {
                tracing::error!(why = refused.detail(), "silent hosts were not noted");
            }
            if let Err(refused) = age_passwords(&state).await {
                tracing::error!(why = refused.detail(), "old passwords were not marked");
            }
            if let Err(refused) = suspend_inactive(&state).await {
                tracing::error!(
                    why = refused.detail(),
                    "nobody was suspended for inactivity"
                );
            }
            if let Err(refused) = forget_spent_codes(&state).await {
                tracing::error!(why = refused.detail(), "spent codes were not forgotten");
            }
            if let Err(refused) = retire_gone_hosts(&state).await {
                tracing::error!(
                    why = refused.detail(),
                    "hosts that are gone were not retired"
                );
            }
        }
    });
}

/// Retires every ephemeral host that was not seen for as long as its token said. Returns how many.
///
/// # Errors
/// The database fails.
pub async fn retire_gone_hosts(state: &AppState) -> Result<usize, Refused> {
    let origin = Origin::of_system(state.clock.now());
    let mut act = Act::begin(state, &origin).await?;
    let gone: Vec<(String, String)> = sqlx::query_as(
        "SELECT id, hostname FROM hosts WHERE ephemeral = 1 AND state <> 'retired'
           AND COALESCE(last_seen, created_at) + gone_after_s * 1000 < $1",
    )
    .bind(act.now_ms())
    .fetch_all(act.database())
    .await?;
    for (id, hostname) in &gone {
        let now = act.now_ms();
        sqlx::query(
            "UPDATE hosts SET state = 'retired', updated_at = $2, version = version + 1
             WHERE id = $1",
        )
        .bind(id)
        .bind(now)
        .execute(act.database())
        .await?;
        let draft = Draft::new("host.retired").target("host", id, hostname);
        let draft = draft.host(id, hostname).detail("reason", "gone");
        act.record(draft.severity(Severity::Notice)).await?;
        act.touch_host(id);
    }
    if !gone.is_empty() {
        act.finish_empty().await?;
    }
    Ok(gone.len())
}
