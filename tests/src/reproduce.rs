//! The same packages by two builders: programs that one builds from a copy of the sources, and what
//! differs between the packages of both.

use crate::base_root::say;
use crate::builder::Builder;
use crate::command::{OrFail, fail, finish, run};
use crate::packages::{Packages, sources};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies the sources to where a builder works below `folder`; what was there goes.
#[track_caller]
pub fn copy_sources(builder: &Builder, folder: &Path) {
    let own = folder.join(builder.name);
    if own.exists() {
        fs::remove_dir_all(&own).or_fail("remove what was built before");
    }
    let copy = builder.sources(folder);
    fs::create_dir_all(&copy).or_fail("make a folder for sources");
    let script = "tar -C \"$1\" --exclude=./.git --exclude=target -cf - . | tar -xf -";
    let mut command = builder.on_the_machine(script, &copy);
    ended(builder, command.arg(sources()));
}

/// Builds a builder's copy of the sources, or some crates of them: what cargo keeps is elsewhere as
/// well for anybody but the first. Answers the folder of what was built.
#[must_use]
#[track_caller]
pub fn build_copy(builder: &Builder, profile: &str, crates: &[&str], folder: &Path) -> PathBuf {
    let own = folder.join(builder.name);
    let target = own.join("built");
    let is_first = builder.name == Builder::FIRST.name;
    let cargo = if is_first { "" } else { ANOTHER_CARGO };
    say(&format!(
        "the {} builder builds {profile} ...",
        builder.name
    ));
    let script = format!("{cargo}shift\nsh packaging/build.sh \"$@\"");
    let mut command = builder.on_the_machine(&script, &builder.sources(folder));
    command.arg(own.join("cargo")).arg(profile).arg(&target);
    ended(builder, command.args(crates));
    target
}

#[track_caller]
fn ended(builder: &Builder, command: &mut Command) {
    let ended = finish(command);
    if !ended.succeeded() {
        fail(&format!("{} builder: {}", builder.name, ended.stderr));
    }
}

/// Archives of crates are those that were fetched before; they are unpacked anew.
const ANOTHER_CARGO: &str = "
cargo=$1
kept=${CARGO_HOME:-$HOME/.cargo}
mkdir -p \"$cargo/registry\"
ln -sfn \"$kept/registry/index\" \"$cargo/registry/index\"
ln -sfn \"$kept/registry/cache\" \"$cargo/registry/cache\"
if [ -e \"$kept/config.toml\" ]; then cp \"$kept/config.toml\" \"$cargo/\"; fi
export CARGO_HOME=\"$cargo\" CARGO_NET_OFFLINE=true
";

/// What differs between the packages of two builders, a line for each thing; nothing when all are
/// the same bytes.
#[must_use]
#[track_caller]
pub fn differences(first: &Packages, second: &Packages) -> Vec<String> {
    let (first, second) = (by_name(first), by_name(second));
    let names: BTreeSet<&String> = first.keys().chain(second.keys()).collect();
    let mut found = Vec::new();
    for name in names {
        match (first.get(name), second.get(name)) {
            (Some(one), Some(other)) => found.extend(between(name, one, other)),
            (Some(_), None) => found.push(format!("{name}: only the first made it")),
            (None, _) => found.push(format!("{name}: only the second made it")),
        }
    }
    found
}

#[track_caller]
fn by_name(packages: &Packages) -> BTreeMap<String, PathBuf> {
    let named = |file: PathBuf| {
        let name = file.file_name().unwrap_or_default();
        (name.to_string_lossy().into_owned(), file)
    };
    packages.files().into_iter().map(named).collect()
}

#[track_caller]
fn between(name: &str, one: &Path, other: &Path) -> Vec<String> {
    let bytes = |file: &Path| fs::read(file).or_fail("read a package");
    if bytes(one) == bytes(other) {
        return Vec::new();
    }
    let (one, other) = (members(one), members(other));
    let of = |who: &str, line: &String| format!("{name}: the {who} has {line}");
    let mut found: Vec<String> = one
        .difference(&other)
        .map(|line| of("first", line))
        .collect();
    found.extend(other.difference(&one).map(|line| of("second", line)));
    if found.is_empty() {
        found.push(format!("{name}: the same members, packed in another way"));
    }
    found
}

/// Owner, mode, size, time and name of each member of a package, and the digest of each file.
#[track_caller]
fn members(package: &Path) -> BTreeSet<String> {
    let list = r#"
        for part in ctrl fsys; do
            dpkg-deb --$part-tarfile "$1" | tar --full-time --numeric-owner -tvf -
            dpkg-deb --$part-tarfile "$1" |
                tar -xf - --to-command='echo "$(sha256sum | cut -c -64) $TAR_FILENAME"'
        done"#;
    let arguments = [
        "-euc".as_ref(),
        list.as_ref(),
        "sh".as_ref(),
        package.as_os_str(),
    ];
    run("sh", &arguments).lines().map(str::to_owned).collect()
}
