//! A directory on port 0 that can be told to misbehave in every way: HTTP by hand over real TLS.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use cacher_daemon::paths::Paths;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::broadcast;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::world::Bundle;

/// How an answer is given.
#[derive(Clone, Debug, Default)]
pub(crate) enum Manner {
    #[default]
    Proper,
    /// Only the first bytes of every body, then the end.
    CutAfter(usize),
    /// A body without end.
    Endless,
    /// Headers without end.
    EndlessHeaders,
    /// Always this status and body.
    Always(u16, &'static str),
    /// To itself, for ever.
    Redirect,
    /// Takes the connection and says nothing.
    Silent,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) bundle: Bundle,
    pub(crate) manner: Manner,
    /// Only paths that contain this are answered in the manner; empty means all.
    pub(crate) only: &'static str,
    pub(crate) requests: Vec<String>,
    /// What calls said of the start of their daemon.
    pub(crate) runs: Vec<String>,
    pub(crate) acks: Vec<serde_json::Value>,
    pub(crate) events: Vec<serde_json::Value>,
    /// The answer to events gets lost.
    pub(crate) lose_event_answers: bool,
    pub(crate) owners: serde_json::Value,
    pub(crate) enroll: serde_json::Value,
    /// The answer to a code, and what was asked.
    pub(crate) code: Option<(u16, serde_json::Value)>,
    pub(crate) codes_asked: Vec<serde_json::Value>,
    /// The certificate (PEM) that a host gets when it renews its own.
    pub(crate) renewed: String,
    pub(crate) root_chain: Vec<u8>,
}

pub(crate) struct FakeDirectory {
    pub(crate) state: Arc<Mutex<State>>,
    pub(crate) push: broadcast::Sender<String>,
    pub(crate) address: String,
    pub(crate) ca_pem: String,
    pub(crate) ca_der: Vec<u8>,
    ca_key: rcgen::KeyPair,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FakeDirectory {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FakeDirectory {
    pub(crate) async fn start() -> Self {
        let _ = default_provider().install_default();
        let ca_key = rcgen::KeyPair::generate().unwrap();
        let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let ca_certificate = ca.self_signed(&ca_key).unwrap();
        let issuer = rcgen::Issuer::from_params(&ca, &ca_key);
        let server_key = rcgen::KeyPair::generate().unwrap();
        let server = rcgen::CertificateParams::new(["localhost".to_owned()])
            .unwrap()
            .signed_by(&server_key, &issuer)
            .unwrap();
        let chain: Vec<CertificateDer<'static>> =
            vec![server.der().clone(), ca_certificate.der().clone()];
        let key = PrivateKeyDer::try_from(server_key.serialize_der()).unwrap();
        let config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!(
            "https://localhost:{}",
            listener.local_addr().unwrap().port()
        );
        let state = Arc::new(Mutex::new(State::default()));
        let (push, _) = broadcast::channel(64);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let (shared, sender) = (Arc::clone(&state), push.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, state, push) =
                    (acceptor.clone(), Arc::clone(&shared), sender.clone());
                tokio::spawn(async move {
                    if let Ok(mut stream) = acceptor.accept(stream).await {
                        let _ = serve(&mut stream, &state, &push).await;
                    }
                });
            }
        });
        Self {
            state,
            push,
            address,
            ca_pem: ca_certificate.pem(),
            ca_der: ca_certificate.der().to_vec(),
            ca_key,
            task,
        }
    }

    /// A certificate (PEM) for a host's key, good between two years.
    pub(crate) fn certificate(&self, key: &rcgen::KeyPair, from: i32, until: i32) -> String {
        let mut ca = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = rcgen::Issuer::from_params(&ca, &self.ca_key);
        let mut host = rcgen::CertificateParams::new(["web-1".to_owned()]).unwrap();
        host.not_before = rcgen::date_time_ymd(from, 1, 1);
        host.not_after = rcgen::date_time_ymd(until, 1, 1);
        host.signed_by(key, &issuer).unwrap().pem()
    }

    /// Gives a host its key and certificate and points it here.
    pub(crate) fn certify(&self, paths: &Paths) {
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = self.certificate(&key, 2000, 4000);
        std::fs::write(paths.host_key(), key.serialize_pem()).unwrap();
        std::fs::write(paths.host_certificate(), certificate).unwrap();
        std::fs::write(paths.config.join("ca.pem"), &self.ca_pem).unwrap();
        let settings = format!(
            "[directory]\nurl = [\"{}\"]\nrequest_timeout = \"2s\"\n",
            self.address
        );
        std::fs::write(paths.directory_drop_in(), settings).unwrap();
    }

    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap())
    }
}

