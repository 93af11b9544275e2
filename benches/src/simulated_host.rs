//! A host as the directory sees it: enrols with keys of its own, keeps the push stream open,
//! verifies what comes, and acknowledges. It has no PAM, no NSS and no disk.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use directory_api::agent::{
    Acknowledgement, EndedSessions, EnrollAnswer, EnrollRequest, HostFacts, TOKEN_PREFIX, stream,
};
use ed25519_dalek::{Signer as _, SigningKey};
use futures_util::StreamExt as _;
use signed_bundle::{
    Accepting, FastAction, Held, RootDocument, SealingKey, accept_manifest, check_chunk,
    open_fast_message, verify_root_chain,
};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::Failure;
use crate::clock;

/// When a simulated host had refused a user.
pub(crate) struct Refused {
    /// `usr_…`
    pub(crate) user: String,
    /// The moment.
    pub(crate) at: Instant,
}

/// One enrolled host. As on a real one, the stream is read by one task and bundles are fetched by
/// another: a revocation never waits for a bundle.
pub(crate) struct SimulatedHost {
    base: String,
    http: reqwest::Client,
    answer: EnrollAnswer,
    root: RootDocument,
    bundle_version: AtomicU64,
    fast_lane_sequence: AtomicU64,
    refusals: UnboundedSender<Refused>,
}

/// What a host keeps of its bundles.
#[derive(Default)]
struct Mirror {
    held: Option<Held>,
    chunks: HashSet<[u8; 32]>,
}

impl SimulatedHost {
    /// Enrols with a token of many uses.
    pub(crate) async fn enrol(
        base: &str,
        ca_pem: &str,
        token: &str,
        name: &str,
        refusals: UnboundedSender<Refused>,
    ) -> Result<Self, Failure> {
        let key = rcgen::KeyPair::generate()?;
        let request = enroll_request(token, name, &key)?;
        let answer: EnrollAnswer = client(ca_pem, None)?
            .post(format!("{base}/agent/v1/enroll"))
            .json(&request)
            .send()
            .await?
            .error_for_status()?
            .json()
            .await?;
        let identity = format!("{}{}", answer.certificate, key.serialize_pem());
        let chain = STANDARD.decode(&answer.root_chain)?;
        let root = verify_root_chain(None, &answer.organisation, &chain, clock::now())?;
        Ok(Self {
            base: base.to_owned(),
            http: client(ca_pem, Some(&identity))?,
            answer,
            root,
            bundle_version: AtomicU64::new(0),
            fast_lane_sequence: AtomicU64::new(0),
            refusals,
        })
    }

    /// Follows the push stream until it ends, and fetches bundles. Says so at each bundle.
    pub(crate) async fn follow(self, ready: UnboundedSender<()>) -> Result<(), Failure> {
        let host = Arc::new(self);
        let (announced, announcements) = watch::channel(0);
        let bundles = tokio::spawn(Arc::clone(&host).fetch_all(announcements, ready));
        let ended = host.listen(&announced).await;
        drop(announced);
        bundles.await??;
        ended
    }

    async fn listen(self: &Arc<Self>, announced: &watch::Sender<u64>) -> Result<(), Failure> {
        let address = format!("{}/agent/v1/stream", self.base);
        let answer = self.http.get(address).send().await?.error_for_status()?;
        let mut body = answer.bytes_stream();
        let mut text = String::new();
        while let Some(piece) = body.next().await {
            text.push_str(&String::from_utf8_lossy(&piece?));
            while let Some((event, rest)) = text.split_once("\n\n") {
                match (field(event, "event"), field(event, "data")) {
                    (Some(stream::FAST), Some(data)) => self.refuse(&STANDARD.decode(data)?)?,
                    (Some(stream::MANIFEST), Some(version)) => {
                        announced.send_replace(version.parse()?);
                    }
                    _ => {}
                }
                text = rest.to_owned();
            }
        }
        Ok(())
    }

    fn refuse(self: &Arc<Self>, message: &[u8]) -> Result<(), Failure> {
        let (organisation, newest) = (&self.answer.organisation, &self.fast_lane_sequence);
        let held = newest.load(Ordering::SeqCst);
        let message = open_fast_message(message, &self.root, organisation, held)?;
        newest.store(message.sequence, Ordering::SeqCst);
        let FastAction::SuspendUser { user } = message.action else {
            return Ok(());
        };
        let at = clock::instant();
        let _ = self.refusals.send(Refused {
            user: user.clone(),
            at,
        });
        let ended = EndedSessions {
            user,
            processes: 1,
            took_ms: 0,
        };
        let host = Arc::clone(self);
        tokio::spawn(async move {
            if let Err(error) = host.acknowledge(vec![ended]).await {
                println!("an acknowledgement was not taken: {error}");
            }
        });
        Ok(())
    }

