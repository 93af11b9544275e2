//! Whose ids and names these are: for files of people who have no rights on the asking host. Names
//! of deleted people stay known, because their files may.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use directory_api::agent::{OwnersAnswer, OwnersQuestion};
use sqlx::{Encode, QueryBuilder, Sqlite, Type};

use super::HostChannel;
use super::caller::Caller;
use crate::http::{Body, Refused};

/// Ids and names in one question.
const ASKED_MAX: usize = 256;
/// Questions of one host in a minute.
const QUESTIONS_PER_MINUTE: u32 = 120;

const USERS: &str = "SELECT uid, username FROM users WHERE state <> 'staged' AND ";
const GROUPS: &str = "SELECT gid, name FROM groups WHERE unix = 1 AND ";

pub(super) async fn owners(
    caller: Caller,
    State(channel): State<HostChannel>,
    Body(question): Body<OwnersQuestion>,
) -> Result<Json<OwnersAnswer>, Refused> {
    let OwnersQuestion {
        uids,
        gids,
        user_names,
        group_names,
    } = question;
    if uids.len() + gids.len() + user_names.len() + group_names.len() > ASKED_MAX {
        let detail = format!("At most {ASKED_MAX} ids and names can be asked for at once.");
        return Err(Refused::invalid("uids", detail));
    }
    admit(&channel, &caller)?;
    let mut users = named(&channel, USERS, "uid", uids).await?;
    users.extend(named(&channel, USERS, "username", user_names).await?);
    let mut groups = named(&channel, GROUPS, "gid", gids.clone()).await?;
    groups.extend(named(&channel, GROUPS, "name", group_names.clone()).await?);
    // A private group has its owner's name and number; a group of that number or name comes first.
    let gids = gids.into_iter();
    let gids = gids.filter(|gid| groups.iter().all(|(found, _)| found != gid));
    let mut private = named(&channel, USERS, "uid", gids.collect()).await?;
    let names = group_names.into_iter();
    let names = names.filter(|name| groups.iter().all(|(_, found)| found != name));
    private.extend(named(&channel, USERS, "username", names.collect()).await?);
    groups.extend(private);
    Ok(Json(OwnersAnswer { users, groups }))
}

fn admit(channel: &HostChannel, caller: &Caller) -> Result<(), Refused> {
    let counted = format!("owners {}", caller.id);
    let now = channel.app.clock.now();
    channel
        .attempts
        .count(&counted, QUESTIONS_PER_MINUTE, now)
        .map_err(|too_many| {
            Refused::new(
                StatusCode::TOO_MANY_REQUESTS,
                "rate_limited",
                "This host asks too much.",
            )
            .retry_after(too_many.retry_after_s)
        })
}

/// Number and name of those whose column is one of the values.
async fn named<T>(
    channel: &HostChannel,
    select: &'static str,
    column: &'static str,
    values: Vec<T>,
) -> Result<Vec<(u32, String)>, sqlx::Error>
where
    T: Send + for<'a> Encode<'a, Sqlite> + Type<Sqlite> + 'static,
{
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::<Sqlite>::new(select);
    query.push(column).push(" IN (");
    let mut list = query.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    query.push(") ORDER BY 1");
    query
        .build_query_as()
        .fetch_all(channel.app.store.read())
        .await
}
