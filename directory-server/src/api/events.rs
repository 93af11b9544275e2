//! `/events`.

use std::convert::Infallible;
use std::net::IpAddr;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::routing::get;
use axum::{Json, Router};
use directory_api::rest::{Event, EventsVerified, Time};
use futures_util::Stream;
use futures_util::stream;
use serde::Deserialize;

use crate::audit::{self, Search};
use crate::http::{Asked, Call, Caller, Filters, Refused};
use crate::state::AppState;

const LOOKED_FOR_EVERY: Duration = Duration::from_secs(1);
const KEPT_ALIVE_EVERY: Duration = Duration::from_secs(15);
const BATCH: u32 = 100;

pub(super) fn router() -> Router<AppState> {
    Router::new()
        .route("/events", get(list))
        .route("/events/verify", get(verify))
        .route("/events/stream", get(follow))
        .route("/events/{id}", get(show))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    from: Option<Time>,
    to: Option<Time>,
    #[serde(rename = "type")]
    kind: Option<String>,
    actor: Option<String>,
    user: Option<String>,
    host: Option<String>,
    outcome: Option<String>,
    ip: Option<IpAddr>,
    q: Option<String>,
}

impl Wanted {
    fn search(&self) -> Search {
        Search {
            from: self.from.map(Time::as_millisecond),
            to: self.to.map(Time::as_millisecond),
            kind: self.kind.clone(),
            actor: self.actor.clone(),
            target: self.user.clone(),
            host: self.host.clone(),
            outcome: self.outcome.clone(),
            address: self.ip.map(|address| address.to_canonical().to_string()),
            text: self.q.clone(),
            ..Search::default()
        }
    }
}

/// Newest first, unless asked otherwise.
async fn list(State(state): State<AppState>, asked: Asked<Wanted>) -> Result<Response, Refused> {
    let search = asked.wanted.search();
    let mut snapshot = state.store.snapshot().await?;
    Ok(asked.answer(audit::page(&mut snapshot, &asked, &search).await?))
}

async fn show(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<Event>, Refused> {
    audit::by_id(state.store.read(), &id)
        .await?
        .map(Json)
        .ok_or_else(|| Refused::not_found("event"))
}

async fn verify(State(state): State<AppState>) -> Result<Json<EventsVerified>, Refused> {
    audit::verify(state.store.read()).await.map(Json)
}

/// Every event from now on, or from `Last-Event-ID` on.
async fn follow(
    State(state): State<AppState>,
    call: Call,
    headers: HeaderMap,
    Filters(wanted): Filters<Wanted>,
) -> Result<Sse<impl Stream<Item = Result<Sent, Infallible>>>, Refused> {
    let last = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let after = match last.map(str::parse) {
        Some(Ok(seq)) => seq,
        Some(Err(_)) => return Err(Refused::malformed("Last-Event-ID is a number.")),
        None => audit::newest_seq(state.store.read()).await?,
    };
    let search = Search {
        after: Some(after),
        ..wanted.search()
    };
    let keep_alive = KeepAlive::new().interval(KEPT_ALIVE_EVERY);
    Ok(Sse::new(stream_of(state, call.caller, search)).keep_alive(keep_alive))
}

/// Ends when the caller is suspended, signed out or without the role they came with.
fn stream_of(
    state: AppState,
    caller: Caller,
    search: Search,
) -> impl Stream<Item = Result<Sent, Infallible>> {
    let start = (state, search, std::collections::VecDeque::<Event>::new());
    stream::unfold((start, caller), |(start, caller)| async move {
        let (state, mut search, mut waiting) = start;
        loop {
            if let Some(event) = waiting.pop_front() {
                search.after = i64::try_from(event.seq).ok();
                let sent = Sent::default().id(event.seq.to_string()).event(&event.kind);
                let text = serde_json::to_string(&event).unwrap_or_default();
                return Some((Ok(sent.data(text)), ((state, search, waiting), caller)));
            }
            match next(&state, &caller, &search).await {
                Ok(Some(events)) if events.is_empty() => {
                    tokio::time::sleep(LOOKED_FOR_EVERY).await;
                }
                Ok(Some(events)) => waiting.extend(events),
                Ok(None) | Err(_) => return None,
            }
        }
    })
}

/// The next events, or nothing for who may not see them any more.
async fn next(
    state: &AppState,
    caller: &Caller,
    search: &Search,
) -> Result<Option<Vec<Event>>, Refused> {
    let mut database = state.store.read().acquire().await?;
    if !caller
        .still_stands(&mut database, state.clock.now())
        .await?
    {
        return Ok(None);
    }
    drop(database);
    Ok(Some(
        audit::search(state.store.read(), search, BATCH).await?,
    ))
}