    /// Fetches the first bundle, then every one that is announced.
    async fn fetch_all(
        self: Arc<Self>,
        mut announcements: watch::Receiver<u64>,
        ready: UnboundedSender<()>,
    ) -> Result<(), Failure> {
        let mut mirror = Mirror::default();
        // The first bundle of a new host may not be made yet: this waits for it.
        self.fetch(&mut mirror, 20).await?;
        let _ = ready.send(());
        while announcements.changed().await.is_ok() {
            let version = *announcements.borrow_and_update();
            if version > self.bundle_version.load(Ordering::SeqCst) {
                self.fetch(&mut mirror, 0).await?;
                let _ = ready.send(());
            }
        }
        Ok(())
    }

    async fn fetch(&self, mirror: &mut Mirror, wait: u32) -> Result<(), Failure> {
        let after = self.bundle_version.load(Ordering::SeqCst);
        let address = format!("{}/agent/v1/manifest?wait={wait}&after={after}", self.base);
        let bytes = self.http.get(address).send().await?.error_for_status()?;
        if bytes.status() == reqwest::StatusCode::NOT_MODIFIED {
            return Ok(());
        }
        let accepting = Accepting {
            root: &self.root,
            organisation: &self.answer.organisation,
            host: &self.answer.host_id,
            held: mirror.held,
            now: clock::now(),
        };
        let accepted = accept_manifest(&bytes.bytes().await?, &accepting)?;
        for reference in &accepted.manifest().chunks {
            if mirror.chunks.contains(&reference.sha256) {
                continue;
            }
            let name = hexadecimal(&reference.sha256);
            let address = format!("{}/agent/v1/chunks/{name}", self.base);
            let chunk = self.http.get(address).send().await?.error_for_status()?;
            check_chunk(reference, &chunk.bytes().await?)?;
            mirror.chunks.insert(reference.sha256);
        }
        let held = accepted.held();
        self.bundle_version.store(held.version, Ordering::SeqCst);
        mirror.held = Some(held);
        self.acknowledge(Vec::new()).await
    }

    async fn acknowledge(&self, ended: Vec<EndedSessions>) -> Result<(), Failure> {
        let acknowledgement = Acknowledgement {
            bundle_version: self.bundle_version.load(Ordering::SeqCst),
            fast_lane_sequence: self.fast_lane_sequence.load(Ordering::SeqCst),
            host_time_ms: clock::now().as_millisecond(),
            ended,
            refused: None,
        };
        self.http
            .post(format!("{}/agent/v1/acks", self.base))
            .json(&acknowledgement)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }
}

fn enroll_request(token: &str, name: &str, key: &rcgen::KeyPair) -> Result<EnrollRequest, Failure> {
    let mut parts = token.trim().split('.');
    let (Some(TOKEN_PREFIX), Some(token_id), Some(seed)) =
        (parts.next(), parts.next(), parts.next())
    else {
        return Err("not an enrolment token".into());
    };
    let seed: [u8; 32] = URL_SAFE_NO_PAD
        .decode(seed)?
        .try_into()
        .map_err(|_| "an enrolment token's seed has 32 bytes")?;
    let sealing = SealingKey::from_bytes(Zeroizing::new(random()?));
    let csr = rcgen::CertificateParams::new(vec![name.to_owned()])?.serialize_request(key)?;
    let mut request = EnrollRequest {
        token_id: token_id.to_owned(),
        hostname: name.to_owned(),
        certificate_request: csr.pem()?,
        sealing_key: STANDARD.encode(sealing.public()?.as_bytes()),
        nonce: STANDARD.encode(random()?),
        facts: HostFacts::default(),
        tags: Vec::new(),
        proof: String::new(),
    };
    let proof = SigningKey::from_bytes(&seed).sign(&request.transcript());
    request.proof = STANDARD.encode(proof.to_bytes());
    Ok(request)
}

/// A client that trusts one certificate authority, with or without a certificate of its own.
pub(crate) fn client(ca_pem: &str, identity: Option<&str>) -> Result<reqwest::Client, Failure> {
    let ca = reqwest::Certificate::from_pem(ca_pem.as_bytes())?;
    let mut builder = reqwest::Client::builder().tls_certs_only([ca]);
    if let Some(identity) = identity {
        builder = builder.identity(reqwest::Identity::from_pem(identity.as_bytes())?);
    }
    Ok(builder.build()?)
}

fn random() -> Result<[u8; 32], Failure> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

fn field<'a>(event: &'a str, name: &str) -> Option<&'a str> {
    event.lines().find_map(|line| {
        line.strip_prefix(name)?
            .strip_prefix(':')
            .map(str::trim_start)
    })
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
