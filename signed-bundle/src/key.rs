//! Ed25519 keys that sign: the offline root keys and the online key of the directory. Hosts hold
//! public keys only.

use std::fmt;

use ed25519_dalek::Signer;
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, KeypairBytes};
use hpke::rand_core::CryptoRng;
use pkcs8::der::pem::PemLabel;
use pkcs8::pkcs5::pbes2;
use pkcs8::{EncryptedPrivateKeyInfoRef, LineEnding, PrivateKeyInfoRef};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// The only algorithm there is; a number, so that another one can be told from nonsense.
pub(crate) const ED25519: u8 = 1;

/// A key that signs. Wiped when dropped, never printed.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

/// A root key signs root documents; it lives offline.
pub type RootKey = SigningKey;

/// The public half of a [`SigningKey`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PublicKey {
    pub(crate) algorithm: u8,
    pub(crate) bytes: [u8; 32],
}

/// The first 8 bytes of the SHA-256 of a public key; printed as hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KeyId(pub [u8; 8]);

/// A key file could not be written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Not an encrypted PKCS#8 PEM, or the passphrase is wrong.
    #[error("the key file is damaged or the passphrase is wrong")]
    Unreadable,
    /// The key could not be encoded.
    #[error("the key could not be encoded")]
    Unwritable,
}

impl SigningKey {
    /// Makes a key of 32 random bytes.
    #[must_use]
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The 32 bytes the key was made of, for a key file of the directory.
    #[must_use]
    pub fn seed(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey {
            algorithm: ED25519,
            bytes: self.0.verifying_key().to_bytes(),
        }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// The key as a passphrase-protected PKCS#8 file that `openssl pkey` reads, too.
    ///
    /// # Errors
    /// The encoder refused the parameters.
    pub fn to_protected_pem(
        &self,
        passphrase: &str,
        randomness: &mut impl CryptoRng,
    ) -> Result<Zeroizing<String>, KeyFileError> {
        // Without the public half: OpenSSL 3.0 does not read PKCS#8 version 2.
        let plain = KeypairBytes {
            secret_key: self.0.to_bytes(),
            public_key: None,
        }
        .to_pkcs8_der()
        .map_err(|_| KeyFileError::Unwritable)?;
        let (mut salt, mut initialisation) = ([0; 16], [0; 16]);
        randomness.fill_bytes(&mut salt);
        randomness.fill_bytes(&mut initialisation);
        // 16 MiB, five times: OpenSSL takes no more than 32 MiB.
        let cost =
            pkcs8::pkcs5::scrypt::Params::new(14, 8, 5).map_err(|_| KeyFileError::Unwritable)?;
        let parameters = pbes2::Parameters::generate_scrypt_aes256cbc(cost, &salt, initialisation)
            .map_err(|_| KeyFileError::Unwritable)?;
        PrivateKeyInfoRef::try_from(plain.as_bytes())
            .map_err(|_| KeyFileError::Unwritable)?
            .encrypt_with_params(parameters, passphrase)
            .and_then(|document| {
                Ok(document.to_pem(EncryptedPrivateKeyInfoRef::PEM_LABEL, LineEnding::LF)?)
            })
            .map_err(|_| KeyFileError::Unwritable)
    }

    /// Reads a passphrase-protected PKCS#8 file.
    ///
    /// # Errors
    /// The file is damaged, of another kind, or the passphrase is wrong.
    pub fn from_protected_pem(pem: &str, passphrase: &str) -> Result<Self, KeyFileError> {
        ed25519_dalek::SigningKey::from_pkcs8_encrypted_pem(pem, passphrase)
            .map(Self)
            .map_err(|_| KeyFileError::Unreadable)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public().id())
    }
}

impl PublicKey {
    /// Takes the 32 bytes of an Ed25519 public key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self {
            algorithm: ED25519,
            bytes,
        }
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    /// The short name of this key.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let digest: [u8; 32] = Sha256::digest(self.bytes).into();
        let mut id = [0; 8];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        KeyId(id)
    }

    /// Whether this key made this signature. Weak keys and malleable signatures are refused.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.algorithm == ED25519
            && ed25519_dalek::VerifyingKey::from_bytes(&self.bytes).is_ok_and(|key| {
                let signature = ed25519_dalek::Signature::from_bytes(signature);
                key.verify_strict(message, &signature).is_ok()
            })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}
