//! Somebody who types `cloudid`, with a home of their own and nothing else in the environment.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::directory::{Answering, Directory};

pub(crate) struct Person {
    home: tempfile::TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) output: String,
    pub(crate) errors: String,
}

impl Person {
    pub(crate) fn new() -> Self {
        Self {
            home: tempfile::tempdir().unwrap(),
        }
    }

    /// Somebody with a session at a directory that gives these answers.
    pub(crate) fn signed_in(answering: Answering) -> (Self, Directory) {
        let (person, directory) = (Self::new(), Directory::serve(answering));
        let ca = person.file("ca.pem", &directory.ca);
        let password = person.file("password", "hunter22hunter22\n");
        let mut words = vec!["login", "--url", &directory.url, "--ca-file", &ca];
        words.extend(["--username", "admin", "--password-file", &password]);
        let ended = person.types(&words);
        assert_eq!(ended.code, 0, "{ended:?}");
        (person, directory)
    }

    pub(crate) fn types(&self, arguments: &[&str]) -> Ended {
        let ended = Command::new(env!("CARGO_BIN_EXE_cloudid"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.home.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ended {
            code: ended.status.code().unwrap(),
            output: text(ended.stdout),
            errors: text(ended.stderr),
        }
    }

    pub(crate) fn file(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn session(&self) -> PathBuf {
        self.path(".local/state/cloudid/session-default.json")
    }

    pub(crate) fn mode_of(path: &Path) -> u32 {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }
}

/// What was printed, without the port, which differs from run to run.
pub(crate) fn shown(ended: &Ended, directory: &Directory) -> String {
    format!("exit {}\n{}{}", ended.code, ended.output, ended.errors).replace(&directory.url, "URL")
}
