//! What happens to the database: DR-05, DR-07, backup and restore.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use directory_server::store::{self, OpenError};
use serde_json::json;

use crate::people_world::*;

const PROGRAM: &str = env!("CARGO_BIN_EXE_cloudid-directory");

async fn refusal(path: &Path) -> OpenError {
    store::open(path).await.map(drop).unwrap_err()
}

#[tokio::test]
async fn dr_05_a_missing_or_empty_database_is_not_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cloudid.db");
    assert!(matches!(refusal(&path).await, OpenError::Missing(_)));
    assert!(!path.exists(), "nothing is made by looking");
    std::fs::write(&path, b"").unwrap();
    assert!(matches!(refusal(&path).await, OpenError::Empty(_)));
    std::fs::remove_file(&path).unwrap();
    store::create(&path).await.unwrap().close().await;
    assert!(
        matches!(refusal(&path).await, OpenError::Empty(_)),
        "no organisation"
    );
}

#[tokio::test]
async fn dr_05_a_wiped_truncated_or_foreign_database_is_not_served() {
    let (directory, _) = Directory::with_owner().await;
    directory.app.store.close().await;
    let whole = std::fs::read(directory.database()).unwrap();
    let path = directory.folder.path().join("other.db");
    for length in [1, 100, whole.len() / 2, whole.len() - 4096] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let refused = refusal(&path).await.to_string();
        assert!(
            refused.contains("Restore the newest backup"),
            "{length} bytes: {refused}"
        );
    }
    std::fs::write(&path, vec![0; whole.len()]).unwrap();
    refusal(&path).await;
    std::fs::write(
        &path,
        b"#!/bin/sh\necho this is no database at all, but long enough\n",
    )
    .unwrap();
    assert!(matches!(refusal(&path).await, OpenError::Damaged(..)));
}

#[tokio::test]
async fn dr_05_a_database_of_a_newer_version_is_not_served() {
    let (directory, _) = Directory::with_owner().await;
    directory
        .sql(
            "INSERT INTO _sqlx_migrations SELECT 9999, 'newer', installed_on, success, checksum,
             execution_time FROM _sqlx_migrations LIMIT 1",
            &[],
        )
        .await;
    directory.app.store.close().await;
    assert!(matches!(
        refusal(&directory.database()).await,
        OpenError::Newer(..)
    ));
}

#[tokio::test]
async fn a_backup_of_a_busy_directory_is_whole() {
    let (directory, owner) = Directory::with_owner().await;
    directory
        .post(&owner, "/groups", json!({"name": "web"}))
        .await
        .good();
    let copy = directory.folder.path().join("copy.db");
    store::copy(&directory.database(), &copy).await.unwrap();
    directory
        .post(&owner, "/groups", json!({"name": "late"}))
        .await
        .good();
    let (restored, organisation) = store::open(&copy).await.unwrap();
    assert_eq!(organisation.id, "org_1");
    let groups: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM groups")
        .fetch_one(restored.read())
        .await
        .unwrap();
    assert_eq!(groups, 1);
    let again = store::copy(&directory.database(), &copy).await;
    assert!(
        matches!(again, Err(OpenError::Exists(_))),
        "a copy overwrites nothing"
    );
}

/// A directory of its own process, as an operator runs it.
struct Installed {
    folder: tempfile::TempDir,
    port: u16,
}

