//! Who made packages can say so: digests of all packages of a folder in one file, and a signature of
//! that file by a key of theirs.

use crate::command::{OrFail, fail, run};
use std::path::Path;
use std::process::Command;

const SUMS: &str = "SHA256SUMS";
const SIGNATURE: &str = "SHA256SUMS.asc";

/// Writes the digests of all packages of a folder, as `sha256sum --check` reads them. A signature of
/// earlier digests goes.
#[track_caller]
pub fn write_sums(folder: &Path) {
    let script = format!(
        "cd \"$1\" && rm -f {SIGNATURE} && \
         find . -maxdepth 1 \\( -name '*.deb' -o -name '*.rpm' \\) -printf '%f\\0' | LC_ALL=C sort -z | \
         xargs -0 sha256sum > {SUMS}"
    );
    run(
        "sh",
        &[
            "-euc".as_ref(),
            script.as_ref(),
            "sh".as_ref(),
            folder.as_os_str(),
        ],
    );
}

/// Has gpg sign the digests of a folder by a key, which lies in `home` or where gpg looks for keys; gpg may
/// ask for its passphrase.
#[track_caller]
pub fn sign(folder: &Path, key: &str, home: Option<&Path>) {
    let mut command = Command::new("gpg");
    if let Some(home) = home {
        command.arg("--homedir").arg(home);
    }
    let signed = command
        .current_dir(folder)
        .args(["--yes", "--armor", "--local-user", key])
        .args(["--output", SIGNATURE, "--detach-sign", SUMS])
        .status()
        .or_fail("start gpg");
    if !signed.success() {
        fail("gpg did not sign the digests");
    }
}
