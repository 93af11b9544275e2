//! A machine on which a script logs in by paramiko, as Ansible and many others do. It can also play
//! a hardware key, which no real one is needed for.

use crate::command::{OrFail, Outcome};
use crate::host::Host;
use crate::lab::Lab;
use crate::layer::PARAMIKO;
use std::fs;
use std::path::{Path, PathBuf};

const SCRIPT: &str = include_str!("../programs/log_in.py");
const SEED: &str = "/root/seed-of-a-hardware-key";

/// A machine with paramiko.
#[derive(Debug)]
pub struct ScriptHost(Host);

/// What a script proves first.
#[derive(Debug, Clone, Copy)]
pub enum ScriptKey<'a> {
    /// Nothing: it answers what is asked.
    None,
    /// An ed25519 key.
    Software(&'a Path),
    /// The hardware key of the machine, touched by its verified owner.
    Hardware,
    /// The same, touched by anybody.
    Touched,
}

impl Lab {
    /// A machine with paramiko, and a hardware key that is there for good.
    #[must_use]
    #[track_caller]
    pub fn script_host(&self, name: &str) -> ScriptHost {
        let host = self.host_with(name, &PARAMIKO);
        host.write("/root/log_in.py", SCRIPT);
        host.write(SEED, name);
        ScriptHost(host)
    }
}

impl ScriptHost {
    /// Logs in and asks for the name there; what is asked meanwhile is answered in this order.
    #[must_use]
    #[track_caller]
    pub fn logs_in(&self, to: (&Host, &str), key: ScriptKey<'_>, answers: &[&str]) -> Outcome {
        self.script(to, key, "", answers)
    }

    /// Logs in, writes a file by sftp, and reads it and whose it is.
    #[must_use]
    #[track_caller]
    pub fn sends_a_file(&self, to: (&Host, &str), key: ScriptKey<'_>, answers: &[&str]) -> Outcome {
        self.script(to, key, "--sftp", answers)
    }

    /// As scripts do that know of one password and of nothing else.
    #[must_use]
    #[track_caller]
    pub fn knows_one_password(&self, to: (&Host, &str), password: &str) -> Outcome {
        self.script(to, ScriptKey::None, "--one-password", &[password])
    }

    #[track_caller]
    fn script(
        &self,
        (host, user): (&Host, &str),
        key: ScriptKey<'_>,
        way: &str,
        answers: &[&str],
    ) -> Outcome {
        let key = match key {
            ScriptKey::None => "-".to_owned(),
            ScriptKey::Software(file) => {
                self.0.copy_in(file, "/root/key", 0o600);
                "/root/key".to_owned()
            }
            ScriptKey::Hardware => format!("hardware:{SEED}"),
            ScriptKey::Touched => format!("touched:{SEED}"),
        };
        self.0.write("/root/answers", &(answers.join("\n") + "\n"));
        let address = host.address();
        self.0.run(&format!(
            "timeout 40 python3 -W ignore /root/log_in.py {address} {user} {key} {way} < /root/answers"
        ))
    }

    /// Keeps the public half of the hardware key; answers the path its private half would have.
    #[must_use]
    #[track_caller]
    pub fn hardware_key(&self, folder: &Path) -> PathBuf {
        let line = self.0.ok(&format!(
            "python3 -W ignore /root/log_in.py --public {SEED}"
        ));
        let path = folder.join("hardware-key");
        fs::write(path.with_extension("pub"), line).or_fail("write a public key");
        path
    }
}
