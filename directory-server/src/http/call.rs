//! What a call brings besides its body: who makes it, from where, on which version, and whether it
//! is meant or only tried.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use directory_api::rest::EventObject;
use jiff::Timestamp;

use super::idempotency::IdempotencyKey;
use super::{Caller, Refused, RequestId};
use crate::state::AppState;
use crate::tls::RemoteAddress;

/// Where an act comes from; all of it goes into the audit.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Who acts.
    pub actor: EventObject,
    /// Address of the caller.
    pub source: Option<IpAddr>,
    /// Id of the request.
    pub request_id: String,
    /// The moment.
    pub now: Timestamp,
    /// Only tried: nothing is written.
    pub dry_run: bool,
    /// For repeats.
    pub idempotency: Option<IdempotencyKey>,
    /// Who is signed in; asked again when the change begins.
    pub caller: Option<Caller>,
}

impl Origin {
    /// For what the directory does by itself.
    #[must_use]
    pub fn of_system(now: Timestamp) -> Self {
        Self {
            actor: EventObject {
                kind: "system".to_owned(),
                ..EventObject::default()
            },
            source: None,
            request_id: String::new(),
            now,
            dry_run: false,
            idempotency: None,
            caller: None,
        }
    }

    /// For what must be written down whatever becomes of the call: neither tried nor repeated.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self {
            dry_run: false,
            idempotency: None,
            ..self.clone()
        }
    }
}

/// A call by somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Call {
    /// Who.
    pub caller: Caller,
    /// From where.
    pub origin: Origin,
    if_match: Option<String>,
}

/// A call by a stranger.
#[derive(Debug, Clone)]
pub struct Visit(pub Origin);

impl Call {
    /// Refuses a change of something the caller has not seen in its present version.
    ///
    /// # Errors
    /// 428 without `If-Match`, 412 with that of another version.
    pub fn require_version(&self, version: i64) -> Result<(), Refused> {
        let newest = etag(version);
        match self.if_match.as_deref() {
            Some(given) if given == newest || given == "*" => Ok(()),
            Some(_) => Err(Refused::new(
                StatusCode::PRECONDITION_FAILED,
                "etag_stale",
                "Somebody has changed this since you read it.",
            )
            .hint("Read it again and repeat the change.")),
            None => Err(Refused::new(
                StatusCode::PRECONDITION_REQUIRED,
                "etag_required",
                "This changes who can log in. Send If-Match with the version you read.",
            )
            .hint("GET the object and repeat with If-Match: and its ETag.")),
        }
    }

    /// The same where `If-Match` may be absent.
    ///
    /// # Errors
    /// 412 with the `If-Match` of another version.
    pub fn check_version(&self, version: i64) -> Result<(), Refused> {
        match self.if_match {
            Some(_) => self.require_version(version),
            None => Ok(()),
        }
    }

    /// The moment of the call.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.origin.now
    }

    /// The same in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.origin.now.as_millisecond()
    }
}

/// The `ETag` of a version.
#[must_use]
pub fn etag(version: i64) -> String {
    format!("\"{version}\"")
}

impl FromRequestParts<AppState> for Call {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refused> {
        let caller = parts.extensions.get::<Caller>().cloned().ok_or_else(|| {
            Refused::new(
                StatusCode::UNAUTHORIZED,
                "unauthenticated",
                "This call needs a valid session or token.",
            )
        })?;
        let actor = EventObject {
            kind: if caller.scopes.is_some() {
                "token"
            } else {
                "user"
            }
            .to_owned(),
            id: caller.user_id.clone(),
            name: caller.username.clone(),
        };
        let if_match = parts.headers.get(header::IF_MATCH);
        let if_match = if_match
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned);
        Ok(Self {
            origin: origin(parts, state, actor)?,
            caller,
            if_match,
        })
    }
}

impl FromRequestParts<AppState> for Visit {
    type Rejection = Refused;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Refused> {
        let actor = EventObject {
            kind: "anonymous".to_owned(),
            ..EventObject::default()
        };
        let mut origin = origin(parts, state, actor)?;
        // A try to sign in is counted, whatever the visitor calls it.
        origin.dry_run = false;
        Ok(Self(origin))
    }
}

fn origin(parts: &Parts, state: &AppState, actor: EventObject) -> Result<Origin, Refused> {
    let request_id = parts.extensions.get::<RequestId>();
    let source = parts.extensions.get::<RemoteAddress>();
    Ok(Origin {
        actor,
        source: source.map(|address| address.0.ip().to_canonical()),
        request_id: request_id.map_or_else(String::new, |id| id.0.clone()),
        now: state.clock.now(),
        dry_run: dry_run(parts.uri.query().unwrap_or_default())?,
        idempotency: parts.extensions.get::<IdempotencyKey>().cloned(),
        caller: parts.extensions.get::<Caller>().cloned(),
    })
}

/// A trial must never become an act: the query is read as every other reader of addresses reads it,
/// and a name or a word that is nearly right is refused.
fn dry_run(query: &str) -> Result<bool, Refused> {
    let unclear = || Refused::malformed("dry_run must be written so, and be true or false.");
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).map_err(|_| unclear())?;
    let mut wanted = false;
    for (name, word) in pairs {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        if !letters
            .map(|letter| letter.to_ascii_lowercase())
            .eq("dryrun".chars())
        {
            continue;
        }
        match (name.as_str(), word.as_str()) {
            ("dry_run", "true") => wanted = true,
            ("dry_run", "false") => {}
            _ => return Err(unclear()),
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_is_a_trial_however_its_query_is_written() {
        for query in [
            "dry_run=true",
            "dry%5Frun=true",
            "a=b&dry_run=%74rue",
            "dry%5frun=tru%65&x",
        ] {
            assert!(dry_run(query).unwrap(), "{query}");
        }
        for query in ["", "dry_run=false", "limit=5", "name=dry_run"] {
            assert!(!dry_run(query).unwrap(), "{query}");
        }
    }

    #[test]
    fn a_trial_that_is_not_clearly_one_is_refused() {
        for query in [
            "dry_run",
            "dry_run=",
            "dry_run=1",
            "dry_run=TRUE",
            "dry_run=true&dry_run=yes",
            "dry-run=true",
            "Dry_Run=true",
            "dryrun=true",
            "dry_run[]=true",
            "%20dry_run=true",
        ] {
            assert!(dry_run(query).is_err(), "{query}");
        }
    }
}
