//! A directory in a temporary folder with a clock that stands still, and hosts that call it as the
//! TLS listener would hand them on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, StatusCode, header};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use directory_api::agent::{EnrollAnswer, EnrollRequest, HostFacts};
use directory_server::agent::{self, HostChannel};
use directory_server::clock::{Clock, Random};
use directory_server::config::{Config, Override};
use directory_server::dirty::Touched;
use directory_server::http;
use directory_server::keys::{For, NewKeys, SigningKeys};
use directory_server::publish::{PublishError, Publisher, Wakes, everything};
use directory_server::state::AppState;
use directory_server::store::{self, Organisation};
use directory_server::tls::{Authority, PeerCertificate, RemoteAddress};
use ed25519_dalek::{Signer, SigningKey};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde::Serialize;
use serde::de::DeserializeOwned;
use signed_bundle::{
    Accepting, ReadSlice, RootDocument, SealingKey, accept_manifest, read_slice, verify_root_chain,
};
use tower::ServiceExt;
use zeroize::Zeroizing;

pub(crate) const START_MS: i64 = 1_800_000_000_000;

pub(crate) struct Directory {
    pub(crate) app: AppState,
    pub(crate) publisher: Option<Publisher>,
    router: Router,
    clock: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

/// An enrolment token in the hands of whoever enrols.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) id: String,
    pub(crate) key: SigningKey,
}

/// An enrolled host with what only it has.
pub(crate) struct Host {
    pub(crate) id: String,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) sealing_key: SealingKey,
    pub(crate) root: RootDocument,
}

/// How a token is made.
pub(crate) struct TokenSettings {
    pub(crate) max_uses: i64,
    pub(crate) expires_in_s: i64,
    pub(crate) approval_required: bool,
    pub(crate) tags: &'static str,
}

impl Default for TokenSettings {
    fn default() -> Self {
        Self {
            max_uses: 1,
            expires_in_s: 900,
            approval_required: false,
            tags: r#"["env=prod"]"#,
        }
    }
}

impl Directory {
    pub(crate) async fn new() -> Self {
        Self::with_changed(|_| ()).await
    }