type Stream = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;

async fn serve(
    stream: &mut Stream,
    state: &Arc<Mutex<State>>,
    push: &broadcast::Sender<String>,
) -> std::io::Result<()> {
    loop {
        let Some((path, run, body)) = request(stream).await? else {
            return Ok(());
        };
        let manner = {
            let mut state = state.lock().unwrap();
            state.requests.push(path.clone());
            state.runs.push(run);
            if path.contains(state.only) {
                state.manner.clone()
            } else {
                Manner::Proper
            }
        };
        if matches!(manner, Manner::Proper) && path.contains("/stream") {
            return stream_events(stream, push).await;
        }
        let (status, answer) = answer(&path, &body, state);
        if !give(stream, &manner, status, &answer, &path).await? {
            return Ok(());
        }
    }
}

/// Path, run and body.
async fn request(stream: &mut Stream) -> std::io::Result<Option<(String, String, Vec<u8>)>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else {
            return Ok(None);
        };
        head.push(byte);
    }
    let text = String::from_utf8_lossy(&head).to_lowercase();
    let path = text
        .split_whitespace()
        .nth(1)
        .unwrap_or_default()
        .to_owned();
    let run = text
        .lines()
        .find_map(|line| line.strip_prefix("cloudid-run: "));
    let run = run.unwrap_or_default().to_owned();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.trim().parse().ok())
        .unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(Some((path, run, body)))
}

fn answer(path: &str, body: &[u8], state: &Arc<Mutex<State>>) -> (u16, Vec<u8>) {
    let mut state = state.lock().unwrap();
    let json = || serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
    let name = path.trim_start_matches("/agent/v1/");
    match name.split(['?', '/']).next().unwrap_or_default() {
        "manifest" if state.bundle.manifest.is_empty() => (304, Vec::new()),
        "manifest" => (200, state.bundle.manifest.clone()),
        "chunks" => match state.bundle.chunks.get(name.trim_start_matches("chunks/")) {
            Some(chunk) => (200, chunk.clone()),
            None => (404, b"{}".to_vec()),
        },
        "root" => (200, state.root_chain.clone()),
        "acks" => {
            state.acks.push(json());
            (204, Vec::new())
        }
        "events" => {
            let batch = json();
            let events = batch["events"].as_array().cloned().unwrap_or_default();
            let last = events.last().cloned().unwrap_or_default();
            state.events.extend(events);
            if state.lose_event_answers {
                return (500, Vec::new());
            }
            let stored = serde_json::json!({"boot": last["boot"], "sequence": last["sequence"]});
            (200, stored.to_string().into_bytes())
        }
        "owners" => (200, owners(&state.owners, &json()).to_string().into_bytes()),
        "certificates" => {
            let renewed = serde_json::json!({"certificate": state.renewed});
            (200, renewed.to_string().into_bytes())
        }
        "codes" => {
            state.codes_asked.push(json());
            let (status, body) = state.code.clone().unwrap_or((404, serde_json::json!({})));
            (status, body.to_string().into_bytes())
        }
        "enroll" => (200, state.enroll.to_string().into_bytes()),
        "verify" | "passwords" => {
            let asked = json();
            let typed = asked["password"].as_str().or(asked["old"].as_str());
            if asked["new"] == "short" {
                let rules = r#"{"code":"password_rejected","detail":"It does not meet the rules.",
                    "unmet":["at least 12 characters","not built\u001bon your own name"]}"#;
                (422, rules.into())
            } else if typed == Some(crate::world::PASSWORD) {
                (204, Vec::new())
            } else {
                (
                    403,
                    br#"{"code":"password_wrong","detail":"the password is wrong"}"#.to_vec(),
                )
            }
        }
        _ => (404, b"{}".to_vec()),
    }
}

