//! The keys that sign for hosts: the offline root key, which `init` shows once, and the online
//! signing key, which root certifies for a while and within limits.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jiff::{SignedDuration, Timestamp};
use signed_bundle::{
    FastMessage, Limits, Manifest, Refusal, Role, RootDocument, SigningKey, decode_root_chain,
    encode_root_chain, make_root, sign_fast_message, sign_manifest, sign_time, verify_root_chain,
};
use zeroize::Zeroizing;

use crate::clock::{NoRandomness, Random};
use crate::config;

mod drawing;

pub use drawing::Drawing;

const KEY_PREFIX: &str = "cloudid-signing-key-v1 ";

/// Why the directory cannot sign.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A key file cannot be read.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] std::io::Error),
    /// A key file holds something else.
    #[error("the signing key or root key is damaged, or the passphrase is wrong")]
    Damaged,
    /// Hosts would not accept what is signed.
    #[error(
        "hosts would refuse everything signed here: {0}. Renew the signing key with the root key"
    )]
    Refused(#[from] Refusal),
    /// Root has not certified this signing key.
    #[error("the root document does not certify this signing key; restore the fitting pair")]
    NotCertified,
    /// The root key is not the one of this directory.
    #[error("this root key did not sign the newest root document")]
    NotRoot,
    /// Nothing can be drawn.
    #[error(transparent)]
    Random(#[from] NoRandomness),
    /// A date outside the calendar.
    #[error("the end of the signing key lies outside the calendar")]
    Date(#[from] jiff::Error),
}

/// What `init` makes. The root key goes to its owner and is kept nowhere.
pub struct NewKeys {
    /// Passphrase-protected PKCS#8 (PEM).
    pub root_key_pem: Zeroizing<String>,
    /// The root chain as hosts fetch it.
    pub root_chain: Vec<u8>,
    /// Text of the signing key's file (mode 0600).
    pub signing_key: Zeroizing<String>,
}

/// For which organisation keys are made, and how long the signing key is good.
#[derive(Debug, Clone, Copy)]
pub struct For<'a> {
    /// `org_…`
    pub organisation: &'a str,
    /// How long root certifies the signing key for.
    pub signing_ttl: SignedDuration,
    /// The time.
    pub now: Timestamp,
}

impl NewKeys {
    /// Makes a root key and a signing key that it certifies.
    ///
    /// # Errors
    /// No randomness, or a date outside the calendar.
    pub fn make(of: For<'_>, passphrase: &str, random: &Random) -> Result<Self, KeyError> {
        let root_key = new_key(random)?;
        let signing_key = new_key(random)?;
        let document = RootDocument {
            organisation: of.organisation.to_owned(),
            version: 1,
            issued: of.now,
            expires: of.now.checked_add(of.signing_ttl)?,
            root: Role::new([root_key.public()], 1),
            bundle: Role::new([signing_key.public()], 1),
            limits: Limits::default(),
        };
        let chain = encode_root_chain(&[make_root(&document, &[&root_key])]);
        Ok(Self {
            root_key_pem: protected(&root_key, passphrase, random)?,
            root_chain: chain,
            signing_key: key_text(&signing_key),
        })
    }
}

/// Certifies a new signing key with the root key: a new root document at the end of the chain.
/// Returns the chain and the text of the new signing key's file.
///
/// # Errors
/// The root key is not the one of this directory.
pub fn renew(
    of: For<'_>,
    chain: &[u8],
    root_key: &SigningKey,
    random: &Random,
) -> Result<(Vec<u8>, Zeroizing<String>), KeyError> {
    let mut chain = decode_root_chain(chain)?;
    let newest = chain.last().ok_or(KeyError::NotRoot)?.document()?;
    if newest.organisation != of.organisation || !newest.root.keys.contains(&root_key.public()) {
        return Err(KeyError::NotRoot);
    }
    let signing_key = new_key(random)?;
    let document = RootDocument {
        version: newest.version + 1,
        issued: of.now,
        expires: of.now.checked_add(of.signing_ttl)?,
        bundle: Role::new([signing_key.public()], 1),
        ..newest
    };
    chain.push(make_root(&document, &[root_key]));
    Ok((encode_root_chain(&chain), key_text(&signing_key)))
}

/// Everything that signs for hosts while the server runs.
pub struct SigningKeys {
    key: SigningKey,
    root: RootDocument,
    chain: Vec<u8>,
}

impl SigningKeys {
    /// Reads the key files.
    ///
    /// # Errors
    /// A file is missing or damaged, or does not belong to this organisation.
    pub fn load(
        files: &config::Keys,
        organisation: &str,
        now: Timestamp,
    ) -> Result<Self, KeyError> {
        let chain = read(&files.root_chain)?;
        let text = read(&files.signing_key)?;
        let text = std::str::from_utf8(&text).map_err(|_| KeyError::Damaged)?;
        Self::of(&chain, text, organisation, now)
    }

    /// Puts a root chain and a signing key together, as a host would judge them.
    ///
    /// # Errors
    /// As [`SigningKeys::load`].
    pub fn of(
        chain: &[u8],
        key_text: &str,
        organisation: &str,
        now: Timestamp,
    ) -> Result<Self, KeyError> {
        let key = parse_key(key_text)?;
        let root = verify_root_chain(None, organisation, chain, now)?;
        if root.bundle.threshold != 1 || !root.bundle.keys.contains(&key.public()) {
            return Err(KeyError::NotCertified);
        }
        Ok(Self {
            key,
            root,
            chain: chain.to_vec(),
        })
    }

    /// The root document in force.
    #[must_use]
    pub fn root(&self) -> &RootDocument {
        &self.root
    }

    /// The root chain as hosts fetch it.
    #[must_use]
    pub fn root_chain(&self) -> &[u8] {
        &self.chain
    }

    /// Signs a manifest.
    #[must_use]
    pub fn manifest(&self, manifest: &Manifest) -> Vec<u8> {
        sign_manifest(manifest, &self.key)
    }

    /// Signs a fast-lane message.
    #[must_use]
    pub fn fast_message(&self, message: &FastMessage) -> Vec<u8> {
        sign_fast_message(message, &self.key)
    }

    /// Signs the time.
    #[must_use]
    pub fn time(&self, now: Timestamp) -> Vec<u8> {
        sign_time(&self.root.organisation, now, &self.key)
    }
}

fn new_key(random: &Random) -> Result<SigningKey, NoRandomness> {
    let seed = Zeroizing::new(random.bytes()?);
    Ok(SigningKey::from_seed(&seed))
}

fn protected(
    key: &SigningKey,
    passphrase: &str,
    random: &Random,
) -> Result<Zeroizing<String>, KeyError> {
    let mut drawing = Drawing::from(random);
    let pem = key
        .to_protected_pem(passphrase, &mut drawing)
        .map_err(|_| KeyError::Damaged)?;
    drawing.finish()?;
    Ok(pem)
}

fn key_text(key: &SigningKey) -> Zeroizing<String> {
    let seed = Zeroizing::new(BASE64_STANDARD.encode(key.seed().as_slice()));
    Zeroizing::new(format!("{KEY_PREFIX}{}\n", seed.as_str()))
}

fn parse_key(text: &str) -> Result<SigningKey, KeyError> {
    let encoded = text
        .trim()
        .strip_prefix(KEY_PREFIX)
        .ok_or(KeyError::Damaged)?;
    let bytes = Zeroizing::new(
        BASE64_STANDARD
            .decode(encoded)
            .map_err(|_| KeyError::Damaged)?,
    );
    let seed = Zeroizing::new(bytes.as_slice().try_into().map_err(|_| KeyError::Damaged)?);
    Ok(SigningKey::from_seed(&seed))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    std::fs::read(path)
        .map(Zeroizing::new)
        .map_err(|error| KeyError::File(path.to_owned(), error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(organisation: &str, now: Timestamp) -> For<'_> {
        For {
            organisation,
            signing_ttl: SignedDuration::from_hours(24),
            now,
        }
    }

    fn made(now: Timestamp) -> NewKeys {
        NewKeys::make(of("org_1", now), "correct horse", &Random::of_system()).unwrap()
    }

    #[test]
    fn new_keys_sign_for_their_organisation_until_they_expire() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let made = made(now);
        let load = |organisation, now| {
            SigningKeys::of(&made.root_chain, &made.signing_key, organisation, now)
        };
        assert!(load("org_1", now).is_ok());
        assert!(matches!(load("org_2", now), Err(KeyError::Refused(_))));
        let late = now + SignedDuration::from_hours(24);
        assert!(matches!(load("org_1", late), Err(KeyError::Refused(_))));
    }

    #[test]
    fn a_signing_key_that_root_has_not_certified_signs_nothing() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let (one, other) = (made(now), made(now));
        let mixed = SigningKeys::of(&one.root_chain, &other.signing_key, "org_1", now);
        assert!(matches!(mixed, Err(KeyError::NotCertified)));
    }

    #[test]
    fn the_root_key_renews_the_signing_key_and_no_other_key_does() {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let made = made(now);
        let root_key = SigningKey::from_protected_pem(&made.root_key_pem, "correct horse").unwrap();
        let late = now + SignedDuration::from_hours(48);
        let random = Random::of_system();
        let (chain, key) = renew(of("org_1", late), &made.root_chain, &root_key, &random).unwrap();
        let renewed = SigningKeys::of(&chain, &key, "org_1", late).unwrap();
        assert_eq!(renewed.root().version, 2);
        assert!(SigningKeys::of(&chain, &made.signing_key, "org_1", late).is_err());
        let stranger = SigningKey::from_seed(&[9; 32]);
        let refused = renew(of("org_1", late), &made.root_chain, &stranger, &random);
        assert!(matches!(refused, Err(KeyError::NotRoot)));
    }
}