    /// With other settings than those that are shipped.
    pub(crate) async fn with_changed(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(START_MS));
        let hand = Arc::clone(&clock);
        let time =
            Clock::new(move || Timestamp::from_millisecond(hand.load(Ordering::SeqCst)).unwrap());
        let random = Random::of_system();
        let store = store::create(&folder.path().join("cloudid.db"))
            .await
            .unwrap();
        let organisation = Organisation {
            id: "org_1".to_owned(),
            name: "Example".to_owned(),
            public_url: "https://directory.example".to_owned(),
        };
        let mut tx = store.write().await.unwrap();
        organisation.insert(&mut tx, "", START_MS).await.unwrap();
        tx.commit().await.unwrap();
        let (authority, _) = Authority::create("Example", time.now()).unwrap();
        let made = KEYS.get_or_init(|| new_keys(time.now()));
        let keys =
            SigningKeys::of(&made.root_chain, &made.signing_key, "org_1", time.now()).unwrap();
        let key_file = Override {
            section: "keys".to_owned(),
            key: "totp_key_file".to_owned(),
            value: folder.path().join("totp.key").display().to_string(),
        };
        let mut config = Config::read("", &[key_file]).unwrap();
        change(&mut config);
        let app = AppState::new(store, organisation, config, authority, (time, random));
        let (keys, wakes) = (Arc::new(keys), Wakes::default());
        let publisher = Publisher::new(app.clone(), Arc::clone(&keys), wakes.clone())
            .await
            .unwrap();
        let hosts = agent::router(HostChannel::new(app.clone(), keys, wakes));
        let directory = Self {
            router: http::router(app.clone(), hosts),
            app,
            publisher: Some(publisher),
            clock,
            _folder: folder,
        };
        directory
            .sql(
                "INSERT INTO projects VALUES ('prj_1', 'default', '', 0, 0, 'usr_0', 0, 1)",
                &[],
            )
            .await;
        directory
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub(crate) fn pass_ms(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Ordering::SeqCst);
    }

    /// Lets the publisher run by itself from now on.
    pub(crate) fn start_publisher(&mut self) {
        self.publisher.take().unwrap().start();
    }

    pub(crate) async fn publish(&mut self, touched: &Touched) -> BTreeMap<String, u64> {
        self.try_publish(touched).await.unwrap()
    }

    pub(crate) async fn try_publish(
        &mut self,
        touched: &Touched,
    ) -> Result<BTreeMap<String, u64>, PublishError> {
        self.publisher.as_mut().unwrap().publish(touched).await
    }

    pub(crate) async fn publish_all(&mut self) -> BTreeMap<String, u64> {
        self.publish(&everything()).await
    }

    pub(crate) async fn sql(&self, text: &'static str, values: &[&str]) {
        let mut tx = self.app.store.write().await.unwrap();
        let mut query = sqlx::query(text);
        for value in values {
            query = query.bind((*value).to_owned());
        }
        query.execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    }

    pub(crate) async fn count(&self, text: &'static str) -> i64 {
        sqlx::query_scalar(text)
            .fetch_one(self.app.store.read())
            .await
            .unwrap()
    }

    pub(crate) async fn user(&self, number: u32, verifier: Option<&str>) -> String {
        let (id, name) = (format!("usr_{number}"), format!("user{number}"));
        let mut tx = self.app.store.write().await.unwrap();
        sqlx::query(
            "INSERT INTO users (id, username, uid, state, display_name, email, description, labels,
             failed_logins, password_verifier, password_must_change, created_at, created_by,
             updated_at, version)
             VALUES ($1, $2, $3, 'active', $2, '', '', '{}', 0, $4, 0, 0, 'usr_0', 0, 1)",
        )
        .bind(&id)
        .bind(name)
        .bind(i64::from(71_000 + number))
        .bind(verifier)
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        id
    }

    /// A rule that lets a user in on some hosts.
    pub(crate) async fn allow(&self, rule: &str, user: &str, hosts: &str) {
        let json = serde_json::json!({
            "id": rule, "effect": "allow", "subjects": [{"user": user}], "hosts": hosts,
        });
        self.sql(
            "INSERT INTO access_rules VALUES ($1, $1, '', $2, 0, 'usr_0', 0, 1)",
            &[rule, &json.to_string()],
        )
        .await;
    }

    pub(crate) async fn suspend(&self, user: &str) {
        let mut tx = self.app.store.write().await.unwrap();
        sqlx::query("UPDATE users SET state = 'suspended' WHERE id = $1")
            .bind(user)
            .execute(&mut *tx)
            .await
            .unwrap();
        sqlx::query(
            "INSERT INTO fast_lane (sequence, verb, subject, message, created_at)
             SELECT COALESCE(MAX(sequence), 0) + 1, 'suspend_user', $1, NULL, $2 FROM fast_lane",
        )
        .bind(user)
        .bind(self.now_ms())
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        self.app.dirty.mark(Touched {
            users: [user.to_owned()].into(),
            fast_lane: true,
            ..Touched::default()
        });
    }

    pub(crate) async fn token(&self, settings: TokenSettings) -> Token {
        let seed: [u8; 32] = self.app.random.bytes().unwrap();
        let key = SigningKey::from_bytes(&seed);
        let id = format!(
            "tok_{}",
            BASE64_STANDARD.encode(&seed[..6]).replace(['+', '/'], "x")
        );
        let mut tx = self.app.store.write().await.unwrap();
        sqlx::query(
            "INSERT INTO enrollment_tokens VALUES
             ($1, $2, '', 'prj_1', $3, 0, 1800, $4, $5, 0, $6, NULL, 0, 'usr_0')",
        )
        .bind(&id)
        .bind(BASE64_STANDARD.encode(key.verifying_key().as_bytes()))
        .bind(settings.tags)
        .bind(i64::from(settings.approval_required))
        .bind(settings.max_uses)
        .bind(self.now_ms() + settings.expires_in_s * 1000)
        .execute(&mut *tx)
        .await
        .unwrap();
        tx.commit().await.unwrap();
        Token { id, key }
    }

    /// Enrols a host with a fresh token that gives it these tags.
    pub(crate) async fn host(&self, name: &str, tags: &'static str) -> Host {
        let token = self
            .token(TokenSettings {
                tags,
                ..TokenSettings::default()
            })
            .await;
        self.enroll(&token, name).await.unwrap()
    }

    pub(crate) async fn enroll(&self, token: &Token, name: &str) -> Result<Host, StatusCode> {
        let sealing_key = SealingKey::from_bytes(Zeroizing::new(self.app.random.bytes().unwrap()));
        let request = enroll_request(token, name, &sealing_key);
        let response = self.try_enroll(&request, "192.0.2.1").await;
        if response.status() != StatusCode::OK {
            return Err(response.status());
        }
        let answer: EnrollAnswer = json(response).await;
        let chain = BASE64_STANDARD.decode(answer.root_chain).unwrap();
        Ok(Host {
            id: answer.host_id,
            certificate: CertificateDer::from_pem_slice(answer.certificate.as_bytes()).unwrap(),
            root: verify_root_chain(None, "org_1", &chain, self.app.clock.now()).unwrap(),
            sealing_key,
        })
    }

    pub(crate) async fn try_enroll(&self, request: &EnrollRequest, address: &str) -> Response {
        let body = serde_json::to_vec(request).unwrap();
        let request = Request::builder()
            .method(Method::POST)
            .uri("/agent/v1/enroll")
            .header(header::CONTENT_TYPE, "application/json")
            .extension(RemoteAddress(SocketAddr::new(address.parse().unwrap(), 1)))
            .body(Body::from(body))
            .unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn get(&self, host: &Host, path: &str) -> Response {
        self.call(Some(host), Method::GET, path, Body::empty())
            .await
    }

    pub(crate) async fn post<T: Serialize>(&self, host: &Host, path: &str, body: &T) -> Response {
        let body = Body::from(serde_json::to_vec(body).unwrap());
        self.call(Some(host), Method::POST, path, body).await
    }

    pub(crate) async fn call(
        &self,
        host: Option<&Host>,
        method: Method,
        path: &str,
        body: Body,
    ) -> Response {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("/agent/v1/{path}"))
            .header(header::CONTENT_TYPE, "application/json")
            .extension(RemoteAddress(SocketAddr::from(([192, 0, 2, 1], 1))));
        if let Some(host) = host {
            request = request.extension(PeerCertificate(host.certificate.clone()));
        }
        let request = request.body(body).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Fetches, verifies and opens a host's newest bundle as the host would. Also returns every
    /// byte that it fetched.
    pub(crate) async fn bundle(
        &self,
        host: &Host,
    ) -> (signed_bundle::Manifest, ReadSlice, Vec<u8>) {
        let response = self.get(host, "manifest").await;
        assert_eq!(response.status(), StatusCode::OK);
        let mut fetched = bytes(response).await;
        let accepting = Accepting {
            root: &host.root,
            organisation: "org_1",
            host: &host.id,
            held: None,
            now: self.app.clock.now(),
        };
        let accepted = accept_manifest(&fetched, &accepting).unwrap();
        let mut chunks = BTreeMap::new();
        for reference in &accepted.manifest().chunks {
            let response = self
                .get(host, &format!("chunks/{}", reference.name()))
                .await;
            assert_eq!(response.status(), StatusCode::OK);
            let chunk = bytes(response).await;
            fetched.extend_from_slice(&chunk);
            chunks.insert(reference.sha256, chunk);
        }
        let fetch =
            |reference: &signed_bundle::ChunkReference| chunks.get(&reference.sha256).cloned();
        let read = read_slice(&accepted, fetch, &host.sealing_key).unwrap();
        assert_eq!(read.dropped, []);
        (accepted.manifest().clone(), read, fetched)
    }
}

