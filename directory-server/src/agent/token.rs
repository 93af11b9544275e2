//! Whether an enrolment token opens the door: the proof first, then everything that time and use
//! have done to it. Who cannot prove the token learns nothing about it.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use directory_api::agent::EnrollRequest;
use ed25519_dalek::{Signature, VerifyingKey};
use jiff::Timestamp;
use sqlx::FromRow;

use crate::store::{Store, Writing};

const NONCE_BYTES: usize = 32;

/// An enrolment token as it is stored.
#[derive(Debug, Clone, FromRow)]
pub(super) struct Token {
    pub(super) id: String,
    public_key: String,
    pub(super) project_id: String,
    pub(super) tags: String,
    pub(super) ephemeral: i64,
    pub(super) gone_after_s: i64,
    pub(super) approval_required: i64,
    expires_at: i64,
    revoked_at: Option<i64>,
}

/// Why a token does not open the door.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum TokenRefused {
    /// Unknown, or its secret is not known to the caller. Not told apart.
    #[error("The token is unknown or its proof is wrong.")]
    Unproven,
    /// Its end has passed.
    #[error("The token has expired.")]
    Expired,
    /// An administrator has ended it.
    #[error("The token was revoked.")]
    Revoked,
    /// As many hosts as it may have enrolled.
    #[error("The token has been used up.")]
    UsedUp,
    /// The same request came before.
    #[error("This request was made before.")]
    Replayed,
}

impl TokenRefused {
    /// The stable word for it in events.
    pub(super) fn why(self) -> &'static str {
        match self {
            Self::Unproven => "unproven",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::UsedUp => "used_up",
            Self::Replayed => "replayed",
        }
    }
}

impl Token {
    /// The token that the request proves.
    pub(super) async fn proven(
        store: &Store,
        request: &EnrollRequest,
    ) -> Result<Result<Self, TokenRefused>, sqlx::Error> {
        let token: Option<Self> = sqlx::query_as(
            "SELECT id, public_key, project_id, tags, ephemeral, gone_after_s, approval_required,
                    expires_at, revoked_at
             FROM enrollment_tokens WHERE id = $1",
        )
        .bind(&request.token_id)
        .fetch_optional(store.read())
        .await?;
        let proven = token.filter(|token| proves(&token.public_key, request).is_some());
        Ok(proven.ok_or(TokenRefused::Unproven))
    }

    /// Takes one use, exactly once however many ask at the same time.
    pub(super) async fn take_use(
        &self,
        tx: &mut Writing,
        nonce: &str,
        now: Timestamp,
    ) -> Result<Result<(), TokenRefused>, sqlx::Error> {
        let now = now.as_millisecond();
        let used = sqlx::query(
            "UPDATE enrollment_tokens SET uses = uses + 1
             WHERE id = $1 AND uses < max_uses AND revoked_at IS NULL AND expires_at > $2",
        )
        .bind(&self.id)
        .bind(now)
        .execute(&mut **tx)
        .await?;
        if used.rows_affected() != 1 {
            return Ok(Err(self.end(now)));
        }
        let nonce = sqlx::query(
            "INSERT INTO enrollment_nonces (token_id, nonce, used_at) VALUES ($1, $2, $3)
             ON CONFLICT (token_id, nonce) DO NOTHING",
        )
        .bind(&self.id)
        .bind(nonce)
        .bind(now)
        .execute(&mut **tx)
        .await?;
        Ok(match nonce.rows_affected() {
            1 => Ok(()),
            _ => Err(TokenRefused::Replayed),
        })
    }

    fn end(&self, now: i64) -> TokenRefused {
        if self.revoked_at.is_some() {
            TokenRefused::Revoked
        } else if self.expires_at <= now {
            TokenRefused::Expired
        } else {
            TokenRefused::UsedUp
        }
    }
}

/// The proof is the token's signature over the whole request, with a nonce of full length.
fn proves(public_key: &str, request: &EnrollRequest) -> Option<()> {
    let key: [u8; 32] = decoded(public_key)?;
    let signature: [u8; 64] = decoded(&request.proof)?;
    let _nonce: [u8; NONCE_BYTES] = decoded(&request.nonce)?;
    VerifyingKey::from_bytes(&key)
        .ok()?
        .verify_strict(&request.transcript(), &Signature::from_bytes(&signature))
        .ok()
}

/// Exactly `N` bytes of base64, in either alphabet.
pub(super) fn decoded<const N: usize>(text: &str) -> Option<[u8; N]> {
    BASE64_STANDARD
        .decode(text)
        .or_else(|_| BASE64_URL_SAFE_NO_PAD.decode(text))
        .ok()?
        .try_into()
        .ok()
}
