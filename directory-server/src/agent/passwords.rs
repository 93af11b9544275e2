//! Passwords of people who sit at a host: changed, or compared where the host has no verifier. A
//! try at a host counts like any other, and a host may only ask about people who can reach it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use directory_api::agent::{PasswordChange, PasswordCheck};
use posix_names::folded;
use zeroize::Zeroizing;

use super::HostChannel;
use super::caller::Caller;
use crate::act::Act;
use crate::api::users::{UserRow, store_chosen};
use crate::api::{noted_try, too_many};
use crate::http::{Body, Refused};
use crate::password::{Checked, Wish, verifier_for};
use crate::reach::World;

/// Questions about passwords of one host in a minute.
const TRIES_PER_HOST: u32 = 60;

pub(super) async fn verify(
    caller: Caller,
    State(channel): State<HostChannel>,
    Body(check): Body<PasswordCheck>,
) -> Result<Response, Refused> {
    let password = Zeroizing::new(check.password);
    let user = proven(&channel, &caller, &check.username, &password).await?;
    let mut act = Act::begin(&channel.app, &caller.origin).await?;
    sqlx::query("UPDATE users SET failed_logins = 0, first_failed_at = NULL WHERE id = $1")
        .bind(&user.id)
        .execute(act.database())
        .await?;
    act.finish_empty().await
}

pub(super) async fn change(
    caller: Caller,
    State(channel): State<HostChannel>,
    Body(change): Body<PasswordChange>,
) -> Result<Response, Refused> {
    let (old, new) = (Zeroizing::new(change.old), Zeroizing::new(change.new));
    let user = proven(&channel, &caller, &change.username, &old).await?;
    if old == new {
        return Err(Refused::invalid("new", "The new password is the old one."));
    }
    let app = &channel.app;
    let wish = Wish {
        user: &user.id,
        names: &user.names(),
        password: &new,
    };
    let verifier = verifier_for(app, wish).await?;
    let mut act = Act::begin(app, &caller.origin).await?;
    // Suspended, or given another password, while the old one was compared.
    let row = UserRow::find(act.database(), &user.username).await?;
    if !row.may_sign_in(act.now_ms()) || row.password_verifier != user.password_verifier {
        return Err(wrong());
    }
    let host = (caller.id.as_str(), caller.hostname.as_str());
    store_chosen(&mut act, &user, (&verifier, ""), Some(host)).await?;
    act.finish_empty().await
}

/// The user whose password this is. Strangers, people who cannot reach the host, and wrong
/// passwords cost and answer the same.
async fn proven(
    channel: &HostChannel,
    caller: &Caller,
    name: &str,
    password: &str,
) -> Result<UserRow, Refused> {
    let (app, now) = (&channel.app, caller.origin.now);
    let name = folded(name);
    channel
        .attempts
        .count(&format!("passwords {}", caller.id), TRIES_PER_HOST, now)
        .map_err(|many| too_many(many.retry_after_s))?;
    // A try counts only for people of this host: no host can lock out those of others.
    let user = if can_reach(channel, caller, &name).await? {
        app.logins_by_account.take(&name, now).map_err(too_many)?;
        noted_try(app, &caller.origin, &name).await?
    } else {
        None
    };
    let verifier = user
        .as_ref()
        .and_then(|user| user.password_verifier.clone());
    let checked = app.passwords.compare(verifier, password).await?;
    user.filter(|_| checked == Checked::Right).ok_or_else(wrong)
}

async fn can_reach(channel: &HostChannel, caller: &Caller, name: &str) -> Result<bool, Refused> {
    let mut snapshot = channel.app.store.snapshot().await?;
    let world = World::load(&mut snapshot).await?;
    let person = world.people.iter().find(|person| person.username == name);
    let host = world.hosts.iter().find(|host| host.id == caller.id);
    Ok(person
        .zip(host)
        .is_some_and(|(person, host)| world.could_reach(person, host)))
}

fn wrong() -> Refused {
    Refused::new(
        StatusCode::FORBIDDEN,
        "password_wrong",
        "The password is wrong, or the account cannot sign in now.",
    )
}