/// Protecting a root key is slow on purpose: one is made for all tests.
static KEYS: OnceLock<NewKeys> = OnceLock::new();

fn new_keys(now: Timestamp) -> NewKeys {
    let of = For {
        organisation: "org_1",
        signing_ttl: jiff::SignedDuration::from_hours(24 * 90),
        now,
    };
    NewKeys::make(of, "correct horse", &Random::of_system()).unwrap()
}

pub(crate) fn enroll_request(token: &Token, name: &str, key: &SealingKey) -> EnrollRequest {
    let tls_key = rcgen::KeyPair::generate().unwrap();
    let csr = rcgen::CertificateParams::new(Vec::new())
        .unwrap()
        .serialize_request(&tls_key)
        .unwrap();
    let nonce: [u8; 32] = Random::of_system().bytes().unwrap();
    let mut request = EnrollRequest {
        token_id: token.id.clone(),
        hostname: name.to_owned(),
        certificate_request: csr.pem().unwrap(),
        sealing_key: BASE64_STANDARD.encode(key.public().unwrap().as_bytes()),
        nonce: BASE64_STANDARD.encode(nonce),
        facts: HostFacts::default(),
        tags: Vec::new(),
        proof: String::new(),
    };
    prove(&mut request, token);
    request
}

pub(crate) fn prove(request: &mut EnrollRequest, token: &Token) {
    let proof = token.key.sign(&request.transcript());
    request.proof = BASE64_STANDARD.encode(proof.to_bytes());
}

pub(crate) async fn bytes(response: Response) -> Vec<u8> {
    let body = axum::body::to_bytes(response.into_body(), 1 << 24)
        .await
        .unwrap();
    body.to_vec()
}

pub(crate) async fn json<T: DeserializeOwned>(response: Response) -> T {
    serde_json::from_slice(&bytes(response).await).unwrap()
}

/// The stable code of a problem.
pub(crate) async fn code(response: Response) -> String {
    let problem: serde_json::Value = json(response).await;
    problem["code"].as_str().unwrap().to_owned()
}
