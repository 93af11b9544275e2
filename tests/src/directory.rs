//! A directory server on the network of the lab, with its administrator: what a test wants to be
//! true (a person, a rule, an enrolled host) is made with the real `cloudid` command.

use crate::client::Client;
use crate::command::{OrFail, Outcome, fail, finish, long_running, run};
use crate::edition::Edition;
use crate::host::Host;
use crate::lab::Lab;
use crate::network::Cable;
use crate::services::Service;
use crate::wait::eventually;
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::fs;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// The port the directory listens on.
pub const DIRECTORY_PORT: u16 = 8443;
/// The project every host of a test joins.
const PROJECT: &str = "demo";
/// Name and password of the administrator of every directory of a test.
pub const ADMINISTRATOR: (&str, &str) = ("olivia", "first administrator of the lab");
/// How long a change may take to reach a host before a test gives up.
pub(crate) const ARRIVAL_LIMIT: Duration = Duration::from_secs(20);

/// A running directory.
#[derive(Debug)]
pub struct Directory {
    folder: PathBuf,
    cable: Cable,
    dies_with_us: bool,
    edition: Cell<Edition>,
    running: RefCell<Option<Child>>,
}

impl Lab {
    /// A new directory that serves, with a signed-in administrator and one project.
    #[must_use]
    #[track_caller]
    pub fn directory(&self) -> Directory {
        self.directory_of(Edition::This)
    }

    /// The same of a chosen edition, as is the command of its administrator.
    #[must_use]
    #[track_caller]
    pub fn directory_of(&self, edition: Edition) -> Directory {
        let directory = Directory {
            folder: self.folder().join("directory"),
            cable: self.attach("directory"),
            dies_with_us: self.lives_with_this_process(),
            edition: Cell::new(edition),
            running: RefCell::new(None),
        };
        directory.initialise();
        directory.start();
        directory.sign_in();
        directory.ok(&["project", "add", PROJECT]);
        directory
    }
}

