//! Chunks that only their host can open: HPKE (RFC 9180) with X25519, HKDF-SHA256 and
//! ChaCha20-Poly1305, padded so that their size says little. Sealed is not signed: who made a
//! chunk follows from the manifest alone.

use std::fmt;

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::CryptoRng;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::limits::CHUNK_BYTES_MAX;
use crate::refusal::{DirectoryFault, HostFault, Refusal};

const FORMAT: u8 = 1;
const DOMAIN: &[u8] = b"cloudid-sealed-chunk-v1";
const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 16;
const LENGTH_BYTES: usize = 4;
/// Format byte, encapsulated key, tag and inner length.
const OVERHEAD: usize = 1 + KEY_BYTES + TAG_BYTES + LENGTH_BYTES;
const SMALLEST_CLASS: usize = 1024;
/// Longest text that fits into a sealed chunk.
pub const SEALED_CONTENT_MAX: usize = CHUNK_BYTES_MAX - OVERHEAD;

/// A host's private key for sealed chunks. Wiped when dropped, never printed, never leaves the host.
#[derive(Clone)]
pub struct SealingKey(Zeroizing<[u8; KEY_BYTES]>);

/// To whom chunks are sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealingPublicKey([u8; KEY_BYTES]);

/// Sealing failed: the public key is not one, or the content is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not a usable X25519 key.
    #[error("not a usable X25519 key")]
    Key,
    /// More than [`SEALED_CONTENT_MAX`] bytes.
    #[error("{0} bytes do not fit into a sealed chunk")]
    TooLong(usize),
}

/// For which host a chunk is sealed; both names are bound into the seal.
#[derive(Debug, Clone, Copy)]
pub struct Recipient<'a> {
    /// `org_…`
    pub organisation: &'a str,
    /// `hst_…`
    pub host: &'a str,
    /// The host's public key.
    pub key: &'a SealingPublicKey,
}

impl SealingKey {
    /// Makes a key of 32 random bytes, or takes a stored one.
    #[must_use]
    pub fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        Self(bytes)
    }

    /// The private bytes, to be stored with mode 0600.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The public half, which the directory gets.
    ///
    /// # Errors
    /// The bytes are no X25519 key.
    pub fn public(&self) -> Result<SealingPublicKey, SealError> {
        let private = self.private().map_err(|_| SealError::Key)?;
        let public = X25519HkdfSha256::sk_to_pk(&private);
        Ok(SealingPublicKey(public.to_bytes().into()))
    }

    fn private(&self) -> Result<<X25519HkdfSha256 as Kem>::PrivateKey, hpke::HpkeError> {
        <X25519HkdfSha256 as Kem>::PrivateKey::from_bytes(self.0.as_slice())
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(…)")
    }
}

impl SealingPublicKey {
    /// Takes the 32 bytes of an X25519 public key.
    ///
    /// # Errors
    /// Not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let bytes = bytes.try_into().map_err(|_| SealError::Key)?;
        Ok(Self(bytes))
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

/// Seals content to a host. The result is a power of two long, at least 1 KiB.
///
/// # Errors
/// The key is unusable or the content too long.
pub fn seal(
    content: &[u8],
    recipient: &Recipient<'_>,
    randomness: &mut impl CryptoRng,
) -> Result<Vec<u8>, SealError> {
    let length = u32::try_from(content.len()).map_err(|_| SealError::TooLong(content.len()))?;
    let class = size_class(content.len()).ok_or(SealError::TooLong(content.len()))?;
    let mut plain = Zeroizing::new(Vec::with_capacity(class));
    plain.extend_from_slice(&length.to_be_bytes());
    plain.extend_from_slice(content);
    plain.resize(class - 1 - KEY_BYTES - TAG_BYTES, 0);

    let key = <X25519HkdfSha256 as Kem>::PublicKey::from_bytes(&recipient.key.0)
        .map_err(|_| SealError::Key)?;
    let (encapsulated, sealed) =
        hpke::single_shot_seal_with_rng::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
            &OpModeS::Base,
            &key,
            DOMAIN,
            &plain,
            &associated(recipient.organisation, recipient.host),
            randomness,
        )
        .map_err(|_| SealError::Key)?;
    let mut chunk = Vec::with_capacity(class);
    chunk.push(FORMAT);
    chunk.extend_from_slice(&encapsulated.to_bytes());
    chunk.extend_from_slice(&sealed);
    Ok(chunk)
}

/// Opens a sealed chunk. The caller has already compared it with the manifest.
pub(crate) fn open(
    chunk: &[u8],
    organisation: &str,
    host: &str,
    key: &SealingKey,
) -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let malformed = DirectoryFault::Malformed("sealed chunk");
    let (format, rest) = chunk.split_first().ok_or(malformed.clone())?;
    if *format != FORMAT {
        return Err(malformed.into());
    }
    let (encapsulated, sealed) = rest.split_at_checked(KEY_BYTES).ok_or(malformed.clone())?;
    let encapsulated = <X25519HkdfSha256 as Kem>::EncappedKey::from_bytes(encapsulated)
        .map_err(|_| malformed.clone())?;
    let private = key.private().map_err(|_| HostFault::SealingKey)?;
    let plain = hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, X25519HkdfSha256>(
        &OpModeR::Base,
        &private,
        &encapsulated,
        DOMAIN,
        sealed,
        &associated(organisation, host),
    )
    .map_err(|_| HostFault::SealingKey)?;
    let mut plain = Zeroizing::new(plain);
    let (length, content) = plain.split_first_chunk().ok_or(malformed.clone())?;
    let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| malformed.clone())?;
    let content = content.get(..length).ok_or(malformed)?.len();
    plain.drain(..LENGTH_BYTES);
    plain.truncate(content);
    Ok(plain)
}

fn size_class(content: usize) -> Option<usize> {
    let class = (content.checked_add(OVERHEAD)?)
        .checked_next_power_of_two()?
        .max(SMALLEST_CLASS);
    (class <= CHUNK_BYTES_MAX).then_some(class)
}

fn associated(organisation: &str, host: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [organisation, host] {
        bytes.extend_from_slice(&(field.len() as u64).to_be_bytes());
        bytes.extend_from_slice(field.as_bytes());
    }
    bytes
}
