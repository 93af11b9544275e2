//! Whose ids these are: names for files of people who have no rights on the asking host. Names of
//! deleted people stay known, because their files may.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use directory_api::agent::{OwnersAnswer, OwnersQuestion};

use super::HostChannel;
use super::caller::Caller;
use crate::http::{Body, Refused};

/// Ids in one question.
const IDS_MAX: usize = 256;
/// Questions of one host in a minute.
const QUESTIONS_PER_MINUTE: u32 = 120;

pub(super) async fn owners(
    caller: Caller,
    State(channel): State<HostChannel>,
    Body(question): Body<OwnersQuestion>,
) -> Result<Json<OwnersAnswer>, Refused> {
    if question.uids.len() + question.gids.len() > IDS_MAX {
        let detail = format!("At most {IDS_MAX} ids can be asked for at once.");
        return Err(Refused::invalid("uids", detail));
    }
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
        })?;
    let mut answer = OwnersAnswer::default();
    for uid in question.uids {
        let name = user(&channel, uid).await?;
        answer.users.extend(name.map(|name| (uid, name)));
    }
    for gid in question.gids {
        let name = match group(&channel, gid).await? {
            Some(name) => Some(name),
            // A private group has its owner's name and number.
            None => user(&channel, gid).await?,
        };
        answer.groups.extend(name.map(|name| (gid, name)));
    }
    Ok(Json(answer))
}

async fn user(channel: &HostChannel, uid: u32) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT username FROM users WHERE uid = $1 AND state <> 'staged'")
        .bind(i64::from(uid))
        .fetch_optional(channel.app.store.read())
        .await
}

async fn group(channel: &HostChannel, gid: u32) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar("SELECT name FROM groups WHERE gid = $1 AND unix = 1")
        .bind(i64::from(gid))
        .fetch_optional(channel.app.store.read())
        .await
}
