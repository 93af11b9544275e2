//! `cargo xtask tidy`: house rules that the compiler does not know. Each rule is one file here and
//! answers the complaints it has; none means tidy.

mod acceptance;
mod module_crates;
mod sources;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

pub(crate) fn run() -> ExitCode {
    let complaints = complaints();
    for complaint in &complaints {
        eprintln!("{complaint}");
    }
    if complaints.is_empty() {
        println!("tidy");
        ExitCode::SUCCESS
    } else {
        eprintln!("{} complaints", complaints.len());
        ExitCode::FAILURE
    }
}

/// Everything that is not as agreed, one sentence each.
pub(crate) fn complaints() -> Vec<String> {
    let sources = rust_sources();
    let mut found = sources::complaints(&sources);
    found.extend(module_crates::complaints());
    found.extend(acceptance::complaints(&sources));
    found
}

/// A Rust file of the repository.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// `path:line: what`, the way compilers say it.
    fn complaint(&self, line: usize, what: &str) -> String {
        format!("{}:{line}: {what}", self.path.display())
    }
}

fn rust_sources() -> Vec<Source> {
    let workspace = crate::workspace();
    let listed = Command::new("git")
        .current_dir(&workspace)
        .args([
            "ls-files",
            "--cached",
            "--others",
            "--exclude-standard",
            "--",
            "*.rs",
        ])
        .output();
    let listed = listed.map(|listed| listed.stdout).unwrap_or_default();
    let listed = String::from_utf8_lossy(&listed).into_owned();
    let read = |path: &str| {
        let text = fs::read_to_string(workspace.join(path)).ok()?;
        Some(Source {
            path: Path::new(path).to_owned(),
            text,
        })
    };
    listed.lines().filter_map(read).collect()
}
