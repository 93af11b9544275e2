//! What of the soak needs a nightly compiler: the module under the address sanitizer, and its safe
//! parts in Miri. Without one, it says so.

use crate::steps::Steps;
use std::process::{Command, Stdio};

/// What is loaded into every process, and what it is made of.
const LOADED: &[&str] = &["nss_cloudid", "identity-map", "local-protocol"];
const TARGET: &str = "x86_64-unknown-linux-gnu";
/// The library that other programs must load before a module that was built for it.
const SANITIZER: &str = "libasan.so";
/// Tests that the sanitizer itself cannot pass: it takes memory, address space and stack of its own,
/// is not in every root, hangs in children of processes with threads, and is in a test's own
/// program already.
const BEYOND_IT: &[&str] = &[
    "limits::",
    "early::",
    "long_lived::",
    "nss_09",
    "nss_24_random",
];

/// Tests of the crates, and of the module in programs of glibc, with every access to memory checked.
pub(crate) fn address_sanitizer(steps: &mut Steps) {
    let name = "address sanitizer";
    if !there(&["--version"]) {
        return steps.skip(
            name,
            "no nightly compiler: rustup toolchain install nightly",
        );
    }
    let Some(library) = library_of_gcc() else {
        return steps.skip(name, "gcc has no libasan.so");
    };
    let mut tests = nightly(&["test", "--locked", "--target", TARGET]);
    packages(&mut tests);
    tests
        .args(["--lib", "--tests", "--target-dir", "target/sanitizer"])
        .env(
            "RUSTFLAGS",
            "-Zsanitizer=address -Cforce-frame-pointers=yes",
        )
        // What programs of others leave behind is not looked for.
        .env("ASAN_OPTIONS", "detect_leaks=0:verify_asan_link_order=0")
        .env("CLOUDID_TEST_PRELOAD", library)
        .arg("--")
        .args(BEYOND_IT.iter().flat_map(|name| ["--skip", name]));
    steps.tests(name, &mut tests);
}

/// Tests inside the crates: what they do is allowed by the language, not just right by chance.
pub(crate) fn miri(steps: &mut Steps) {
    let name = "Miri";
    if !there(&["miri", "--version"]) {
        return steps.skip(
            name,
            "Miri is not installed: rustup component add miri --toolchain nightly",
        );
    }
    let mut tests = nightly(&["miri", "test", "--locked"]);
    packages(&mut tests);
    tests
        .args(["--lib", "--target-dir", "target/miri"])
        .env("MIRIFLAGS", "-Zmiri-disable-isolation");
    steps.tests(name, &mut tests);
}

fn packages(command: &mut Command) {
    command.args(LOADED.iter().flat_map(|name| ["--package", name]));
}

fn nightly(arguments: &[&str]) -> Command {
    let mut command = Command::new("cargo");
    command
        .current_dir(crate::workspace())
        .arg("+nightly")
        .args(arguments)
        // Set by the cargo that started this program, for the compiler of that one.
        .env_remove("RUSTC")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO");
    command
}

fn there(arguments: &[&str]) -> bool {
    let tried = nightly(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}

fn library_of_gcc() -> Option<String> {
    let asked = format!("-print-file-name={SANITIZER}");
    let said = Command::new("gcc").arg(asked).output().ok()?;
    let path = String::from_utf8(said.stdout).ok()?.trim().to_owned();
    path.contains('/').then_some(path)
}
