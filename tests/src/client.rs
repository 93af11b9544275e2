//! A person's machine in the lab: real `ssh`, `scp` and `sftp`, typed with a key or a password.

use crate::command::{OrFail, Outcome, fail, finish, run};
use crate::directory::ARRIVAL_LIMIT;
use crate::host::Host;
use crate::network::Cable;
use crate::terminal::Terminal;
use crate::wait::{Stopwatch, eventually};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// The machine where somebody types `ssh`.
#[derive(Debug)]
pub struct Client {
    home: PathBuf,
    cable: Cable,
}

/// How a login ended.
#[derive(Debug, Clone)]
pub struct Login {
    /// Exit status and output of the remote command.
    pub outcome: Outcome,
    /// From typing the command to its end.
    pub took: Duration,
}

impl Login {
    /// True when the login and the command in it succeeded.
    #[must_use]
    pub fn worked(&self) -> bool {
        self.outcome.succeeded()
    }

    /// The output of a login that must succeed.
    #[track_caller]
    pub fn succeeds(&self) -> String {
        self.outcome.text()
    }

    /// Checks that sshd refused: not just that something failed.
    #[track_caller]
    pub fn is_refused(&self) {
        let said = format!("{}{}", self.outcome.stdout, self.outcome.stderr);
        let not_reached = [
            "Connection refused",
            "timed out",
            "No route to host",
            "banner",
        ];
        if self.outcome.code != 255 || not_reached.iter().any(|word| said.contains(word)) {
            fail(&format!("this login had to be refused: {self:?}"));
        }
    }
}

/// One ssh login being prepared.
#[derive(Debug, Clone)]
pub struct Ssh<'a> {
    client: &'a Client,
    address: String,
    user: String,
    proof: Proof,
    extra: Vec<String>,
}

#[derive(Debug, Clone)]
enum Proof {
    Key(PathBuf),
    /// With a key or without; whatever else is asked is answered by the test.
    Asked(Option<PathBuf>),
    Password {
        method: &'static str,
        password: String,
    },
}

impl Client {
    pub(crate) fn new(lab: &Path, cable: Cable) -> Self {
        let home = lab.join(format!("home-{}", cable.address));
        fs::create_dir_all(&home).or_fail("make the home of a client");
        Self { home, cable }
    }

    /// The home folder of the person: keys and settings lie here.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// Makes a new ed25519 key; answers the path of its private half.
    #[must_use]
    pub fn new_key(&self, name: &str) -> PathBuf {
        let path = self.home.join(name);
        let target = path.display().to_string();
        run(
            "ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", &target],
        );
        path
    }

    /// The public half of a key made here.
    #[must_use]
    pub fn public_key(key: &Path) -> String {
        let path = key.with_extension("pub");
        fs::read_to_string(&path)
            .or_fail(&format!("read {}", path.display()))
            .trim()
            .to_owned()
    }

    /// The public half of a hardware key with the same point as a key made here; nobody can log in
    /// with it. Answers the path of a private half that is not there.
    #[must_use]
    #[track_caller]
    pub fn hardware_key(&self, key: &Path) -> PathBuf {
        const KIND: &str = "sk-ssh-ed25519@openssh.com";
        let software = Self::public_key(key);
        let encoded = software.split(' ').nth(1).or_fail("read a public key");
        let encoded = BASE64_STANDARD.decode(encoded);
        let blob = encoded.or_fail("read the encoding of a public key");
        let point = blob.last_chunk::<32>().or_fail("read the point of a key");
        let mut hardware = Vec::new();
        for part in [KIND.as_bytes(), point, b"ssh:"] {
            let length = u32::try_from(part.len()).or_fail("write a length");
            hardware.extend(length.to_be_bytes());
            hardware.extend(part);
        }
        let line = format!("{KIND} {}", BASE64_STANDARD.encode(hardware));
        let path = self.home.join("hardware-key");
        fs::write(path.with_extension("pub"), line).or_fail("write a public key");
        path
    }

    /// Runs a line of bash on the network of this client.
    #[must_use]
    #[track_caller]
    pub fn shell(&self, line: &str) -> Outcome {
        finish(&mut self.command("timeout", &["10", "bash", "-c", line]))
    }

    /// The fingerprint of a public key file, as `ssh-keygen -l` writes it.
    #[must_use]
    #[track_caller]
    pub fn fingerprint(public_key: &str) -> String {
        let said = run("ssh-keygen", &["-l", "-f", public_key]);
        said.split_whitespace()
            .nth(1)
            .or_fail("read a fingerprint")
            .to_owned()
    }

    /// True when a TCP connection to sshd of the host opens and its greeting arrives.
    #[must_use]
    pub fn reaches(&self, host: &Host) -> bool {
        let look = format!(
            "read -t 2 line < /dev/tcp/{}/22 && [[ $line == SSH-* ]]",
            host.address()
        );
        finish(&mut self.command("timeout", &["3", "bash", "-c", &look])).succeeded()
    }

    /// A program of the machine on the network of this client.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.cable.namespace));
        command.args([
            "env",
            "-i",
            "TERM=dumb",
            "PATH=/usr/local/bin:/usr/bin:/bin",
        ]);
        command
            .arg(format!("HOME={}", self.home.display()))
            .arg(program)
            .args(arguments);
        command
    }

    /// A login to a host; who and how is said next.
    #[must_use]
    pub fn ssh(&self, host: &Host) -> Ssh<'_> {
        Ssh {
            client: self,
            address: host.address().to_string(),
            user: "root".to_owned(),
            proof: Proof::Password {
                method: "password",
                password: String::new(),
            },
            extra: Vec::new(),
        }
    }
}

