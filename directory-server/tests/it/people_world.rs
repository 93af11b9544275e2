//! A directory in a temporary folder, called as people and programs call it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use directory_server::clock::{Clock, Random};
use directory_server::config::{Config, Override};
use directory_server::http::{SESSION_PREFIX, TOKEN_PREFIX, new_token, router};
use directory_server::state::AppState;
use directory_server::store::{self, Organisation};
use directory_server::tls::{Authority, RemoteAddress};
use jiff::Timestamp;
use serde_json::{Value, json};
use tower::ServiceExt;

pub(crate) const START_MS: i64 = 1_800_000_000_000;
pub(crate) const OWNER: &str = "ruth";
pub(crate) const PASSWORD: &str = "tangled marble ferry";
/// What `cloudid-directory init` would have left on the server, and its SHA-256.
pub(crate) const SECRET: &str = "one-time-secret";
const SECRET_HASH: &str = "l2nwYcofCQfePKTaPyOTfqKKXOoLBIwLXuWF9z-pLbw";

pub(crate) struct Directory {
    pub(crate) app: AppState,
    pub(crate) folder: tempfile::TempDir,
    router: Router,
    clock: Arc<AtomicI64>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn etag(&self) -> String {
        self.headers[header::ETAG].to_str().unwrap().to_owned()
    }

    /// For calls that must work.
    pub(crate) fn good(self) -> Self {
        assert!(self.status.is_success(), "{} {}", self.status, self.body);
        self
    }
}

/// A call in the making.
pub(crate) struct Asking<'a> {
    directory: &'a Directory,
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Asking<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw(serde_json::to_vec(body).unwrap())
    }

    pub(crate) fn raw(self, body: impl Into<Vec<u8>>) -> Self {
        self.raw_of_kind(body, "application/json")
    }

    pub(crate) fn raw_of_kind(mut self, body: impl Into<Vec<u8>>, kind: &str) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }

    pub(crate) async fn send(self) -> Answer {
        let mut request = Request::builder()
            .method(self.method)
            .uri(format!("/api/v1{}", self.path))
            .extension(RemoteAddress(SocketAddr::from(([192, 0, 2, 7], 4711))));
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Body::from(self.body)).unwrap();
        let response = self
            .directory
            .router
            .clone()
            .oneshot(request)
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let stream = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind == "text/event-stream");
        let bytes = if stream {
            axum::body::Bytes::new()
        } else {
            axum::body::to_bytes(body, usize::MAX).await.unwrap()
        };
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }
}

impl Directory {
    /// With nobody in it.
    pub(crate) async fn empty() -> Self {
        Self::with_settings(&cheap_settings(1000)).await
    }

    async fn with_settings(settings: &[Override]) -> Self {
        Self::with_changed(settings, |_| ()).await
    }

    /// With validation servers of YubiKeys, nobody in it yet.
    pub(crate) async fn with_yubico(client: &str, secret: &str, urls: Vec<String>) -> Self {
        Self::with_changed(&cheap_settings(1000), |config| {
            let file = config.keys.totp_key_file.with_file_name("yubico.secret");
            std::fs::write(&file, format!("{secret}\n")).unwrap();
            config.yubico.client_id = client.to_owned();
            config.yubico.secret_file = file;
            config.yubico.urls = urls;
        })
        .await
    }

