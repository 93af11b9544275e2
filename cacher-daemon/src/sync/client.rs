//! Calls to the directory: mutual TLS with the pinned CA, no redirects, no proxy of the
//! environment, every body bounded and every call with a deadline.

use std::io;
use std::time::Duration;

use directory_api::agent::{
    Acknowledgement, CertificateRenewal, CertificateRenewed, CodeCheck, CodeChecked, EventBatch,
    EventsStored, OwnersAnswer, OwnersQuestion, PasswordChange, PasswordCheck, RUN_HEADER,
};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use signed_bundle::{CHUNK_BYTES_MAX, MANIFEST_BYTES_MAX, ROOT_CHAIN_BYTES_MAX};

use crate::config::Directory;
use crate::disk::read_bounded;
use crate::paths::Paths;
use crate::run::Run;

const PEM_BYTES_MAX: u64 = 256 * 1024;
const JSON_BYTES_MAX: usize = 1024 * 1024;
const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// Of the rules that a new password does not meet.
const RULES_SHOWN: usize = 8;
const RULE_BYTES_SHOWN: usize = 96;
/// In the path of a login: one attempt.
pub const LOGIN_BUDGET: Duration = Duration::from_secs(2);
/// The stream carries something at least every 15 s.
const STREAM_SILENCE_MAX: Duration = Duration::from_secs(45);

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No answer: no network, a wrong certificate, too slow.
    #[error("the directory cannot be reached: {0}")]
    Away(String),
    /// An answer that is not what the contract says.
    #[error("the directory answers {status}: {detail}")]
    Status {
        /// HTTP status.
        status: u16,
        /// The directory's own code for it; empty when somebody else answers.
        code: String,
        /// What it says about it.
        detail: String,
    },
    /// Longer than anything the directory sends.
    #[error("the answer has more than {0} bytes")]
    TooLong(usize),
    /// Not the answer to this question; often a captive portal.
    #[error("the answer is not the directory's: {0}")]
    Nonsense(String),
}

impl CallError {
    /// Whether trying another address, or later, may help.
    #[must_use]
    pub fn is_away(&self) -> bool {
        matches!(self, Self::Away(_))
    }
}

/// The directory, as this host reaches it.
#[derive(Debug, Clone)]
pub struct DirectoryClient {
    http: Client,
    streaming: Client,
    bases: Vec<String>,
    patience: Duration,
}

impl DirectoryClient {
    /// Makes ready to call; `None` before enrolment.
    ///
    /// # Errors
    /// Keys or certificates are there but cannot be used; the error names them.
    pub fn new(paths: &Paths, settings: &Directory, run: &Run) -> io::Result<Option<Self>> {
        if settings.url.is_empty() {
            return Ok(None);
        }
        let certificate = pem(&paths.host_certificate())?;
        Self::with_certificate(paths, settings, run, &certificate).map(Some)
    }

    /// The same with this certificate (PEM) for the host's key.
    ///
    /// # Errors
    /// Keys or certificates cannot be used; the error names them.
    pub fn with_certificate(
        paths: &Paths,
        settings: &Directory,
        run: &Run,
        certificate: &[u8],
    ) -> io::Result<Self> {
        let run = HeaderValue::from_str(run.as_str()).map_err(io::Error::other)?;
        let headers = HeaderMap::from_iter([(HeaderName::from_static(RUN_HEADER), run)]);
        let builder = || -> io::Result<reqwest::ClientBuilder> {
            Ok(base(settings)
                .default_headers(headers.clone())
                .identity(identity(paths, certificate)?)
                .tls_certs_only([pinned(settings)?]))
        };
        let http = builder()?.build().map_err(io::Error::other)?;
        let streaming = builder()?
            .read_timeout(STREAM_SILENCE_MAX)
            .build()
            .map_err(io::Error::other)?;
        Ok(Self {
            http,
            streaming,
            bases: settings.url.clone(),
            patience: settings.request_timeout,
        })
    }

    /// The signed manifest, or `None` when `after` is the newest. Waits up to `wait` for a newer one.
    ///
    /// # Errors
    /// No answer, or not a manifest's size.
    pub async fn manifest(&self, after: u64, wait: Duration) -> Result<Option<Vec<u8>>, CallError> {
        let path = format!("manifest?after={after}&wait={}", wait.as_secs());
        let patience = self.patience + wait;
        let response = self.get(&path, patience).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let response = accepted(response).await?;
        within(patience, bounded(response, MANIFEST_BYTES_MAX))
            .await
            .map(Some)
    }

    /// The signed root chain.
    ///
    /// # Errors
    /// No answer, or too long.
    pub async fn root_chain(&self) -> Result<Vec<u8>, CallError> {
        self.fetch("root", ROOT_CHAIN_BYTES_MAX).await
    }