impl Ssh<'_> {
    /// The account on the host.
    #[must_use]
    pub fn user(mut self, user: &str) -> Self {
        user.clone_into(&mut self.user);
        self
    }

    /// Proves who it is with a key.
    #[must_use]
    pub fn key(mut self, key: &Path) -> Self {
        self.proof = Proof::Key(key.to_owned());
        self
    }

    /// Proves who it is with a password, by the method of that name.
    #[must_use]
    pub fn password(mut self, password: &str) -> Self {
        self.proof = Proof::Password {
            method: "password",
            password: password.to_owned(),
        };
        self
    }

    /// Proves who it is with a password that PAM asks for through keyboard-interactive.
    #[must_use]
    pub fn keyboard_interactive(mut self, password: &str) -> Self {
        let method = "keyboard-interactive";
        self.proof = Proof::Password {
            method,
            password: password.to_owned(),
        };
        self
    }

    /// Proves who it is with what the host asks at the terminal, after a key where there is one.
    #[must_use]
    pub fn asked(mut self, key: Option<&Path>) -> Self {
        self.proof = Proof::Asked(key.map(Path::to_owned));
        self
    }

    /// One more option of ssh, such as `-tt`.
    #[must_use]
    pub fn option(mut self, option: &str) -> Self {
        self.extra.push(option.to_owned());
        self
    }

    /// Logs in and runs a command there.
    #[track_caller]
    #[must_use]
    pub fn run(&self, remote: &str) -> Login {
        self.login(self.prepared("ssh", &[&self.at_host(), remote]))
    }

    /// Waits until the command works there, as long as news may take to arrive.
    #[track_caller]
    pub fn until_it_works(&self, remote: &str) {
        if !eventually(ARRIVAL_LIMIT, || self.run(remote).outcome.succeeded()) {
            self.run(remote).succeeds();
        }
    }

    /// Copies a file to the host with scp.
    #[track_caller]
    #[must_use]
    pub fn copy_to(&self, local: &Path, remote: &str) -> Login {
        let target = format!("{}:{remote}", self.at_host());
        self.login(self.prepared("scp", &[&local.display().to_string(), &target]))
    }

    /// Runs the commands of an sftp batch file; only with a key.
    #[track_caller]
    #[must_use]
    pub fn sftp(&self, batch: &str) -> Login {
        let file = self.client.home.join("batch");
        fs::write(&file, batch).or_fail("write an sftp batch");
        let file = file.display().to_string();
        self.login(self.prepared("sftp", &["-b", &file, &self.at_host()]))
    }

    /// Logs in with a key and stays: a terminal on the host.
    #[track_caller]
    #[must_use]
    pub fn terminal(&self) -> Terminal {
        self.clone().option("-tt").terminal_running("")
    }

    /// A terminal on the host that runs a command there.
    #[track_caller]
    #[must_use]
    pub fn terminal_running(&self, remote: &str) -> Terminal {
        let mut terminal = Terminal::start(self.prepared("ssh", &["-tt", &self.at_host(), remote]));
        if let Proof::Password { password, .. } = &self.proof {
            terminal.expect("(?i)password: ").answer(password);
        }
        terminal
    }

    /// `ssh`, `scp` or `sftp` with these arguments at a terminal; nothing is typed yet. `{}` stands
    /// for the account at the host.
    #[track_caller]
    #[must_use]
    pub fn conversation(&self, program: &str, arguments: &[&str]) -> Terminal {
        let target = self.at_host();
        let arguments: Vec<String> = arguments
            .iter()
            .map(|argument| argument.replace("{}", &target))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        Terminal::start(self.prepared(program, &arguments))
    }

    /// The command line somebody could type.
    #[must_use]
    pub fn command_line(&self) -> String {
        let command = self.prepared("ssh", &[&self.at_host()]);
        let words = command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned());
        format!("nsenter {}", words.collect::<Vec<_>>().join(" "))
    }

    fn at_host(&self) -> String {
        format!("{}@{}", self.user, self.address)
    }

    fn prepared(&self, program: &str, arguments: &[&str]) -> Command {
        let mut options = vec!["-F", "/dev/null"];
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "IdentitiesOnly=yes",
            "NumberOfPasswordPrompts=1",
            "ConnectTimeout=10",
        ] {
            options.extend(["-o", option]);
        }
        let proof = match &self.proof {
            Proof::Key(path) => vec![
                "-o".to_owned(),
                "BatchMode=yes".to_owned(),
                "-o".to_owned(),
                "PreferredAuthentications=publickey".to_owned(),
                "-i".to_owned(),
                path.display().to_string(),
            ],
            Proof::Asked(key) => {
                let mut words = vec![
                    "-o".to_owned(),
                    "PreferredAuthentications=publickey,keyboard-interactive".to_owned(),
                ];
                if let Some(key) = key {
                    words.extend(["-i".to_owned(), key.display().to_string()]);
                }
                words
            }
            Proof::Password { method, .. } => {
                vec![
                    "-o".to_owned(),
                    format!("PreferredAuthentications={method}"),
                ]
            }
        };
        options.extend(proof.iter().map(String::as_str));
        options.extend(self.extra.iter().map(String::as_str));
        options.extend(arguments);
        self.client.command(program, &options)
    }

    #[track_caller]
    fn login(&self, mut command: Command) -> Login {
        let watch = Stopwatch::start();
        let outcome = match &self.proof {
            Proof::Key(_) => finish(&mut command),
            Proof::Asked(_) => Terminal::start(command).finish(),
            Proof::Password { password, .. } => {
                let mut terminal = Terminal::start(command);
                if terminal.shows("(?i)password: ") {
                    terminal.answer(password);
                }
                terminal.finish()
            }
        };
        Login {
            outcome,
            took: watch.elapsed(),
        }
    }
}
