//! Keeps the seeds of time-based codes: encrypted under a key of its own, which is in a file beside
//! the database and in no backup of it. Bound to device and user, so that no row can be put into
//! another's place.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sqlx::SqliteConnection;
use zeroize::Zeroizing;

use crate::clock::Random;
use crate::http::Refused;

const KEY_PREFIX: &str = "cloudid-totp-key-v1 ";
const NONCE_BYTES: usize = 24;

/// The key's file; read when a seed is first needed.
#[derive(Clone)]
pub struct SeedKey(Arc<PathBuf>);

/// Whose seed it is.
#[derive(Clone, Copy)]
pub(super) struct Owner<'a> {
    pub(super) device: &'a str,
    pub(super) user: &'a str,
}

/// Opens and seals seeds.
pub(crate) struct SeedCipher(XChaCha20Poly1305);

impl SeedKey {
    /// In this file.
    #[must_use]
    pub fn at(path: &Path) -> Self {
        Self(Arc::new(path.to_owned()))
    }

    /// Reads the key.
    pub(crate) fn read(&self) -> Result<SeedCipher, Refused> {
        let text = std::fs::read_to_string(self.0.as_path()).map(Zeroizing::new);
        let text = text.map_err(|error| unusable(&self.0, &error.to_string()))?;
        parsed(&text).ok_or_else(|| unusable(&self.0, "it holds no key"))
    }

    /// Reads the key, or makes it where there are no seeds yet. A key that got lost is never made
    /// anew: what it protects would be lost with it, silently.
    pub(super) async fn read_or_make(
        &self,
        database: &mut SqliteConnection,
        random: &Random,
    ) -> Result<SeedCipher, Refused> {
        if !self.0.exists() {
            let seeds: i64 =
                sqlx::query_scalar("SELECT COUNT(*) FROM mfa_devices WHERE seed IS NOT NULL")
                    .fetch_one(database)
                    .await?;
            if seeds > 0 {
                return Err(unusable(&self.0, "it is missing; restore it from a backup"));
            }
            let text = new_key_text(random)?;
            write(&self.0, &text).map_err(|error| unusable(&self.0, &error.to_string()))?;
        }
        self.read()
    }
}

impl SeedCipher {
    pub(super) fn seal(
        &self,
        seed: &[u8],
        owner: Owner<'_>,
        random: &Random,
    ) -> Result<String, Refused> {
        let nonce: [u8; NONCE_BYTES] = random.bytes()?;
        let aad = owner.bytes();
        let payload = Payload {
            msg: seed,
            aad: &aad,
        };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| damaged(owner.device))?;
        Ok(BASE64_STANDARD.encode([nonce.as_slice(), &sealed].concat()))
    }

    pub(super) fn open(
        &self,
        sealed: &str,
        owner: Owner<'_>,
    ) -> Result<Zeroizing<Vec<u8>>, Refused> {
        let bytes = BASE64_STANDARD.decode(sealed).unwrap_or_default();
        let (nonce, sealed) = bytes
            .split_first_chunk::<NONCE_BYTES>()
            .ok_or_else(|| damaged(owner.device))?;
        let aad = owner.bytes();
        let payload = Payload {
            msg: sealed,
            aad: &aad,
        };
        let seed = self.0.decrypt(&XNonce::from(*nonce), payload);
        seed.map(Zeroizing::new).map_err(|_| damaged(owner.device))
    }
}

impl Owner<'_> {
    fn bytes(self) -> Vec<u8> {
        format!("{} {}", self.device, self.user).into_bytes()
    }
}

/// The text of a new key's file.
fn new_key_text(random: &Random) -> Result<Zeroizing<String>, crate::clock::NoRandomness> {
    let key = Zeroizing::new(random.bytes::<32>()?);
    let key = Zeroizing::new(BASE64_STANDARD.encode(key.as_slice()));
    Ok(Zeroizing::new(format!("{KEY_PREFIX}{}\n", key.as_str())))
}

fn parsed(text: &str) -> Option<SeedCipher> {
    let encoded = text.trim().strip_prefix(KEY_PREFIX)?;
    let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).ok()?);
    let key: [u8; 32] = bytes.as_slice().try_into().ok()?;
    Some(SeedCipher(XChaCha20Poly1305::new(&Key::from(key))))
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    match path.parent() {
        Some(folder) => std::fs::File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

fn unusable(path: &Path, why: &str) -> Refused {
    tracing::error!(path = %path.display(), why, "the key of one-time codes cannot be used");
    not_ready()
}

fn damaged(device: &str) -> Refused {
    tracing::error!(
        device,
        "a stored seed does not open with the key of one-time codes"
    );
    not_ready()
}

fn not_ready() -> Refused {
    Refused::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_ready",
        "The directory cannot check one-time codes at the moment.",
    )
    .hint("An administrator finds the reason in the server's log.")
    .retry_after(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Owner<'_> = Owner {
        device: "mfa_1",
        user: "usr_1",
    };

    fn cipher() -> SeedCipher {
        parsed(&new_key_text(&Random::of_system()).unwrap()).unwrap()
    }

    #[test]
    fn a_seed_opens_for_its_own_device_and_user_only() {
        let (cipher, random) = (cipher(), Random::of_system());
        let sealed = cipher
            .seal(b"seed of twenty bytes", OWNER, &random)
            .unwrap();
        assert_eq!(
            *cipher.open(&sealed, OWNER).unwrap(),
            b"seed of twenty bytes"
        );
        for (device, user) in [("mfa_2", "usr_1"), ("mfa_1", "usr_2"), ("mfa_1 usr_1", "")] {
            assert!(cipher.open(&sealed, Owner { device, user }).is_err());
        }
        assert!(self::cipher().open(&sealed, OWNER).is_err());
    }

    #[test]
    fn a_seed_that_was_touched_does_not_open() {
        let cipher = cipher();
        let sealed = cipher.seal(&[7; 20], OWNER, &Random::of_system()).unwrap();
        let bytes = BASE64_STANDARD.decode(&sealed).unwrap();
        for place in 0..bytes.len() {
            let mut touched = bytes.clone();
            touched[place] ^= 1;
            let touched = BASE64_STANDARD.encode(touched);
            assert!(cipher.open(&touched, OWNER).is_err(), "byte {place}");
        }
        assert!(cipher.open("", OWNER).is_err());
        assert!(cipher.open("AAAA", OWNER).is_err());
    }

    #[test]
    fn what_is_stored_does_not_show_the_seed() {
        let seed = [0x5a; 20];
        let sealed = cipher().seal(&seed, OWNER, &Random::of_system()).unwrap();
        let bytes = BASE64_STANDARD.decode(sealed).unwrap();
        assert!(bytes.windows(4).all(|window| window != [0x5a; 4]));
    }
}
