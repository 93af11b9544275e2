//! `GET /who-can` and `/what-can`: who can log in to this host, and where can this person. The
//! engine that decides on hosts answers; nothing is concluded from tables.

use std::collections::HashMap;
use std::net::IpAddr;

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use directory_api::rest::{AccessibleHost, HostUser, Page, Time};
use jiff::Timestamp;
use policy::UserState;
use serde::Deserialize;
use sqlx::SqliteConnection;

use super::hosts::HostRow;
use super::reason_code;
use super::users::UserRow;
use crate::http::{Call, Filters, Refused};
use crate::reach::{Login, World};
use crate::state::AppState;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/who-can", get(who_can))
        .route("/what-can", get(what_can))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhoCan {
    host: String,
    service: Option<String>,
    source: Option<IpAddr>,
    at: Option<Time>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WhatCan {
    user: String,
    service: Option<String>,
    source: Option<IpAddr>,
    at: Option<Time>,
}

async fn who_can(
    State(state): State<AppState>,
    call: Call,
    Filters(asked): Filters<WhoCan>,
) -> Result<Json<Page<HostUser>>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let host = HostRow::find(&mut snapshot, &asked.host)
        .await
        .map_err(|refused| refused.field("host", "not_found"))?;
    let world = World::load(&mut snapshot).await?;
    let login = login(asked.service, asked.source, asked.at, &call).possible_only();
    users_of(&mut snapshot, &world, &host.id, &login)
        .await
        .map(Json)
}

async fn what_can(
    State(state): State<AppState>,
    call: Call,
    Filters(asked): Filters<WhatCan>,
) -> Result<Json<Page<AccessibleHost>>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let user = UserRow::find(&mut snapshot, &asked.user)
        .await
        .map_err(|refused| refused.field("user", "not_found"))?;
    let world = World::load(&mut snapshot).await?;
    let login = login(asked.service, asked.source, asked.at, &call).possible_only();
    Ok(Json(hosts_of(&world, &user.id, &login)))
}

fn login(service: Option<String>, source: Option<IpAddr>, at: Option<Time>, call: &Call) -> Login {
    let any = Login::by_ssh(call.now());
    Login {
        service: service.unwrap_or(any.service),
        source,
        at: at.map(|at| at.0),
        ..any
    }
}

/// The users whom some rule gives a host, with what would be said to them there.
pub(super) async fn users_of(
    database: &mut SqliteConnection,
    world: &World,
    host: &str,
    login: &Login,
) -> Result<Page<HostUser>, Refused> {
    let uids: HashMap<String, i64> = sqlx::query_as("SELECT id, uid FROM users")
        .fetch_all(database)
        .await?
        .into_iter()
        .collect();
    let host = world.hosts.iter().find(|known| known.id == host);
    let users = world.people.iter().filter_map(|person| {
        let decision = world.answer(person, host?, login)?;
        let state = match person.state {
            UserState::Active => "active",
            UserState::Suspended => "suspended",
            UserState::Staged | UserState::Deleted => return None,
        };
        Some(HostUser {
            id: person.id.clone(),
            username: person.username.clone(),
            uid: uids
                .get(&person.id)
                .and_then(|uid| u32::try_from(*uid).ok())?,
            state: state.to_owned(),
            allowed: decision.allowed,
            reason_code: reason_code(decision.reason),
            rule_ids: decision.rule_ids,
        })
    });
    Ok(whole(users.collect()))
}

/// The hosts where a login of this user works at this moment.
pub(crate) async fn reachable_hosts(
    state: &AppState,
    user: &str,
    now: Timestamp,
) -> Result<Vec<AccessibleHost>, Refused> {
    let mut snapshot = state.store.snapshot().await?;
    let world = World::load(&mut snapshot).await?;
    let hosts = hosts_of(&world, user, &Login::by_ssh(now)).items;
    Ok(hosts.into_iter().filter(|host| host.allowed).collect())
}

/// The hosts that some rule gives to a user, with what would be said there.
pub(super) fn hosts_of(world: &World, user: &str, login: &Login) -> Page<AccessibleHost> {
    let person = world.people.iter().find(|person| person.id == user);
    let hosts = world.hosts.iter().filter_map(|host| {
        let decision = world.answer(person?, host, login)?;
        Some(AccessibleHost {
            id: host.id.clone(),
            hostname: host.name.clone(),
            project: host.project.clone(),
            allowed: decision.allowed,
            reason_code: reason_code(decision.reason),
            sentence: decision.sentence,
            rule_ids: decision.rule_ids,
        })
    });
    whole(hosts.collect())
}

fn whole<T>(items: Vec<T>) -> Page<T> {
    Page {
        items,
        next_cursor: None,
        total: None,
    }
}
