//! The directory as its operator has it: settings, files and a process of its own.

use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::people_world::{OWNER, PASSWORD};

const PROGRAM: &str = env!("CARGO_BIN_EXE_cloudid-directory");

/// A directory of its own process, as an operator runs it.
pub(crate) struct Installed {
    folder: tempfile::TempDir,
    port: u16,
}

impl Installed {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(PROGRAM);
        command
            .args(["--config", &self.path("directory.toml")])
            .args(arguments);
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn init(&self) {
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

    pub(crate) fn serve(&self) -> Serving {
        let child = self
            .command(&["serve"])
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Serving(child)
    }

    pub(crate) fn client(&self) -> reqwest::Client {
        let ca = std::fs::read(self.path("ca.crt")).unwrap();
        reqwest::Client::builder()
            .tls_certs_only([reqwest::Certificate::from_pem(&ca).unwrap()])
            .timeout(Duration::from_secs(20))
            .build()
            .unwrap()
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://127.0.0.1:{}{path}", self.port)
    }

    /// Makes the first owner, with the secret that `init` has left; the session.
    pub(crate) async fn first_owner(&self, client: &reqwest::Client) -> String {
        let secret = std::fs::read_to_string(self.path("secret")).unwrap();
        let body = json!({"secret": secret, "username": OWNER, "password": PASSWORD});
        let url = self.url("/api/v1/auth/bootstrap");
        let answer = client.post(url).json(&body).send().await.unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["token"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn until_ready(&self, client: &reqwest::Client) {
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
pub(crate) struct Serving(pub(crate) Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
