//! The push stream: server-sent events, each line bounded. Revocations are applied as they come;
//! a newer manifest only wakes the round, so that nothing waits behind a download.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use directory_api::agent::stream::{FAST, MANIFEST, PING, TIME};

use super::client::{CallError, DirectoryClient};
use super::round::acknowledge;
use crate::cacher::Cacher;
use crate::events::Event;

/// Longest line of the stream; a signed message is at most 4 KiB before base64.
const LINE_BYTES_MAX: usize = 16 * 1024;

/// Follows the stream until it ends.
///
/// # Errors
/// Why it ended.
pub(super) async fn follow(
    cacher: &Arc<Cacher>,
    client: &DirectoryClient,
) -> Result<(), CallError> {
    let mut response = client.stream(cacher.fast_lane_sequence().await).await?;
    let kind = response
        .headers()
        .get("content-type")
        .map(|kind| kind.as_bytes().to_vec());
    if !kind.is_some_and(|kind| kind.starts_with(b"text/event-stream")) {
        return Err(CallError::Nonsense("not an event stream".to_owned()));
    }
    cacher.come_online();
    cacher.wake.notify_one();
    let mut parser = Parser::default();
    loop {
        let part = response.chunk().await;
        let part = part.map_err(|error| CallError::Away(error.without_url().to_string()))?;
        let Some(part) = part else { return Ok(()) };
        if cacher.health().cloned {
            return Err(CallError::Away(
                "another machine has this identity".to_owned(),
            ));
        }
        for message in parser.take(&part)? {
            handle(cacher, client, message).await;
        }
    }
}

async fn handle(cacher: &Arc<Cacher>, client: &DirectoryClient, message: Message) {
    // What comes by itself says that the directory is heard, not that it hears: it is asked.
    if !cacher.online() {
        cacher.wake.notify_one();
    }
    match message.event.as_str() {
        MANIFEST => cacher.wake.notify_one(),
        FAST => fast(cacher, client, &message.data).await,
        TIME => time(cacher, &message.data).await,
        PING => {}
        other => tracing::debug!(event = %posix_names::clean_line(other, 64), "not known"),
    }
}

/// A revocation: durable, in force, sessions ended, said so; in this order.
async fn fast(cacher: &Arc<Cacher>, client: &DirectoryClient, data: &str) {
    let begun = cacher.since_boot();
    let Ok(signed) = BASE64_STANDARD.decode(data) else {
        tracing::warn!("a fast-lane message is not base64");
        return;
    };
    let revoked = match cacher
        .with_mirror(move |mirror| mirror.revoke(&signed))
        .await
    {
        Ok(revoked) => revoked,
        Err(error) => {
            // One that was taken in before comes again after every reconnection.
            tracing::info!(%error, "fast-lane message not taken in");
            return;
        }
    };
    if let Some(verb) = &revoked.unknown_verb {
        let event = Event::new("bundle.refused", "denied")
            .detail("why", "unknown_verb")
            .detail("detail", verb.as_str());
        cacher.record(event).await;
    }
    if revoked.user.is_some() {
        cacher.apply().await;
    }
    // The next message must not wait until the processes of this one have ended.
    let (cacher, client) = (Arc::clone(cacher), client.clone());
    tokio::spawn(async move {
        if let Some(user) = &revoked.user {
            cacher.end_sessions_of(user, begun, "suspended").await;
        }
        acknowledge(&cacher, &client, None).await;
        cacher.wake.notify_one();
    });
}

async fn time(cacher: &Cacher, data: &str) {
    let Ok(signed) = BASE64_STANDARD.decode(data) else {
        return;
    };
    match cacher
        .with_mirror(move |mirror| mirror.signed_time(&signed))
        .await
    {
        Ok(time) => cacher.learn_time(time).await,
        Err(error) => tracing::warn!(%error, "signed time not believed"),
    }
}

/// One event of the stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Message {
    event: String,
    data: String,
}

/// Puts lines together from whatever parts they arrive in.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    message: Message,
}

impl Parser {
    fn take(&mut self, part: &[u8]) -> Result<Vec<Message>, CallError> {
        let mut messages = Vec::new();
        for byte in part {
            match byte {
                b'\n' => messages.extend(self.end_of_line()?),
                b'\r' => {}
                byte if self.line.len() < LINE_BYTES_MAX => self.line.push(*byte),
                _ => return Err(CallError::TooLong(LINE_BYTES_MAX)),
            }
        }
        Ok(messages)
    }

    fn end_of_line(&mut self) -> Result<Option<Message>, CallError> {
        let line = String::from_utf8(std::mem::take(&mut self.line))
            .map_err(|_| CallError::Nonsense("the stream is not text".to_owned()))?;
        if line.is_empty() {
            let message = std::mem::take(&mut self.message);
            return Ok((!message.event.is_empty()).then_some(message));
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.message.event),
            "data" if self.message.data.len() + value.len() <= LINE_BYTES_MAX => {
                self.message.data.push_str(value);
            }
            "data" => return Err(CallError::TooLong(LINE_BYTES_MAX)),
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_whole_whatever_parts_they_arrive_in() {
        let text = b": hello\r\nevent: manifest\r\ndata: 42\r\n\r\nevent:ping\ndata:\n\n\n";
        for size in 1..=text.len() {
            let mut parser = Parser::default();
            let messages: Vec<Message> = text
                .chunks(size)
                .flat_map(|part| parser.take(part).unwrap())
                .collect();
            assert_eq!(messages.len(), 2, "parts of {size}");
            assert_eq!(messages[0].event, "manifest");
            assert_eq!(messages[0].data, "42");
        }
    }

    #[test]
    fn syn_02_an_endless_line_ends_the_stream() {
        let mut parser = Parser::default();
        assert!(parser.take(&vec![b'x'; LINE_BYTES_MAX + 1]).is_err());
        let mut parser = Parser::default();
        let many = "data: 0123456789\n".repeat(10_000);
        assert!(parser.take(many.as_bytes()).is_err());
    }
}
