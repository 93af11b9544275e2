//! A directory that hands out packages and the line that installs them.

use crate::command::{OrFail, run};
use crate::directory::Directory;
use crate::packages::Packages;
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

impl Directory {
    /// Puts the packages of a host where new hosts fetch them.
    #[track_caller]
    pub fn offer(&self, packages: &Packages) {
        let folder = self.offered_packages();
        fs::create_dir_all(&folder).or_fail("make the folder of offered packages");
        for file in packages.files() {
            let name = file.file_name().unwrap_or_default();
            fs::copy(&file, folder.join(name)).or_fail("offer a package");
        }
    }

    /// The folder of those packages.
    #[must_use]
    pub fn offered_packages(&self) -> PathBuf {
        self.folder().join("packages")
    }

    /// A single-use enrolment token, and the line that the directory shows with it.
    #[track_caller]
    #[must_use]
    pub fn token_and_line(&self, name: &str, tags: &[&str]) -> (String, String) {
        let file = self.folder().join(format!("token-{name}"));
        let path = file.display().to_string();
        let mut arguments = vec!["--output", "json", "token", "add", "--project", "demo"];
        arguments.extend(["--secret-to", &path]);
        arguments.extend(tags.iter().flat_map(|tag| ["--tag", tag]));
        let record: Value = serde_json::from_str(&self.ok(&arguments)).or_fail("read a token");
        let line = record.get("install_line").and_then(Value::as_str);
        let token = run("cat", &[path]);
        (token, line.or_fail("find the line").to_owned())
    }
}
