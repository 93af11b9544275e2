//! `cloudid-cacher enroll`: makes the host's keys, proves possession of the token to the directory
//! whose fingerprint the token carries, and stores what it gets. The keys never leave the host, and
//! the token's secret never travels.

mod pinning;
mod token;
mod write;

use std::path::Path;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use directory_api::agent::{EnrollAnswer, EnrollRequest, HostFacts};
use ed25519_dalek::Signer;
use jiff::Timestamp;
use signed_bundle::{SealingKey, verify_root_chain};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::disk::read_bounded;
use crate::paths::Paths;
use crate::sync::client::{base, bounded};
pub use token::{BadToken, Token};

const ANSWER_BYTES_MAX: usize = 1024 * 1024;
const TOKEN_BYTES_MAX: u64 = 4096;
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// What the admin has said.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Base address of the directory.
    pub directory: String,
    /// File that holds the token.
    pub token_file: std::path::PathBuf,
    /// Wanted host name.
    pub hostname: String,
    /// Tags from the host itself.
    pub tags: Vec<String>,
}

/// Why the host is not enrolled. Nothing was written, unless it says so.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// What the admin gave cannot be used.
    #[error("{0}")]
    Caller(String),
    /// The directory refused, or is not the one that the token names.
    #[error("{0}")]
    Directory(String),
    /// The directory cannot be reached, or not now: the same may work later.
    #[error("{0}")]
    Unreachable(String),
    /// The host cannot make or store what is needed.
    #[error("{0}")]
    Host(String),
}

impl EnrollError {
    fn host(error: impl std::fmt::Display) -> Self {
        Self::Host(error.to_string())
    }

    fn directory(error: impl std::fmt::Display) -> Self {
        Self::Directory(error.to_string())
    }
}

/// Enrols the host and writes everything the daemon needs.
///
/// # Errors
/// Says who must act. The token may be used up if the directory had already agreed.
pub async fn enroll(
    paths: &Paths,
    wanted: &Wanted,
    now: Timestamp,
) -> Result<EnrollAnswer, EnrollError> {
    let address = wanted.directory.trim_end_matches('/');
    if !address.starts_with("https://") {
        let problem = format!("{address} is not an https:// address of a directory");
        return Err(EnrollError::Caller(problem));
    }
    let token = read_token(&wanted.token_file)?;
    let keys = Keys::make(&wanted.hostname)?;
    let request = request(wanted, &token, &keys)?;
    let answer = ask(address, &token, &request).await?;
    let chain = BASE64_STANDARD
        .decode(&answer.root_chain)
        .map_err(EnrollError::directory)?;
    verify_root_chain(None, &answer.organisation, &chain, now).map_err(EnrollError::directory)?;
    pinning::same_ca(&answer.ca_certificate, &token).map_err(EnrollError::Directory)?;
    write::everything(paths, address, &keys, &answer, &chain).map_err(EnrollError::host)?;
    Ok(answer)
}

fn read_token(path: &Path) -> Result<Token, EnrollError> {
    let named = |problem: &dyn std::fmt::Display| {
        EnrollError::Caller(format!("{}: {problem}", path.display()))
    };
    let bytes = read_bounded(path, TOKEN_BYTES_MAX).map_err(|error| named(&error))?;
    let bytes = Zeroizing::new(bytes.ok_or_else(|| named(&"no such file"))?);
    let text = std::str::from_utf8(&bytes).map_err(|error| named(&error))?;
    // A second line may name the directory; whoever calls has read it.
    Token::parse(text.lines().next().unwrap_or_default()).map_err(|error| named(&error))
}

/// The host's own keys.
struct Keys {
    tls: Zeroizing<String>,
    certificate_request: String,
    sealing: SealingKey,
}

