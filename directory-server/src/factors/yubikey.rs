//! One-time passwords of YubiKeys, verified by YubiCloud or a validation server of one's own. Only an
//! answer whose signature, nonce and password are all ours counts. The shared secret stays here.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use directory_api::agent::FACTOR_UNAVAILABLE;
use yubico::config::Config as ServerConfig;
use yubico::{Verifier, YubicoError};

use crate::config;
use crate::http::Refused;

/// A login has two seconds; what is left of them is for everything else.
const TIMEOUT: Duration = Duration::from_millis(1500);

/// Asks the validation servers.
#[derive(Clone)]
pub struct YubiKeys(Arc<config::Yubico>);

/// What the servers say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Right, and never seen before.
    Right,
    /// Not a password of this key, or one that was seen already.
    Wrong,
    /// Seen before.
    Replayed,
}

impl YubiKeys {
    /// With these settings.
    #[must_use]
    pub fn new(settings: &config::Yubico) -> Self {
        Self(Arc::new(settings.clone()))
    }

    /// Asks one server after the other until one says yes or no.
    pub(super) async fn verdict(&self, otp: &str) -> Result<Verdict, Refused> {
        let (client, key) = (self.client()?, self.key()?);
        for url in &self.0.urls {
            let settings = ServerConfig::default()
                .set_client_id(&self.0.client_id)
                .set_api_host(url);
            let settings = settings
                .set_key(key.trim())
                .map_err(|_| unusable("secret_file"))?;
            let verifier = Verifier::with_client(settings, client.clone());
            let verifier = verifier.map_err(|_| unusable("client_id"))?;
            match verifier.verify(otp).await {
                Ok(()) => return Ok(Verdict::Right),
                Err(YubicoError::BadOtp) => return Ok(Verdict::Wrong),
                Err(YubicoError::ReplayedOtp | YubicoError::ReplayedRequest) => {
                    return Ok(Verdict::Replayed);
                }
                // The error may name the address, and the address holds the password.
                Err(error) => tracing::warn!(server = %url, why = name_of(&error), "YubiKey"),
            }
        }
        Err(cannot_tell())
    }

    fn client(&self) -> Result<reqwest::Client, Refused> {
        reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|_| unusable("client"))
    }

    fn key(&self) -> Result<zeroize::Zeroizing<String>, Refused> {
        if self.0.secret_file.as_os_str().is_empty() {
            return Err(cannot_tell());
        }
        std::fs::read_to_string(&self.0.secret_file)
            .map(zeroize::Zeroizing::new)
            .map_err(|_| unusable("secret_file"))
    }
}

fn name_of(error: &YubicoError) -> &'static str {
    match error {
        YubicoError::Transport(_) => "no answer",
        YubicoError::HTTPStatus(_) => "an HTTP error",
        YubicoError::SignatureMismatch => "a wrong signature",
        YubicoError::OTPMismatch => "an answer about another password",
        YubicoError::NonceMismatch => "an answer to another question",
        YubicoError::InvalidResponse | YubicoError::UnknownStatus => {
            "not an answer of its protocol"
        }
        YubicoError::BackendError | YubicoError::NotEnoughAnswers => "the server cannot tell",
        YubicoError::BadOtp | YubicoError::ReplayedOtp | YubicoError::ReplayedRequest => {
            "not a password that is good now"
        }
        YubicoError::DecodeError(_)
        | YubicoError::BadSignature
        | YubicoError::MissingParameter
        | YubicoError::NoSuchClient
        | YubicoError::OperationNotAllowed
        | YubicoError::NonceGeneration
        | YubicoError::InvalidKeyLength
        | YubicoError::MissingCredentials
        | _ => "the server refuses this client",
    }
}

fn unusable(setting: &'static str) -> Refused {
    tracing::error!(setting, "[yubico] cannot be used");
    cannot_tell()
}

fn cannot_tell() -> Refused {
    Refused::new(
        StatusCode::SERVICE_UNAVAILABLE,
        FACTOR_UNAVAILABLE,
        "The directory cannot check YubiKeys at the moment.",
    )
    .hint("Use another factor; an administrator finds the reason in the server's log.")
    .retry_after(60)
}