impl Directory {
    /// Its address for hosts and people.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}:{DIRECTORY_PORT}", self.cable.address)
    }

    /// The file with the certificate that its clients pin.
    #[must_use]
    pub fn certificate_authority(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// The way into its network, for programs that call it directly.
    #[must_use]
    pub fn door(&self) -> Door {
        Door(format!("/run/netns/{}", self.cable.namespace))
    }

    #[track_caller]
    fn initialise(&self) {
        fs::create_dir_all(self.folder.join("admin")).or_fail("make the folder of the directory");
        fs::write(self.config(), self.settings()).or_fail("write the settings of the directory");
        let passphrase = self.file("root-passphrase", "correct horse battery staple");
        let secret = self.folder.join("bootstrap-secret").display().to_string();
        let root = self.folder.join("root.key").display().to_string();
        let made = finish(
            self.program("cloudid-directory")
                .arg("--config")
                .arg(self.config())
                .args([
                    "init",
                    "--organisation",
                    "Example",
                    "--public-url",
                    &self.url(),
                    "--bootstrap-secret-file",
                    &secret,
                    "--root-key-file",
                    &root,
                    "--root-passphrase-file",
                    &passphrase,
                ]),
        );
        if !made.succeeded() {
            fail(&format!("the directory could not be made: {made:?}"));
        }
    }

    fn settings(&self) -> String {
        let folder = self.folder.display();
        let address = self.cable.address;
        format!(
            "[server]\nlisten = \"{address}:{DIRECTORY_PORT}\"\npublic_url = \"{url}\"\n\
             tls_cert = \"{folder}/tls.crt\"\ntls_key = \"{folder}/tls.key\"\n\
             [storage]\nurl = \"sqlite:{folder}/cloudid.db\"\n\
             [keys]\nroot_chain = \"{folder}/root-chain\"\nsigning_key = \"{folder}/signing.key\"\n\
             totp_key_file = \"{folder}/totp.key\"\n\
             ca_cert = \"{folder}/ca.crt\"\nca_key = \"{folder}/ca.key\"\n\
             [password]\nargon2_memory_kib = 19456\nargon2_passes = 2\n\
             [limits]\nlogin_per_minute_ip = 1000\nlogin_per_minute_user = 1000\n{packages}",
            url = self.url(),
            packages = match self.edition.get() {
                Edition::This | Edition::Previous =>
                    format!("[packages]\nfolder = \"{folder}/packages\"\n"),
                // served no packages
                Edition::Older => String::new(),
            },
        )
    }

    /// Starts serving and waits until it answers.
    #[track_caller]
    pub fn start(&self) {
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.folder.join("log"));
        let log = log.or_fail("open the log of the directory");
        let errors = log.try_clone().or_fail("share the log of the directory");
        let mut command = long_running(self.dies_with_us);
        command.arg("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.cable.namespace));
        command
            .arg(self.edition.get().program("cloudid-directory"))
            .arg("--config")
            .arg(self.config())
            .arg("serve");
        let child = command
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .spawn();
        let child = child.or_fail("start the directory");
        let lab = self.folder.parent().or_fail("find the folder of the lab");
        fs::write(lab.join("directory.pid"), child.id().to_string()).or_fail("note the directory");
        *self.running.borrow_mut() = Some(child);
        if !eventually(ARRIVAL_LIMIT, || self.answers()) {
            fail(&format!("the directory does not serve\n{}", self.log()));
        }
    }

    fn answers(&self) -> bool {
        let look = format!("exec 3<> /dev/tcp/{}/{DIRECTORY_PORT}", self.cable.address);
        finish(self.on_its_network("bash").args(["-c", &look])).succeeded()
    }

    /// Starts it again with a YubiKey validation server of its own.
    #[track_caller]
    pub fn validate_yubikeys(&self, client: &str, secret: &str, url: &str) {
        let secret = self.file("yubico-secret", secret);
        let section = format!(
            "[yubico]\nclient_id = \"{client}\"\nsecret_file = \"{secret}\"\nurls = [\"{url}\"]\n"
        );
        self.start_again_with(&section);
    }

    /// Starts it again with further settings.
    #[track_caller]
    pub fn start_again_with(&self, sections: &str) {
        fs::write(self.config(), self.settings() + sections)
            .or_fail("write the settings of the directory");
        self.kill();
        self.start();
    }

    /// Goes on with the programs of this edition and what the earlier ones have stored.
    #[track_caller]
    pub fn upgrade(&self) {
        self.edition.set(Edition::This);
        self.start_again_with("");
    }

    /// Kills it without warning.
    pub fn kill(&self) {
        if let Some(mut child) = self.running.borrow_mut().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Hangs it: connections are accepted by the kernel and never answered.
    #[track_caller]
    pub fn hang(&self) {
        self.signal("-STOP");
    }

    /// What is sent to it arrives in a trickle: a TLS handshake takes seconds.
    pub fn answer_late(&self) {
        self.cable.slow_down("8kbit");
    }

    /// Takes the brake off again.
    pub fn answer_in_time(&self) {
        self.cable.full_speed();
    }

    /// Lets it go on.
    #[track_caller]
    pub fn unhang(&self) {
        self.signal("-CONT");
    }

    #[track_caller]
    fn signal(&self, signal: &str) {
        let id = self
            .running
            .borrow()
            .as_ref()
            .map(Child::id)
            .or_fail("find the directory");
        run("kill", &[signal, &id.to_string()]);
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    #[track_caller]
    fn sign_in(&self) {
        let password = self.file("admin-password", ADMINISTRATOR.1);
        let secret = self.folder.join("bootstrap-secret").display().to_string();
        let authority = self.folder.join("ca.crt").display().to_string();
        self.ok(&[
            "login",
            "--url",
            &self.url(),
            "--ca-file",
            &authority,
            "--username",
            ADMINISTRATOR.0,
            "--bootstrap-secret-file",
            &secret,
            "--password-file",
            &password,
        ]);
    }

    /// Runs `cloudid` as the administrator, without judging the answer.
    #[track_caller]
    pub fn cloudid(&self, arguments: &[&str]) -> Outcome {
        finish(self.program("cloudid").args(arguments))
    }

    /// Runs `cloudid` as the administrator; it must succeed. Answers what it printed.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> String {
        self.cloudid(arguments).text()
    }

    /// An active person with a password, in groups that exist.
    #[track_caller]
    pub fn add_person(&self, name: &str, password: &str, groups: &[&str]) {
        let file = self.file(&format!("password-of-{name}"), password);
        let mut arguments = vec!["user", "add", name, "--active", "--yes"];
        arguments.extend(["--password-file", &file]);
        arguments.extend(groups.iter().flat_map(|group| ["--group", group]));
        self.ok(&arguments);
    }

    /// The public half of a key becomes one of the person's.
    #[track_caller]
    pub fn add_key(&self, person: &str, key: &Path) {
        let file = self.file("key.pub", &Client::public_key(key));
        self.ok(&["keys", "add", "--user", person, &file]);
    }

    /// Asks the API as a person with this session, or as a stranger without one. Answers the body.
    #[track_caller]
    #[must_use]
    pub fn api(&self, session: &str, (method, path): (&str, &str), body: &Value) -> Value {
        let header = format!("authorization: Bearer {session}");
        let header = self.file("api-header", &header);
        let body = self.file("api-body", &body.to_string());
        let mut command = self.on_its_network("curl");
        command
            .args(["--silent", "--show-error", "--fail-with-body", "--cacert"])
            .arg(self.certificate_authority())
            .args([
                "--request",
                method,
                "--header",
                "content-type: application/json",
            ])
            .args(["--data-binary", &format!("@{body}")])
            .arg(format!("{}/api/v1{path}", self.url()));
        if !session.is_empty() {
            command.args(["--header", &format!("@{header}")]);
        }
        let said = finish(&mut command).text();
        if said.is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&said).or_fail("read an answer of the directory")
    }

    /// A session of somebody who signs in with a password.
    #[track_caller]
    #[must_use]
    pub fn session_of(&self, person: &str, password: &str) -> String {
        let body = json!({"username": person, "password": password});
        let answer = self.api("", ("POST", "/auth/login"), &body);
        let token = answer.get("token").and_then(Value::as_str);
        token.or_fail("sign in at the directory").to_owned()
    }

    /// A group, and a rule that lets it log in to the hosts a selector names.
    #[track_caller]
    pub fn add_group_with_access(&self, group: &str, hosts: &str) {
        self.ok(&["group", "add", group, "--unix"]);
        let rule = format!("{group}-logs-in");
        self.ok(&[
            "rule", "access", "add", &rule, "--group", group, "--on", hosts,
        ]);
    }

    /// Installs cloudid on a host and enrols it with these tags.
    #[track_caller]
    pub fn enrol(&self, host: &Host, tags: &[&str]) {
        host.install();
        self.enrol_installed(host, tags);
    }

    /// Enrols a host that has cloudid installed.
    #[track_caller]
    pub fn enrol_installed(&self, host: &Host, tags: &[&str]) {
        host.write("/root/token", &self.new_token(host.name(), tags));
        host.ok("chmod 600 /root/token");
        let before = listening(host);
        let enrolled = host.run(&format!(
            "cloudid enroll {} --token-file /root/token --yes",
            self.url()
        ));
        if !enrolled.succeeded() {
            fail(&format!(
                "{} could not be enrolled: {enrolled:?}\n{}",
                host.name(),
                host.logs()
            ));
        }
        // sshd was told to reload and is deaf until it says that it listens again
        if !eventually(ARRIVAL_LIMIT, || listening(host) > before) {
            fail(&format!(
                "{}: sshd did not reload\n{}",
                host.name(),
                host.logs()
            ));
        }
    }

    /// A single-use enrolment token.
    #[track_caller]
    #[must_use]
    pub fn new_token(&self, name: &str, tags: &[&str]) -> String {
        self.new_token_with(name, tags, &[])
    }

    /// An enrolment token with further options of `cloudid token add`.
    #[track_caller]
    #[must_use]
    pub fn new_token_with(&self, name: &str, tags: &[&str], options: &[&str]) -> String {
        let file = self.folder.join(format!("token-{name}"));
        let _ = fs::remove_file(&file);
        let path = file.display().to_string();
        let mut arguments = vec!["token", "add", "--project", PROJECT, "--secret-to", &path];
        arguments.extend(tags.iter().flat_map(|tag| ["--tag", tag]));
        arguments.extend(options);
        self.ok(&arguments);
        fs::read_to_string(&file).or_fail("read an enrolment token")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = self.on_its_network("timeout");
        let program = self.edition.get().program(name);
        command.args(["--kill-after=1", "60"]).arg(program);
        command
    }

    fn on_its_network(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.cable.namespace));
        command.args(["env", "-i", "PATH=/usr/bin:/bin", "TERM=dumb"]);
        command
            .arg(format!("HOME={}", self.folder.join("admin").display()))
            .arg(program);
        command.stdin(Stdio::null());
        command
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn storage(&self) -> PathBuf {
        self.folder.join("cloudid.db")
    }

    fn config(&self) -> PathBuf {
        self.folder.join("directory.toml")
    }

    /// A file for an option that reads a secret.
    #[track_caller]
    fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.join(name);
        fs::write(&path, content).or_fail("write a file for the directory");
        run("chmod", &["600", &path.display().to_string()]);
        path.display().to_string()
    }
}

/// The way into a network of the lab.
#[derive(Debug, Clone)]
pub struct Door(String);

impl Door {
    /// Moves the calling thread into the network.
    #[track_caller]
    pub fn enter(&self) {
        let namespace = fs::File::open(&self.0).or_fail("open a network of the lab");
        let kind = rustix::thread::LinkNameSpaceType::Network;
        rustix::thread::move_into_link_name_space(namespace.as_fd(), Some(kind))
            .or_fail("enter a network of the lab");
    }
}

/// How often sshd has said that it listens.
fn listening(host: &Host) -> usize {
    host.log(Service::Sshd).matches("Server listening").count()
}

impl Drop for Directory {
    fn drop(&mut self) {
        if self.dies_with_us {
            self.kill();
        }
    }
}

impl Host {
    /// Waits until a command succeeds on this host, as long as news from the directory may take.
    #[track_caller]
    pub fn until(&self, command: &str) {
        if !eventually(ARRIVAL_LIMIT, || self.run(command).succeeded()) {
            let last = self.run(command);
            fail(&format!(
                "{}: this never came true: {last:?}\n{}",
                self.name(),
                self.logs()
            ));
        }
    }
}
