//! A host in a folder: its `/run/cloudid`, nsswitch.conf, passwd and group, seen by programs in a
//! mount namespace of their own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use identity_map::{MapContent, write_map};
use tempfile::TempDir;

const LOCAL_PASSWD: &str = "root:x:0:0:root:/root:/bin/bash\nnobody:x:65534:65534::/:/bin/false\n";
const LOCAL_GROUP: &str = "root:x:0:\nnogroup:x:65534:\n";

/// Mounts what the host has over the machine's own, then becomes the program.
const ENTER: &str = r#"
set -e
root=$1; shift
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/cloudid
mount --bind "$root/run" /run/cloudid
for file in nsswitch.conf passwd group; do mount --bind "$root/$file" "/etc/$file"; done
exec "$@"
"#;

pub(crate) struct Host {
    folder: TempDir,
}

impl Host {
    /// A host whose users and groups come from `files cloudid`, without a map.
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let host = Self { folder };
        for made in ["run", "lib"] {
            fs::create_dir(host.path(made)).unwrap();
            fs::set_permissions(host.path(made), fs::Permissions::from_mode(0o755)).unwrap();
        }
        host.names_from("files cloudid");
        host.local("", "");
        fs::copy(module(), host.path("lib/libnss_cloudid.so.2")).unwrap();
        host
    }

    /// A host with this map.
    pub(crate) fn knowing(content: &MapContent<'_>) -> Self {
        let host = Self::new();
        host.publish(content);
        host
    }

    /// Publishes a map as the cacher does: whole, by rename.
    pub(crate) fn publish(&self, content: &MapContent<'_>) {
        let new = self.path("run/identity.map.new");
        fs::write(&new, write_map(content).unwrap()).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o644)).unwrap();
        fs::rename(&new, self.map()).unwrap();
    }

    /// Puts this into nsswitch.conf for passwd and group.
    pub(crate) fn names_from(&self, sources: &str) {
        let text = format!("passwd: {sources}\ngroup: {sources}\n");
        fs::write(self.path("nsswitch.conf"), text).unwrap();
    }

    /// Adds lines to the local passwd and group.
    pub(crate) fn local(&self, passwd: &str, group: &str) {
        fs::write(self.path("passwd"), format!("{LOCAL_PASSWD}{passwd}")).unwrap();
        fs::write(self.path("group"), format!("{LOCAL_GROUP}{group}")).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn map(&self) -> PathBuf {
        self.path("run/identity.map")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("run/nss.sock")
    }

    /// Runs a program on this host.
    pub(crate) fn run(&self, program: &[&str]) -> Output {
        let output = Command::new("unshare")
            .args(["-m", "sh", "-c", ENTER, "sh"])
            .arg(self.folder.path())
            .args(program)
            .env("LD_LIBRARY_PATH", self.path("lib"))
            .envs(std::env::var_os("CLOUDID_TEST_PRELOAD").map(|library| ("LD_PRELOAD", library)))
            .output()
            .unwrap();
        let complaints = String::from_utf8_lossy(&output.stderr);
        assert!(!complaints.contains("unshare"), "needs root: {complaints}");
        output
    }

    /// What a program prints on this host.
    pub(crate) fn says(&self, program: &[&str]) -> String {
        let output = self.run(program);
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The shared object that belongs to this test.
pub(crate) fn module() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let module = test
        .parent()
        .unwrap_or(Path::new("/"))
        .join("libnss_cloudid.so");
    assert!(module.exists(), "{} was not built", module.display());
    module
}