/// Of all owners there are, those who were asked about.
fn owners(all: &serde_json::Value, asked: &serde_json::Value) -> serde_json::Value {
    let found = |kind: &str, ids: &str, names: &str| -> Vec<serde_json::Value> {
        let asked = [&asked[ids], &asked[names]].into_iter();
        let asked = asked.filter_map(|list| list.as_array()).flatten();
        let asked: BTreeSet<String> = asked.map(ToString::to_string).collect();
        let has = |value: &serde_json::Value| asked.contains(&value.to_string());
        let all = all[kind].as_array().into_iter().flatten();
        all.filter(|one| has(&one[0]) || has(&one[1]))
            .cloned()
            .collect()
    };
    serde_json::json!({
        "users": found("users", "uids", "user_names"),
        "groups": found("groups", "gids", "group_names"),
    })
}

/// Says whether the connection goes on.
async fn give(
    stream: &mut Stream,
    manner: &Manner,
    status: u16,
    body: &[u8],
    path: &str,
) -> std::io::Result<bool> {
    let head = |status: u16, length: usize| {
        format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n").into_bytes()
    };
    match manner {
        Manner::Proper => {
            // 204 and 304 have no body and must not announce one.
            let head = if body.is_empty() && matches!(status, 204 | 304) {
                format!("HTTP/1.1 {status} X\r\n\r\n").into_bytes()
            } else {
                head(status, body.len())
            };
            stream.write_all(&[head, body.to_vec()].concat()).await?;
            Ok(true)
        }
        Manner::CutAfter(bytes) => {
            let part = body.get(..*bytes).unwrap_or(body);
            stream
                .write_all(&[head(status, body.len() + 1), part.to_vec()].concat())
                .await?;
            stream.shutdown().await?;
            Ok(false)
        }
        Manner::Endless => {
            stream.write_all(b"HTTP/1.1 200 X\r\n\r\n").await?;
            loop {
                stream.write_all(&[b'x'; 16 * 1024]).await?;
            }
        }
        Manner::EndlessHeaders => {
            stream.write_all(b"HTTP/1.1 200 X\r\n").await?;
            loop {
                stream
                    .write_all(b"x-more: 0123456789012345678901234567890123456789\r\n")
                    .await?;
            }
        }
        Manner::Always(status, body) => {
            stream
                .write_all(&[head(*status, body.len()), body.as_bytes().to_vec()].concat())
                .await?;
            Ok(true)
        }
        Manner::Redirect => {
            let answer = format!("HTTP/1.1 302 X\r\nlocation: {path}\r\ncontent-length: 0\r\n\r\n");
            stream.write_all(answer.as_bytes()).await?;
            Ok(true)
        }
        Manner::Silent => std::future::pending().await,
    }
}

async fn stream_events(
    stream: &mut Stream,
    push: &broadcast::Sender<String>,
) -> std::io::Result<()> {
    let mut receiver = push.subscribe();
    stream
        .write_all(
            b"HTTP/1.1 200 X\r\ncontent-type: text/event-stream\r\n\r\nevent: ping\ndata:\n\n",
        )
        .await?;
    stream.flush().await?;
    while let Ok(event) = receiver.recv().await {
        stream.write_all(event.as_bytes()).await?;
        stream.flush().await?;
    }
    Ok(())
}
