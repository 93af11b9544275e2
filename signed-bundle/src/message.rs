//! Small signed messages on the push stream: revocations of the fast lane, and the time.

use jiff::Timestamp;
use jiff::fmt::serde::timestamp::millisecond::required as milliseconds;
use serde::{Deserialize, Serialize};

use crate::envelope::{self, Kind};
use crate::key::SigningKey;
use crate::limits::MESSAGE_BYTES_MAX;
use crate::refusal::{DirectoryFault, Refusal};
use crate::root::RootDocument;

const SUSPEND_USER: &str = "suspend_user";

/// A message to every host of the organisation, in force at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FastMessage {
    /// `org_…`
    pub organisation: String,
    /// Strictly increasing in the organisation.
    pub sequence: u64,
    /// When it was signed.
    pub issued: Timestamp,
    /// What to do.
    pub action: FastAction,
}

/// What a fast-lane message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FastAction {
    /// The user is suspended; it sticks until a manifest contains this message.
    SuspendUser {
        /// `usr_…`
        user: String,
    },
    /// A verb this version does not know: ignored and reported.
    Unknown {
        /// The verb.
        verb: String,
    },
}

#[derive(Serialize, Deserialize)]
struct FastWire {
    organisation: String,
    sequence: u64,
    #[serde(with = "milliseconds")]
    issued: Timestamp,
    verb: String,
    subject: String,
}

#[derive(Serialize, Deserialize)]
struct TimeWire {
    organisation: String,
    #[serde(with = "milliseconds")]
    time: Timestamp,
}

/// Signs a fast-lane message.
#[must_use]
pub fn sign_fast_message(message: &FastMessage, key: &SigningKey) -> Vec<u8> {
    let (verb, subject) = match &message.action {
        FastAction::SuspendUser { user } => (SUSPEND_USER, user.as_str()),
        FastAction::Unknown { verb } => (verb.as_str(), ""),
    };
    let wire = FastWire {
        organisation: message.organisation.clone(),
        sequence: message.sequence,
        issued: message.issued,
        verb: verb.to_owned(),
        subject: subject.to_owned(),
    };
    envelope::sign(Kind::FastMessage, &envelope::encode(&wire), &[key])
}

/// Opens a fast-lane message. Its age does not matter: a revocation holds however late it comes.
///
/// # Errors
/// Not signed for this, made for another organisation, or its sequence is not above
/// `after_sequence`.
pub fn open_fast_message(
    bytes: &[u8],
    root: &RootDocument,
    organisation: &str,
    after_sequence: u64,
) -> Result<FastMessage, Refusal> {
    let wire: FastWire = opened(bytes, Kind::FastMessage, "fast-lane message", root)?;
    addressed(&wire.organisation, organisation)?;
    if wire.sequence <= after_sequence {
        return Err(DirectoryFault::Older {
            held: after_sequence,
            offered: wire.sequence,
        }
        .into());
    }
    let action = match wire.verb.as_str() {
        SUSPEND_USER => FastAction::SuspendUser { user: wire.subject },
        _ => FastAction::Unknown { verb: wire.verb },
    };
    Ok(FastMessage {
        organisation: wire.organisation,
        sequence: wire.sequence,
        issued: wire.issued,
        action,
    })
}

/// Signs the time.
#[must_use]
pub fn sign_time(organisation: &str, time: Timestamp, key: &SigningKey) -> Vec<u8> {
    let wire = TimeWire {
        organisation: organisation.to_owned(),
        time,
    };
    envelope::sign(Kind::Time, &envelope::encode(&wire), &[key])
}

/// Opens a signed time.
///
/// # Errors
/// Not signed for this, or made for another organisation.
pub fn open_signed_time(
    bytes: &[u8],
    root: &RootDocument,
    organisation: &str,
) -> Result<Timestamp, Refusal> {
    let wire: TimeWire = opened(bytes, Kind::Time, "signed time", root)?;
    addressed(&wire.organisation, organisation)?;
    Ok(wire.time)
}

fn opened<T: serde::de::DeserializeOwned>(
    bytes: &[u8],
    kind: Kind,
    what: &'static str,
    root: &RootDocument,
) -> Result<T, Refusal> {
    let envelope = envelope::open(bytes, what, MESSAGE_BYTES_MAX)?;
    envelope.require_role(kind, &root.bundle, &root.root)?;
    envelope::decode(envelope.payload, what)
}

fn addressed(found: &str, organisation: &str) -> Result<(), Refusal> {
    if found == organisation {
        Ok(())
    } else {
        Err(DirectoryFault::Organisation(found.to_owned()).into())
    }
}
