//! Passwords: what they must be, how they are hashed and compared. Slow work runs on threads of its
//! own, a few at a time.

mod new;
mod policy;
mod rules;
mod strength;
mod verifier;

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version};
use axum::http::StatusCode;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

pub use new::{Wish, strength_of, verifier_for};
pub use policy::{Policy, StoredPolicy, check};
pub use rules::{normal_form, unmet};
pub use strength::{Strength, strength};
pub use verifier::{Checked, importable};

use crate::clock::Random;
use crate::config;
use crate::http::Refused;

/// Hashes and compares.
#[derive(Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    parameters: String,
    permits: Arc<Semaphore>,
}

impl Passwords {
    /// With these settings; settings that Argon2 cannot take become its defaults, which the
    /// configuration's own limits rule out.
    #[must_use]
    pub fn new(password: &config::Password, parallel: usize) -> Self {
        let (memory, passes) = (password.argon2_memory_kib, password.argon2_passes);
        let params = Params::new(memory, passes, 1, None).unwrap_or_default();
        Self {
            parameters: format!("m={},t={},p=1", params.m_cost(), params.t_cost()),
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            permits: Arc::new(Semaphore::new(parallel)),
        }
    }

    /// Makes a verifier of a password that was accepted before.
    ///
    /// # Errors
    /// The machine cannot do the work.
    pub async fn hash(&self, password: &str, random: &Random) -> Result<String, Refused> {
        let salt: [u8; 16] = random.bytes()?;
        let password = Zeroizing::new(normal_form(password));
        let argon2 = self.argon2.clone();
        self.slowly(move || {
            argon2
                .hash_password_with_salt(password.as_bytes(), &salt)
                .map(|hash| hash.to_string())
                .ok()
        })
        .await?
        .ok_or_else(cannot_tell)
    }

    /// Compares; takes the same time where there is no verifier.
    ///
    /// # Errors
    /// The machine cannot do the work.
    pub async fn compare(
        &self,
        verifier: Option<String>,
        password: &str,
    ) -> Result<Checked, Refused> {
        let password = Zeroizing::new(normal_form(password));
        let nobody = verifier::nobody(&self.parameters);
        self.slowly(move || verifier::compare(verifier.as_deref(), &nobody, password.as_bytes()))
            .await
    }

    /// Whether a verifier was made with other settings than those of today.
    #[must_use]
    pub fn is_outdated(&self, verifier: &str) -> bool {
        let parameters = verifier.split('$').nth(3);
        !verifier.starts_with("$argon2id$") || parameters != Some(&self.parameters)
    }

    /// Runs slow work on a thread of its own, a few at a time.
    pub(crate) async fn slowly<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refused> {
        let _permit = self.permits.acquire().await.map_err(|_| cannot_tell())?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| cannot_tell())
    }
}

pub(crate) fn cannot_tell() -> Refused {
    Refused::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not_ready",
        "The directory cannot check passwords at the moment.",
    )
    .retry_after(5)
}
