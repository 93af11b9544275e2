//! The two modules are loaded into every process of a host. What is linked into them is written
//! down in `packaging/crates-of-*.txt`: a new crate there is a decision, not an accident.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const MODULES: &[&str] = &["nss_cloudid", "pam_cloudid"];

pub(super) fn complaints() -> Vec<String> {
    MODULES
        .iter()
        .flat_map(|module| complaints_about(module))
        .collect()
}

fn complaints_about(module: &str) -> Vec<String> {
    let file = format!("packaging/crates-of-{module}.txt");
    let Ok(written) = fs::read_to_string(crate::workspace().join(&file)) else {
        return vec![format!(
            "{file}: missing; it lists: {}",
            list(&linked(module))
        )];
    };
    let written: BTreeSet<String> = written
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(str::to_owned)
        .collect();
    let linked = linked(module);
    let more = linked
        .difference(&written)
        .map(|name| format!("{file}: lacks {name}"));
    let less = written
        .difference(&linked)
        .map(|name| format!("{file}: {name} is no longer in"));
    more.chain(less).collect()
}

/// Names of the crates that end up in the module.
fn linked(module: &str) -> BTreeSet<String> {
    let tree = Command::new("cargo")
        .current_dir(crate::workspace())
        .args([
            "tree",
            "--locked",
            "--package",
            module,
            "--edges",
            "normal,no-proc-macro",
        ])
        .args([
            "--prefix",
            "none",
            "--format",
            "{p}",
            "--target",
            "x86_64-unknown-linux-gnu",
        ])
        .output();
    let said = tree.map(|tree| tree.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).into_owned();
    said.lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect()
}

fn list(names: &BTreeSet<String>) -> String {
    names
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join(" ")
}
