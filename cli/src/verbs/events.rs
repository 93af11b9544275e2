//! What happened: the directory's chain of events, searched, followed and verified.

use std::time::Duration;

use clap::{Args, Subcommand};
use directory_api::rest::EventsVerified;
use futures_util::StreamExt;
use serde_json::Value;

use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;
use crate::moment;
use crate::output::Column;
use crate::verbs::objects;

const COLUMNS: &[Column] = &[
    ("SEQ", "/seq"),
    ("TIME", "/time"),
    ("TYPE", "/type"),
    ("OUTCOME", "/outcome"),
    ("ACTOR", "/actor/name"),
    ("TARGET", "/target/name"),
    ("HOST", "/host/name"),
    ("REASON", "/reason_code"),
];
const EVENT_BYTES_MAX: usize = 1024 * 1024;
const RECONNECT_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug, Subcommand)]
pub(crate) enum EventsVerb {
    /// The newest events; -f goes on as they come
    Tail(Tail),
    /// Find events
    Search(Search),
    /// Check the whole chain
    Verify,
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// Catalogue name, for example auth.login
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<String>,
    /// Who did it
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Whom it concerns
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Where
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// success, failure, denied or error
    #[arg(long)]
    outcome: Option<String>,
}

impl Filter {
    fn apply(&self, call: Call) -> Call {
        call.query_if("type", self.kind.as_ref())
            .query_if("actor", self.actor.as_ref())
            .query_if("user", self.user.as_ref())
            .query_if("host", self.host.as_ref())
            .query_if("outcome", self.outcome.as_ref())
    }
}

#[derive(Debug, Args)]
pub(crate) struct Tail {
    #[command(flatten)]
    filter: Filter,
    /// Go on as events come, until interrupted
    #[arg(short, long)]
    follow: bool,
    /// How many of the newest
    #[arg(short = 'n', long, default_value_t = 20, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=200))]
    lines: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Search {
    #[command(flatten)]
    filter: Filter,
    /// Text to be found anywhere in an event
    text: Option<String>,
    #[arg(long, value_name = "TIME")]
    from: Option<String>,
    #[arg(long, value_name = "TIME")]
    to: Option<String>,
}

pub(crate) async fn run(verb: EventsVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        EventsVerb::Tail(arguments) => tail(&arguments, context).await,
        EventsVerb::Search(arguments) => search(arguments, context).await,
        EventsVerb::Verify => verify(context).await,
    }
}

async fn search(arguments: Search, context: &Context) -> Result<(), Failure> {
    let moment = |option, text: Option<String>| {
        text.map(|text| moment::read(context, option, &text).map(|time| time.to_string()))
            .transpose()
    };
    let from = moment("--from", arguments.from)?;
    let to = moment("--to", arguments.to)?;
    let call = arguments
        .filter
        .apply(Call::get(&["events"]))
        .query_if("q", arguments.text.as_ref())
        .query_if("from", from.as_ref())
        .query_if("to", to.as_ref());
    objects::list(call, COLUMNS, context).await
}

async fn verify(context: &Context) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
    let answer = directory.call(Call::get(&["events", "verify"])).await?;
    context.output.object(&answer.body)?;
    match serde_json::from_value::<EventsVerified>(answer.body) {
        Ok(verified) if verified.intact => Ok(()),
        Ok(verified) => Err(Failure::failed("the chain of events is not intact")
            .because(verified.problem.unwrap_or_default())
            .next("keep the database as it is and compare it with the newest backup")),
        Err(_) => Err(Failure::failed(
            "the answer of the directory cannot be understood",
        )),
    }
}

async fn tail(arguments: &Tail, context: &Context) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
    let newest = arguments
        .filter
        .apply(Call::get(&["events"]))
        .query("limit", arguments.lines.to_string());
    let page: directory_api::rest::Page<Value> = directory.ask(newest).await?;
    let mut events = page.items;
    events.reverse();
    let mut last = events.last().and_then(place);
    context.output.list(COLUMNS, &events)?;
    if !arguments.follow {
        return Ok(());
    }
    loop {
        follow(&directory, &arguments.filter, &mut last, context).await?;
        context.output.say("The stream ended; connecting again.");
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

/// Reads the stream until it ends. `last` remembers the place, so that nothing is lost between
/// two connections.
async fn follow(
    directory: &Directory,
    filter: &Filter,
    last: &mut Option<String>,
    context: &Context,
) -> Result<(), Failure> {
    let mut call = filter.apply(Call::get(&["events", "stream"]));
    call = call.header("accept", "text/event-stream");
    if let Some(last) = last {
        call = call.header("last-event-id", last);
    }
    let mut stream = directory.send(&call).await?.bytes_stream();
    let mut waiting = Vec::new();
    while let Some(Ok(bytes)) = stream.next().await {
        waiting.extend_from_slice(&bytes);
        while let Some(end) = waiting.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            if let Some(event) = event_of(&line) {
                *last = place(&event);
                context.output.stream_item(COLUMNS, &event)?;
            }
        }
        if waiting.len() > EVENT_BYTES_MAX {
            return Err(Failure::failed("the stream of events cannot be understood"));
        }
    }
    Ok(())
}

/// Number of an event in the chain, by which the stream goes on after it.
fn place(event: &Value) -> Option<String> {
    event
        .get("seq")
        .and_then(Value::as_u64)
        .map(|seq| seq.to_string())
}

/// The directory sends each event as one `data:` line; everything else of the stream is for
/// keeping it alive.
fn event_of(line: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(line).ok()?.trim_end();
    let event: Value = serde_json::from_str(text.strip_prefix("data:")?.trim_start()).ok()?;
    event.get("id").is_some().then_some(event)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_events_are_taken_from_the_stream() {
        assert_eq!(
            event_of(b"data: {\"id\":\"evt_1\"}\r\n").unwrap(),
            serde_json::json!({"id": "evt_1"})
        );
        for other in [
            &b": ping\n"[..],
            b"\n",
            b"event: ping\n",
            b"data: 1\n",
            b"data: {}\n",
            b"\xff\n",
        ] {
            assert_eq!(event_of(other), None);
        }
    }
}