    /// A chunk by the hex of its hash; at most as long as the manifest says.
    ///
    /// # Errors
    /// No answer, or too long.
    pub async fn chunk(&self, name: &str, length: usize) -> Result<Vec<u8>, CallError> {
        let most = length.min(CHUNK_BYTES_MAX);
        self.fetch(&format!("chunks/{name}"), most).await
    }

    /// Opens the push stream. Revocations after `fast_after` come first, whatever the directory
    /// believes that this host has: it may have been put back to an older state.
    ///
    /// # Errors
    /// No answer, or not a stream.
    pub async fn stream(&self, fast_after: u64) -> Result<Response, CallError> {
        let mut last = CallError::Away("no address".to_owned());
        for base in &self.bases {
            let address = format!("{base}/agent/v1/stream?fast_after={fast_after}");
            let call = self.streaming.get(address);
            match within(self.patience, async { call.send().await.map_err(away) }).await {
                Ok(response) => return accepted(response).await,
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Says what is applied.
    ///
    /// # Errors
    /// It was not taken.
    pub async fn acknowledge(&self, acknowledgement: &Acknowledgement) -> Result<(), CallError> {
        let response = self.post("acks", acknowledgement, self.patience).await?;
        accepted(response).await.map(drop)
    }

    /// Delivers events.
    ///
    /// # Errors
    /// They were not stored.
    pub async fn deliver(&self, batch: &EventBatch) -> Result<EventsStored, CallError> {
        let response = self.post("events", batch, self.patience).await?;
        self.json(response).await
    }

    /// Asks for the owners of ids.
    ///
    /// # Errors
    /// No answer.
    pub async fn owners(&self, question: &OwnersQuestion) -> Result<OwnersAnswer, CallError> {
        let response = self.post("owners", question, self.patience).await?;
        self.json(response).await
    }

    /// Asks for a new certificate.
    ///
    /// # Errors
    /// It was not renewed.
    pub async fn renew(
        &self,
        renewal: &CertificateRenewal,
    ) -> Result<CertificateRenewed, CallError> {
        let response = self
            .post("certificates/renew", renewal, self.patience)
            .await?;
        self.json(response).await
    }

    /// Has a password checked, within the budget of a login.
    ///
    /// # Errors
    /// Wrong, or no answer.
    pub async fn verify(&self, check: &PasswordCheck) -> Result<(), CallError> {
        done(self.post("verify", check, LOGIN_BUDGET).await?).await
    }

    /// Has a code checked and burnt, within the budget of a login.
    ///
    /// # Errors
    /// Wrong, or no answer.
    pub async fn check_code(&self, check: &CodeCheck) -> Result<CodeChecked, CallError> {
        let call = async {
            let response = accepted(self.post("codes", check, LOGIN_BUDGET).await?).await?;
            let body = bounded(response, PROBLEM_BYTES_MAX).await?;
            serde_json::from_slice(&body).map_err(|error| CallError::Nonsense(error.to_string()))
        };
        within(LOGIN_BUDGET, call).await
    }

    /// Has a password changed, within the budget of a login.
    ///
    /// # Errors
    /// Refused, or no answer.
    pub async fn change_password(&self, change: &PasswordChange) -> Result<(), CallError> {
        done(self.post("passwords", change, LOGIN_BUDGET).await?).await
    }

    async fn fetch(&self, path: &str, most: usize) -> Result<Vec<u8>, CallError> {
        let response = accepted(self.get(path, self.patience).await?).await?;
        within(self.patience, bounded(response, most)).await
    }

    async fn json<T: DeserializeOwned>(&self, response: Response) -> Result<T, CallError> {
        let response = accepted(response).await?;
        let body = within(self.patience, bounded(response, JSON_BYTES_MAX)).await?;
        serde_json::from_slice(&body).map_err(|error| CallError::Nonsense(error.to_string()))
    }

    /// The addresses in turn; only one that does not answer at all is passed over.
    async fn get(&self, path: &str, patience: Duration) -> Result<Response, CallError> {
        let mut last = CallError::Away("no address".to_owned());
        for base in &self.bases {
            let call = self.http.get(format!("{base}/agent/v1/{path}"));
            match within(patience, async { call.send().await.map_err(away) }).await {
                Ok(response) => return Ok(response),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// One attempt at the first address that takes a connection: a call with an effect is not
    /// repeated elsewhere.
    async fn post<T: Serialize + Sync>(
        &self,
        path: &str,
        body: &T,
        patience: Duration,
    ) -> Result<Response, CallError> {
        let attempts = async {
            let mut last = CallError::Away("no address".to_owned());
            for base in &self.bases {
                let call = self.http.post(format!("{base}/agent/v1/{path}")).json(body);
                match call.send().await {
                    Ok(response) => return Ok(response),
                    Err(error) if error.is_connect() => last = away(error),
                    Err(error) => return Err(away(error)),
                }
            }
            Err(last)
        };
        within(patience, attempts).await
    }
}

pub(crate) fn base(settings: &Directory) -> reqwest::ClientBuilder {
    Client::builder()
        .user_agent(concat!("cloudid-cacher/", env!("CARGO_PKG_VERSION")))
        .https_only(true)
        .tls_version_min(reqwest::tls::Version::TLS_1_3)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .referer(false)
        // The stream and the calls must not wait for each other on one connection.
        .http1_only()
        .tcp_keepalive(Duration::from_secs(15))
        .connect_timeout(settings.connect_timeout)
}

fn identity(paths: &Paths, certificate: &[u8]) -> io::Result<reqwest::Identity> {
    let mut pem = zeroize::Zeroizing::new(pem(&paths.host_key())?);
    pem.push(b'\n');
    pem.extend_from_slice(certificate);
    reqwest::Identity::from_pem(&pem)
        .map_err(|error| io::Error::other(format!("{}: {error}", paths.host_key().display())))
}

fn pinned(settings: &Directory) -> io::Result<reqwest::Certificate> {
    let pem = pem(settings.ca_file.as_ref())?;
    reqwest::Certificate::from_pem(&pem)
        .map_err(|error| io::Error::other(format!("{}: {error}", settings.ca_file)))
}

fn pem(path: &std::path::Path) -> io::Result<Vec<u8>> {
    read_bounded(path, PEM_BYTES_MAX)?
        .ok_or_else(|| io::Error::other(format!("{} is missing; enrol again", path.display())))
}

/// Every part of a call has a deadline.
async fn within<T>(
    patience: Duration,
    call: impl Future<Output = Result<T, CallError>>,
) -> Result<T, CallError> {
    tokio::time::timeout(patience, call)
        .await
        .unwrap_or_else(|_| Err(CallError::Away(format!("no answer within {patience:?}"))))
}

/// The innermost cause says most: the outer ones repeat the address.
fn away(error: reqwest::Error) -> CallError {
    use std::error::Error;
    let error = error.without_url();
    let mut cause: &dyn Error = &error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    CallError::Away(posix_names::clean_line(&cause.to_string(), 256))
}

/// A 2xx answer, or what the problem says.
async fn accepted(response: Response) -> Result<Response, CallError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let body = within(LOGIN_BUDGET, bounded(response, PROBLEM_BYTES_MAX))
        .await
        .unwrap_or_default();
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    Err(CallError::Status {
        status,
        code: problem_text(&problem, &["code"]).unwrap_or_default(),
        detail: reason_in(&problem),
    })
}

/// What the problem says, and which rules a new password does not meet, for the person who chose it.
fn reason_in(problem: &serde_json::Value) -> String {
    let detail =
        problem_text(problem, &["detail", "title"]).unwrap_or_else(|| "no reason given".to_owned());
    let rules = problem.get("unmet").and_then(serde_json::Value::as_array);
    let rules: Vec<String> = rules
        .into_iter()
        .flatten()
        .filter_map(serde_json::Value::as_str)
        .take(RULES_SHOWN)
        .map(|rule| posix_names::clean_line(rule, RULE_BYTES_SHOWN))
        .collect();
    if rules.is_empty() {
        return detail;
    }
    format!("{}: {}.", detail.trim_end_matches('.'), rules.join("; "))
}

/// For calls whose only good answer is 204: a captive portal says 200 to everything.
async fn done(response: Response) -> Result<(), CallError> {
    let response = accepted(response).await?;
    if response.status() == StatusCode::NO_CONTENT {
        return Ok(());
    }
    Err(CallError::Nonsense(format!("status {}", response.status())))
}

fn problem_text(problem: &serde_json::Value, fields: &[&str]) -> Option<String> {
    let text = fields
        .iter()
        .find_map(|field| problem.get(field)?.as_str())?;
    Some(posix_names::clean_line(text, 512))
}

/// Reads a body and stops at the limit, whatever the headers promised.
pub(crate) async fn bounded(mut response: Response, most: usize) -> Result<Vec<u8>, CallError> {
    let mut body = Vec::new();
    while let Some(part) = response.chunk().await.map_err(away)? {
        if body.len() + part.len() > most {
            return Err(CallError::TooLong(most));
        }
        body.extend_from_slice(&part);
    }
    Ok(body)
}
