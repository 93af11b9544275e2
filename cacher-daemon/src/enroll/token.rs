//! An enrolment token: `cloudid1.<token id>.<seed>.<fingerprint>`.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use directory_api::agent::TOKEN_PREFIX;
use ed25519_dalek::SigningKey;
use zeroize::Zeroizing;

/// Longest number of a token.
const ID_BYTES_MAX: usize = 64;

/// A token, taken apart.
#[derive(Clone)]
pub struct Token {
    /// `tok_…`
    pub id: String,
    /// Proves possession.
    pub key: SigningKey,
    /// SHA-256 of the directory's CA certificate.
    pub ca_fingerprint: [u8; 32],
}

/// Not a token. Says nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not an enrolment token (cloudid1.….….…); make one with: cloudid token add")]
pub struct BadToken;

impl Token {
    /// Takes the line apart.
    ///
    /// # Errors
    /// It is not a token.
    pub fn parse(text: &str) -> Result<Self, BadToken> {
        let mut parts = text.trim().split('.');
        let (Some(TOKEN_PREFIX), Some(id), Some(seed), Some(fingerprint), None) = (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) else {
            return Err(BadToken);
        };
        if !is_id(id) {
            return Err(BadToken);
        }
        let seed = Zeroizing::new(bytes(seed)?);
        Ok(Self {
            id: id.to_owned(),
            key: SigningKey::from_bytes(&seed),
            ca_fingerprint: bytes(fingerprint)?,
        })
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// Ids go into requests and logs as they are.
fn is_id(text: &str) -> bool {
    let number = text.strip_prefix("tok_").unwrap_or_default();
    let plain = number.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain && (1..=ID_BYTES_MAX).contains(&number.len())
}

fn bytes(text: &str) -> Result<[u8; 32], BadToken> {
    let decoded = Zeroizing::new(BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_| BadToken)?);
    decoded.as_slice().try_into().map_err(|_| BadToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_four_parts_and_nothing_else() {
        let part = BASE64_URL_SAFE_NO_PAD.encode([7; 32]);
        let good = format!("cloudid1.tok_1.{part}.{part}\n");
        assert_eq!(Token::parse(&good).unwrap().ca_fingerprint, [7; 32]);
        for bad in [
            String::new(),
            "cloudid1".to_owned(),
            format!("cloudid2.tok_1.{part}.{part}"),
            format!("cloudid1.usr_1.{part}.{part}"),
            format!("cloudid1.tok_.{part}.{part}"),
            format!("cloudid1.tok_1\n\u{1b}[2J.{part}.{part}"),
            format!("cloudid1.tok_../1.{part}.{part}"),
            format!("cloudid1.tok_{}.{part}.{part}", "1".repeat(65)),
            format!("cloudid1.tok_1.{part}.{part}.x"),
            format!("cloudid1.tok_1.{part}"),
            format!("cloudid1.tok_1.AAAA.{part}"),
            format!("cloudid1.tok_1.{part}.===="),
        ] {
            assert!(Token::parse(&bad).is_err(), "{bad}");
        }
        assert!(!format!("{:?}", Token::parse(&good).unwrap()).contains(&part));
    }
}
