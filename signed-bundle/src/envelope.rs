//! The signed envelope around every document: a format byte, the payload and signatures over
//! the payload under the name of its kind. One place signs, one place counts signatures.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::key::{ED25519, KeyId, PublicKey, SigningKey};
use crate::limits::SIGNATURES_MAX;
use crate::refusal::{DirectoryFault, Refusal};
use crate::root::Role;

const FORMAT: u8 = 1;

/// What a signature is about. A signature under one kind says nothing under another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Root,
    Manifest,
    FastMessage,
    Time,
}

impl Kind {
    fn domain(self) -> &'static [u8] {
        match self {
            Self::Root => b"cloudid-root-v1\0",
            Self::Manifest => b"cloudid-manifest-v1\0",
            Self::FastMessage => b"cloudid-fast-message-v1\0",
            Self::Time => b"cloudid-time-v1\0",
        }
    }
}

/// A document whose signatures have not been looked at yet.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Envelope<'a> {
    pub(crate) payload: &'a [u8],
    #[serde(borrow)]
    signatures: Vec<Signature<'a>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Signature<'a> {
    algorithm: u8,
    key: KeyId,
    bytes: &'a [u8],
}

/// Signs a payload with each key.
pub(crate) fn sign(kind: Kind, payload: &[u8], keys: &[&SigningKey]) -> Vec<u8> {
    let message = message(kind, payload);
    let made: Vec<_> = keys
        .iter()
        .map(|key| (key.public().id(), key.sign(&message)))
        .collect();
    let signatures = made
        .iter()
        .map(|(key, bytes)| Signature {
            algorithm: ED25519,
            key: *key,
            bytes,
        })
        .collect();
    encode(&Envelope {
        payload,
        signatures,
    })
}

/// Takes an envelope apart. `most` bounds the whole.
pub(crate) fn open<'a>(
    bytes: &'a [u8],
    what: &'static str,
    most: usize,
) -> Result<Envelope<'a>, Refusal> {
    within(what, bytes.len(), most)?;
    let envelope: Envelope<'a> = decode_borrowed(bytes, what)?;
    if envelope.signatures.len() > SIGNATURES_MAX {
        return Err(DirectoryFault::Malformed("too many signatures").into());
    }
    Ok(envelope)
}

impl Envelope<'_> {
    /// Requires valid signatures of as many distinct keys of the role as its threshold says.
    pub(crate) fn require(&self, kind: Kind, role: &Role) -> Result<(), Refusal> {
        let message = message(kind, self.payload);
        let mut signers: BTreeSet<PublicKey> = BTreeSet::new();
        for signature in &self.signatures {
            if signature.algorithm != ED25519 {
                return Err(DirectoryFault::Algorithm(signature.algorithm).into());
            }
            let Ok(bytes) = signature.bytes.try_into() else {
                return Err(DirectoryFault::Malformed("signature").into());
            };
            let by = role
                .keys
                .iter()
                .find(|key| key.id() == signature.key && key.verifies(&message, bytes));
            signers.extend(by.copied());
        }
        let needed = usize::try_from(role.threshold).unwrap_or(usize::MAX);
        if needed == 0 || signers.len() < needed {
            return Err(DirectoryFault::Signature {
                valid: signers.len(),
                needed,
            }
            .into());
        }
        Ok(())
    }

    /// As [`Envelope::require`], and tells a key of another role from an unknown one.
    pub(crate) fn require_role(
        &self,
        kind: Kind,
        role: &Role,
        others: &Role,
    ) -> Result<(), Refusal> {
        self.require(kind, role).map_err(|refusal| {
            let one = Role {
                keys: others.keys.clone(),
                threshold: 1,
            };
            let stranger = self
                .signatures
                .iter()
                .find(|signature| role.keys.iter().all(|key| key.id() != signature.key));
            match stranger {
                Some(signature) if self.require(kind, &one).is_ok() => DirectoryFault::Role {
                    key: signature.key.to_string(),
                }
                .into(),
                _ => refusal,
            }
        })
    }
}

/// Encodes one of our own documents with its format byte.
pub(crate) fn encode<T: Serialize>(document: &T) -> Vec<u8> {
    // The encoder fails only for lengths unknown beforehand, which no document of ours has.
    let mut bytes = vec![FORMAT];
    bytes.extend(postcard::to_allocvec(document).unwrap_or_default());
    bytes
}

/// Decodes a whole document: format byte, content, nothing after it.
pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8], what: &'static str) -> Result<T, Refusal> {
    decode_borrowed(bytes, what)
}

fn decode_borrowed<'a, T: Deserialize<'a>>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<T, Refusal> {
    let malformed = || Refusal::from(DirectoryFault::Malformed(what));
    let Some((&FORMAT, content)) = bytes.split_first() else {
        return Err(malformed());
    };
    let (document, rest) = postcard::take_from_bytes(content).map_err(|_| malformed())?;
    if rest.is_empty() {
        Ok(document)
    } else {
        Err(malformed())
    }
}

pub(crate) fn within(what: &'static str, found: usize, most: usize) -> Result<(), Refusal> {
    if found <= most {
        return Ok(());
    }
    Err(DirectoryFault::Limit {
        what,
        found: found as u64,
        most: most as u64,
    }
    .into())
}

fn message(kind: Kind, payload: &[u8]) -> Vec<u8> {
    [kind.domain(), payload].concat()
}
