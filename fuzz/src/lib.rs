//! One organisation with one host and fixed keys, and signed envelopes around any payload, so that
//! a fuzzer gets behind the signatures. The envelope is put together here a second time, by the
//! description of the format.
#![forbid(unsafe_code)]

use std::convert::Infallible;
use std::sync::LazyLock;

use ed25519_dalek::Signer;
use hpke::rand_core::{TryCryptoRng, TryRng};
use jiff::{SignedDuration, Timestamp};
use signed_bundle::{KeyId, Limits, Role, RootDocument, SealingKey, SigningKey};
use zeroize::Zeroizing;

/// The organisation of every document here.
pub const ORGANISATION: &str = "org_1";
/// The host of every document here.
pub const HOST: &str = "hst_1";

const ROOT_SEED: [u8; 32] = [1; 32];
const SIGNING_SEED: [u8; 32] = [2; 32];
const ED25519: u8 = 1;

/// A moment at which all seeds are valid.
pub fn now() -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_hours(500_000)
}

/// Making a key costs more than all else that a target does.
struct Keys {
    root: SigningKey,
    signing: SigningKey,
    raw_root: ed25519_dalek::SigningKey,
    raw_signing: ed25519_dalek::SigningKey,
    document: RootDocument,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let root = SigningKey::from_seed(&ROOT_SEED);
    let signing = SigningKey::from_seed(&SIGNING_SEED);
    let document = RootDocument {
        organisation: ORGANISATION.to_owned(),
        version: 1,
        issued: now() - SignedDuration::from_hours(1),
        expires: now() + SignedDuration::from_hours(9000),
        root: Role::new([root.public()], 1),
        bundle: Role::new([signing.public()], 1),
        limits: Limits::default(),
    };
    Keys {
        root,
        signing,
        raw_root: ed25519_dalek::SigningKey::from_bytes(&ROOT_SEED),
        raw_signing: ed25519_dalek::SigningKey::from_bytes(&SIGNING_SEED),
        document,
    }
});

/// The online key.
pub fn signing_key() -> &'static SigningKey {
    &KEYS.signing
}

/// The root document in force.
pub fn root_document() -> RootDocument {
    KEYS.document.clone()
}

/// The key to which credentials are sealed.
pub fn sealing_key() -> SealingKey {
    SealingKey::from_bytes(Zeroizing::new([3; 32]))
}

/// What a signature is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Signed by the root key.
    Root,
    /// Signed by the online key.
    Manifest,
    /// Signed by the online key.
    FastMessage,
    /// Signed by the online key.
    Time,
}

/// A right signature over any payload.
pub fn signed(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let (domain, key, id): (&[u8], _, KeyId) = match kind {
        Kind::Root => (
            b"cloudid-root-v1\0",
            &KEYS.raw_root,
            KEYS.root.public().id(),
        ),
        Kind::Manifest => (b"cloudid-manifest-v1\0", &KEYS.raw_signing, signing_id()),
        Kind::FastMessage => (
            b"cloudid-fast-message-v1\0",
            &KEYS.raw_signing,
            signing_id(),
        ),
        Kind::Time => (b"cloudid-time-v1\0", &KEYS.raw_signing, signing_id()),
    };
    let signature = key.sign(&[domain, payload].concat()).to_bytes();
    let signatures = vec![(ED25519, id, signature.as_slice())];
    let mut bytes = vec![1];
    bytes.extend(postcard::to_allocvec(&(payload, signatures)).unwrap_or_default());
    bytes
}

fn signing_id() -> KeyId {
    KEYS.signing.public().id()
}

/// Numbers that are the same in every run.
pub struct Counter(pub u8);

impl TryRng for Counter {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from(self.next()))
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from(self.next()))
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.iter_mut().for_each(|byte| *byte = self.next());
        Ok(())
    }
}

impl TryCryptoRng for Counter {}

impl Counter {
    fn next(&mut self) -> u8 {
        self.0 = self.0.wrapping_add(1);
        self.0
    }
}