impl Keys {
    fn make(hostname: &str) -> Result<Self, EnrollError> {
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256)
            .map_err(EnrollError::host)?;
        let mut parameters =
            rcgen::CertificateParams::new([hostname.to_owned()]).map_err(|error| {
                EnrollError::Caller(format!("{hostname} cannot be a host name: {error}"))
            })?;
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        parameters
            .distinguished_name
            .push(rcgen::DnType::CommonName, hostname);
        let certificate_request = parameters
            .serialize_request(&key)
            .and_then(|request| request.pem())
            .map_err(EnrollError::host)?;
        let mut sealing = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *sealing).map_err(EnrollError::host)?;
        Ok(Self {
            tls: Zeroizing::new(key.serialize_pem()),
            certificate_request,
            sealing: SealingKey::from_bytes(sealing),
        })
    }
}

fn request(wanted: &Wanted, token: &Token, keys: &Keys) -> Result<EnrollRequest, EnrollError> {
    let mut nonce = [0; 32];
    getrandom::fill(&mut nonce).map_err(EnrollError::host)?;
    let sealing_key = keys.sealing.public().map_err(EnrollError::host)?;
    let mut request = EnrollRequest {
        token_id: token.id.clone(),
        hostname: wanted.hostname.clone(),
        certificate_request: keys.certificate_request.clone(),
        sealing_key: BASE64_STANDARD.encode(sealing_key.as_bytes()),
        nonce: BASE64_STANDARD.encode(nonce),
        facts: facts(),
        tags: wanted.tags.clone(),
        proof: String::new(),
    };
    let proof = token.key.sign(&request.transcript());
    request.proof = BASE64_STANDARD.encode(proof.to_bytes());
    Ok(request)
}

async fn ask(
    address: &str,
    token: &Token,
    request: &EnrollRequest,
) -> Result<EnrollAnswer, EnrollError> {
    let tls = pinning::tls(token.ca_fingerprint).map_err(EnrollError::host)?;
    let client = base(&Config::default().directory)
        .timeout(PATIENCE)
        .connect_timeout(PATIENCE)
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(EnrollError::host)?;
    let response = client
        .post(format!("{address}/agent/v1/enroll"))
        .json(request)
        .send()
        .await
        .map_err(|error| EnrollError::Unreachable(unreachable(address, &error)))?;
    let status = response.status();
    let body = bounded(response, ANSWER_BYTES_MAX)
        .await
        .map_err(EnrollError::directory)?;
    if !status.is_success() {
        let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
        let detail = problem.get("detail").and_then(serde_json::Value::as_str);
        let detail = posix_names::clean_line(detail.unwrap_or("no reason given"), 512);
        if status.is_server_error() || status == reqwest::StatusCode::TOO_MANY_REQUESTS {
            return Err(EnrollError::Unreachable(format!(
                "the directory cannot enrol this host now ({status}): {detail}"
            )));
        }
        return Err(EnrollError::Directory(format!(
            "the directory refused to enrol this host ({status}): {detail}"
        )));
    }
    serde_json::from_slice(&body).map_err(EnrollError::directory)
}

fn unreachable(address: &str, error: &reqwest::Error) -> String {
    use std::error::Error;
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    format!("{address} cannot be reached, or is not the directory the token was made by: {cause}")
}

fn facts() -> HostFacts {
    HostFacts {
        os: os_name(Path::new("/etc/os-release")),
        architecture: std::env::consts::ARCH.to_owned(),
        kernel: first_line(Path::new("/proc/sys/kernel/osrelease")),
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

fn first_line(path: &Path) -> String {
    let bytes = read_bounded(path, 4096).ok().flatten().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    posix_names::clean_line(text.lines().next().unwrap_or_default(), 128)
}

fn os_name(path: &Path) -> String {
    let bytes = read_bounded(path, 64 * 1024)
        .ok()
        .flatten()
        .unwrap_or_default();
    String::from_utf8_lossy(&bytes)
        .lines()
        .find_map(|line| line.strip_prefix("PRETTY_NAME="))
        .map(|name| posix_names::clean_line(name.trim_matches('"'), 128))
        .unwrap_or_default()
}