impl Installed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let at = folder.path().display();
        let settings = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"https://127.0.0.1:{port}\"\n\
             tls_cert = \"{at}/tls.crt\"\ntls_key = \"{at}/tls.key\"\n\
             [storage]\nurl = \"sqlite:{at}/cloudid.db\"\n\
             [password]\nargon2_memory_kib = 19456\nargon2_passes = 2\n\
             [keys]\nroot_chain = \"{at}/root\"\nsigning_key = \"{at}/signing\"\n\
             ca_cert = \"{at}/ca.crt\"\nca_key = \"{at}/ca.key\"\n"
        );
        std::fs::write(folder.path().join("directory.toml"), settings).unwrap();
        std::fs::write(
            folder.path().join("passphrase"),
            "a passphrase for the root key\n",
        )
        .unwrap();
        Self { folder, port }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(["--config", &self.path("directory.toml")])
            .args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn init(&self) {
        let made = self.run(&[
            "init",
            "--organisation",
            "Example",
            "--root-key-file",
            &self.path("root.key"),
            "--root-passphrase-file",
            &self.path("passphrase"),
            "--bootstrap-secret-file",
            &self.path("secret"),
        ]);
        assert!(
            made.status.success(),
            "{}",
            String::from_utf8_lossy(&made.stderr)
        );
    }

    fn serve(&self) -> Serving {
        let child = self
            .command(&["serve"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Serving(child)
    }

    fn client(&self) -> reqwest::Client {
        let ca = std::fs::read(self.path("ca.crt")).unwrap();
        reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap()
    }

    fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// The names of all groups.
    async fn groups(&self, client: &reqwest::Client, token: &str) -> Vec<String> {
        let mut there = Vec::new();
        let mut cursor = String::new();
        loop {
            let url = self.url(&format!("/api/v1/groups?limit=200&cursor={cursor}"));
            let page = client.get(url).bearer_auth(token).send().await.unwrap();
            let page: serde_json::Value = page.json().await.unwrap();
            let items = page["items"].as_array().unwrap();
            there.extend(
                items
                    .iter()
                    .map(|group| group["name"].as_str().unwrap().to_owned()),
            );
            match page["next_cursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        there
    }

    async fn until_ready(&self, client: &reqwest::Client) {
        for _ in 0..600 {
            if client
                .get(self.url("/readyz"))
                .send()
                .await
                .is_ok_and(|answer| answer.status().is_success())
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the directory does not come up");
    }
}

/// Killed without a word when it goes out of scope.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn dr_07_no_acknowledged_write_is_lost_when_the_server_is_killed() {
    let installed = Installed::new();
    installed.init();
    let client = installed.client();
    let mut serving = installed.serve();
    installed.until_ready(&client).await;
    let secret = std::fs::read_to_string(installed.path("secret")).unwrap();
    let body = json!({"secret": secret, "username": OWNER, "password": PASSWORD});
    let answer = client
        .post(installed.url("/api/v1/auth/bootstrap"))
        .json(&body)
        .send()
        .await
        .unwrap();
    let answer: serde_json::Value = answer.json().await.unwrap();
    let token = answer["token"].as_str().unwrap().to_owned();
    let mut acknowledged = Vec::new();
    for round in 0..3 {
        let mut writers = tokio::task::JoinSet::new();
        for writer in 0..4 {
            let (client, token, url) = (
                client.clone(),
                token.clone(),
                installed.url("/api/v1/groups"),
            );
            writers.spawn(async move {
                let mut done = Vec::new();
                for number in 0..1000 {
                    let name = format!("g{round}-{writer}-{number}");
                    let sent = client
                        .post(&url)
                        .bearer_auth(&token)
                        .json(&json!({"name": name}));
                    match sent.send().await {
                        Ok(answer) if answer.status().is_success() => done.push(name),
                        Ok(answer) => panic!("{}", answer.status()),
                        Err(_) => break,
                    }
                }
                done
            });
        }
        tokio::time::sleep(Duration::from_millis(700)).await;
        serving.0.kill().unwrap();
        serving.0.wait().unwrap();
        acknowledged.extend(writers.join_all().await.into_iter().flatten());
        serving = installed.serve();
        installed.until_ready(&client).await;
    }
    assert!(acknowledged.len() > 10, "{} writes", acknowledged.len());
    let there = installed.groups(&client, &token).await;
    for name in &acknowledged {
        assert!(there.contains(name), "{name} was acknowledged and is gone");
    }
    let verified = client
        .get(installed.url("/api/v1/events/verify"))
        .bearer_auth(&token);
    let verified: serde_json::Value = verified.send().await.unwrap().json().await.unwrap();
    assert_eq!(verified["intact"], true);
    drop(serving);
}

#[test]
fn dr_05_serve_refuses_with_the_reason_and_restore_overwrites_nothing() {
    let installed = Installed::new();
    let refused = installed.run(&["serve"]);
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("there is no database"));
    installed.init();
    let copy = installed.path("copy.db");
    assert!(installed.run(&["backup", &copy]).status.success());
    let over = installed.run(&["restore", &copy]);
    assert!(String::from_utf8_lossy(&over.stderr).contains("never overwrites"));
    std::fs::remove_file(installed.path("cloudid.db")).unwrap();
    assert!(!installed.run(&["serve"]).status.success());
    let restored = installed.run(&["restore", &copy]);
    assert!(
        restored.status.success(),
        "{}",
        String::from_utf8_lossy(&restored.stderr)
    );
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(installed.path("cloudid.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(
        !installed
            .run(&[
                "init",
                "--organisation",
                "X",
                "--root-key-file",
                "/nowhere/x",
                "--root-passphrase-file",
                &installed.path("passphrase"),
                "--bootstrap-secret-file",
                &installed.path("again")
            ])
            .status
            .success()
    );
}