    async fn with_changed(settings: &[Override], change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicI64::new(START_MS));
        let hand = Arc::clone(&clock);
        let time =
            Clock::new(move || Timestamp::from_millisecond(hand.load(Ordering::SeqCst)).unwrap());
        let store = store::create(&folder.path().join("cloudid.db"))
            .await
            .unwrap();
        let organisation = Organisation {
            id: "org_1".to_owned(),
            name: "Example".to_owned(),
            public_url: "https://directory.example".to_owned(),
        };
        let mut tx = store.write().await.unwrap();
        organisation
            .insert(&mut tx, SECRET_HASH, START_MS)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        let (authority, _) = Authority::create("Example", time.now()).unwrap();
        let mut config = Config::read("", settings).unwrap();
        config.keys.totp_key_file = folder.path().join("totp.key");
        config.packages = folder.path().join("packages");
        change(&mut config);
        let outside = (time, Random::of_system());
        let app = AppState::new(store, organisation, config, authority, outside);
        Self {
            router: router(app.clone(), Router::new()),
            app,
            folder,
            clock,
        }
    }

    /// With an owner, whose session is returned.
    pub(crate) async fn with_owner() -> (Self, String) {
        Self::with_owner_and_limits(1000).await
    }

    /// The same, where sources and accounts have so many tries a minute.
    pub(crate) async fn with_owner_and_limits(tries: u32) -> (Self, String) {
        let directory = Self::with_settings(&cheap_settings(tries)).await;
        let token = directory.first_owner().await;
        (directory, token)
    }

    /// With a mail relay at this address, and nobody in it.
    pub(crate) async fn with_relay(url: &str) -> Self {
        let mut settings = cheap_settings(1000);
        for (key, value) in [("smtp", url), ("from", "cloudid@example.org")] {
            settings.push(Override {
                section: "mail".to_owned(),
                key: key.to_owned(),
                value: value.to_owned(),
            });
        }
        Self::with_settings(&settings).await
    }

    /// Makes the first owner, whose session is returned.
    pub(crate) async fn first_owner(&self) -> String {
        let body = json!({"secret": SECRET, "username": OWNER, "password": PASSWORD});
        let answer = self.post("", "/auth/bootstrap", body).await;
        answer.good().text("token")
    }

    pub(crate) fn router(&self) -> Router {
        self.router.clone()
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.path().join("cloudid.db")
    }

    pub(crate) fn pass_ms(&self, milliseconds: i64) {
        self.clock.fetch_add(milliseconds, Ordering::SeqCst);
    }

    pub(crate) fn ask(&self, token: &str, method: Method, path: &str) -> Asking<'_> {
        let asking = Asking {
            directory: self,
            method,
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        };
        if token.is_empty() {
            return asking;
        }
        asking.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Answer {
        self.ask(token, Method::GET, path).send().await
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: Value) -> Answer {
        self.ask(token, Method::POST, path).json(&body).send().await
    }

    /// Reads an object and changes it with the version that was read.
    pub(crate) async fn patch(&self, token: &str, path: &str, body: Value) -> Answer {
        let version = self.get(token, path).await.good().etag();
        let asking = self
            .ask(token, Method::PATCH, path)
            .header("if-match", &version);
        asking.json(&body).send().await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> Answer {
        let version = self.get(token, path).await.good().etag();
        self.ask(token, Method::DELETE, path)
            .header("if-match", &version)
            .send()
            .await
    }

    /// An active user with these roles, signed in.
    pub(crate) async fn person(&self, owner: &str, name: &str, roles: &[&str]) -> String {
        let new = json!({"username": name, "active": true});
        let id = self.post(owner, "/users", new).await.good().text("id");
        for role in roles {
            let body = json!({"role": role, "user": name});
            self.post(owner, "/role-assignments", body).await.good();
        }
        let (token, hash) = new_token(SESSION_PREFIX, &self.app.random).unwrap();
        self.sql(
            "INSERT INTO sessions (id, token_hash, user_id, created_at, expires_at, last_used_at)
             SELECT 'ses_' || $1, $2, $1, $3, $3 + 40000000, $3",
            &[&id, &hash],
        )
        .await;
        token
    }

    /// One more session of somebody.
    pub(crate) async fn another_session(&self, name: &str) -> String {
        let (token, hash) = new_token(SESSION_PREFIX, &self.app.random).unwrap();
        self.sql(
            "INSERT INTO sessions (id, token_hash, user_id, created_at, expires_at, last_used_at)
             SELECT 'ses_' || $2, $2, id, $3, $3 + 40000000, $3 FROM users WHERE username = $1",
            &[name, &hash],
        )
        .await;
        token
    }

    /// A token of a user with these scopes.
    pub(crate) async fn api_token(&self, user: &str, scopes: &str) -> String {
        let (token, hash) = new_token(TOKEN_PREFIX, &self.app.random).unwrap();
        self.sql(
            "INSERT INTO api_tokens SELECT 'key_' || $2, $2, id, 'test', $4, $3, $3 + 40000000, NULL
             FROM users WHERE username = $1",
            &[user, &hash, "", scopes],
        )
        .await;
        token
    }

    /// `$3` is the present moment.
    pub(crate) async fn sql(&self, text: &'static str, values: &[&str]) {
        let mut tx = self.app.store.write().await.unwrap();
        let mut query = sqlx::query(text);
        for index in 0..values.len().max(3) {
            query = match values.get(index) {
                _ if index == 2 => query.bind(self.clock.load(Ordering::SeqCst)),
                Some(value) => query.bind((*value).to_owned()),
                None => query.bind(""),
            };
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

    /// A host that was enrolled some time ago.
    pub(crate) async fn host(&self, name: &str, tag: &str) {
        let digits: String = name.bytes().map(|byte| format!("{byte:02x}")).collect();
        let id = format!("hst_{digits:0<32}");
        self.sql(
            "INSERT OR IGNORE INTO projects VALUES ('prj_1', 'main', '', 0, $3, 'usr_0', $3, 1)",
            &[],
        )
        .await;
        self.sql(
            "INSERT INTO hosts VALUES ($2, $1, 'active', 'prj_1', '', '', '01', $1, '',
             '{}', 'tok_1', 0, 0, NULL, 0, 0, 0, NULL, $3, $3, 1, '', 0, 0, '')",
            &[name, &id],
        )
        .await;
        self.sql(
            "INSERT INTO host_tags VALUES ($1, $2, 'admin')",
            &[&id, tag],
        )
        .await;
    }
}

/// Hashing as cheap as the rules allow, and enough tries for a test.
fn cheap_settings(tries: u32) -> Vec<Override> {
    let tries = tries.to_string();
    [
        ("password", "argon2_memory_kib", "19456"),
        ("password", "argon2_passes", "2"),
        ("limits", "login_per_minute_ip", tries.as_str()),
        ("limits", "login_per_minute_user", tries.as_str()),
    ]
    .map(|(section, key, value)| Override {
        section: section.to_owned(),
        key: key.to_owned(),
        value: value.to_owned(),
    })
    .into()
}
