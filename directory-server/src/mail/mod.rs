//! Mail to people: handed to a relay after the change is on disk, never waited for. A mail that
//! cannot be handed in is an event; the link in it can be handed out by other means.

use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::time::Duration;

use crate::act::Act;
use crate::audit::{Draft, Outcome, Severity};
use crate::config;
use crate::http::Origin;
use crate::state::AppState;

const TIMEOUT: Duration = Duration::from_secs(20);

type Relay = AsyncSmtpTransport<Tokio1Executor>;

/// Knows the relay, if there is one.
#[derive(Clone)]
pub struct Mailer(Option<(Relay, Mailbox)>);

/// A letter in plain text.
#[derive(Debug, Clone)]
pub struct Letter {
    /// To whom, as the directory has it.
    pub to: String,
    /// `usr_…` and login name, for the event when it fails.
    pub user: (String, String),
    /// One line.
    pub subject: String,
    /// The text.
    pub text: String,
}

/// Whether this names a relay.
#[must_use]
pub fn is_relay(text: &str) -> bool {
    relay(text).is_some()
}

/// Whether this is a mail address, with or without a name.
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

fn relay(text: &str) -> Option<AsyncSmtpTransportBuilder> {
    Relay::from_url(text).ok()
}

impl Mailer {
    /// With these settings; without any, nothing is sent.
    #[must_use]
    pub fn new(settings: Option<&config::Mail>) -> Self {
        Self(settings.and_then(|settings| {
            let relay = relay(settings.smtp.expose())?.timeout(Some(TIMEOUT));
            Some((relay.build(), settings.from.parse().ok()?))
        }))
    }

    /// Whether a letter to this address would be sent.
    #[must_use]
    pub fn reaches(&self, to: &str) -> bool {
        self.0.is_some() && is_address(to)
    }

    /// Sends.
    ///
    /// # Errors
    /// Why not, in words.
    pub async fn send(&self, letter: &Letter) -> Result<(), String> {
        let Some((relay, from)) = &self.0 else {
            return Err("no relay is set".to_owned());
        };
        let to: Mailbox = letter.to.parse().map_err(|_| "not a mail address")?;
        let message = Message::builder()
            .from(from.clone())
            .to(to)
            .subject(posix_names::clean_line(&letter.subject, 200))
            .header(ContentType::TEXT_PLAIN)
            .body(letter.text.clone())
            .map_err(|error| error.to_string())?;
        relay
            .send(message)
            .await
            .map(drop)
            .map_err(|error| error.to_string())
    }
}

/// Sends without waiting, and writes down when it fails.
pub fn post(state: &AppState, letter: Letter) {
    let state = state.clone();
    tokio::spawn(async move {
        let Err(why) = state.mailer.send(&letter).await else {
            return;
        };
        tracing::warn!(user = letter.user.1, why, "a mail was not sent");
        let origin = Origin::of_system(state.clock.now());
        let Ok(mut act) = Act::begin(&state, &origin).await else {
            return;
        };
        let draft = Draft::new("mail.failed")
            .target("user", &letter.user.0, &letter.user.1)
            .detail("why", why)
            .outcome(Outcome::Failure)
            .severity(Severity::Warning);
        if act.record(draft).await.is_ok() {
            let _ = act.finish_empty().await;
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn relays_and_addresses_are_told_from_other_texts() {
        assert!(is_relay("smtp://relay.example.org"));
        assert!(is_relay("smtps://u:p@relay.example.org:465"));
        assert!(!is_relay("http://relay.example.org"));
        assert!(is_address("cloudid <cloudid@example.org>"));
        assert!(!is_address("cloudid@example.org\r\nBcc: eve@example.org"));
    }
}
