//! Second factors of people who log in at a host: checked and burnt here, once for the whole
//! organisation. A host may only ask about people who can reach it.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use directory_api::agent::{CodeCheck, CodeChecked};
use posix_names::folded;
use zeroize::Zeroizing;

use super::HostChannel;
use super::caller::Caller;
use crate::api::too_many;
use crate::api::users::UserRow;
use crate::factors::{self, Asked, Limit};
use crate::http::{Body, Refused};
use crate::reach::World;

/// Questions about codes of one host in a minute.
const TRIES_PER_HOST: u32 = 120;

pub(super) async fn check(
    caller: Caller,
    State(channel): State<HostChannel>,
    Body(check): Body<CodeCheck>,
) -> Result<Json<CodeChecked>, Refused> {
    let code = Zeroizing::new(check.code);
    let (app, now) = (&channel.app, caller.origin.now);
    channel
        .attempts
        .count(&format!("codes {}", caller.id), TRIES_PER_HOST, now)
        .map_err(|many| too_many(many.retry_after_s))?;
    let mut snapshot = app.store.snapshot().await?;
    let world = World::load(&mut snapshot).await?;
    let name = folded(&check.username);
    let host = world.hosts.iter().find(|host| host.id == caller.id);
    let person = world.people.iter().find(|person| person.username == name);
    let Some((host, person)) = host.zip(person) else {
        return Err(nobody());
    };
    let row = UserRow::find(&mut snapshot, &name).await?;
    if !world.could_reach(person, host) || row.state != "active" {
        return Err(nobody());
    }
    let place = (check.service.as_str(), check.source.parse().ok());
    let policy = factors::factors_at(&mut snapshot, Some(host), place).await?;
    drop(snapshot);
    let asked = Asked {
        user: (&row).into(),
        typed: &code,
        kinds: &policy.mfa_methods,
        limit: Limit {
            tries: policy.code_tries,
            lock_seconds: policy.code_lock_seconds,
        },
        service: &check.service,
        host: Some((&caller.id, &caller.hostname)),
    };
    let proven = factors::check(app, &caller.origin, asked).await?;
    Ok(Json(CodeChecked {
        kind: proven.kind,
        device: proven.device,
        step: proven.step,
        backup_codes_left: proven.backup_codes_left,
    }))
}

/// Strangers and people of other hosts answer like people without a factor.
fn nobody() -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        "mfa_not_enrolled",
        "This person has enrolled no second factor that counts here.",
    )
}
