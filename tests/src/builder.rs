//! Those who make packages, each in surroundings of their own. What they make must be the same bytes:
//! that is how somebody else can tell that packages are of these sources.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Somebody who makes packages.
#[derive(Debug, Clone, Copy)]
pub struct Builder {
    /// For folders and messages.
    pub name: &'static str,
    /// Where the sources lie, in the root that packages are made in.
    pub(crate) folder: &'static str,
    /// The account that makes packages there.
    pub(crate) account: &'static str,
    pub(crate) umask: &'static str,
    /// When the sources were written, as `touch` reads it.
    pub(crate) sources_of: &'static str,
    environment: &'static [&'static str],
    /// What sets the clock of the programs that make packages.
    clock: &'static [&'static str],
    /// Below a folder that is told: where the sources are built.
    workplace: &'static str,
}

impl Builder {
    /// As a package is made every day.
    pub const FIRST: Self = Self {
        name: "first",
        folder: "/build/cloudid",
        account: "root",
        umask: "022",
        sources_of: "now",
        environment: &["TZ=UTC", "LC_ALL=C"],
        clock: &[],
        workplace: "first/sources",
    };

    /// Everything different that may be.
    pub const SECOND: Self = Self {
        name: "second",
        folder: "/srv/somebody/else/has/sources",
        account: "local",
        umask: "077",
        sources_of: "2001-02-03 04:05:06",
        environment: &[
            "TZ=Elsewhere-5:45",
            "LC_ALL=C.UTF-8",
            "LANG=C.UTF-8",
            "USER=somebody",
            "LOGNAME=somebody",
            "CFLAGS=-O1",
            "RUSTFLAGS=-C debug-assertions=off",
        ],
        clock: &[
            "LD_PRELOAD=/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
            "FAKETIME=+400d",
            "NO_FAKE_STAT=1",
        ],
        workplace: "second/somebody/else/has/a-copy",
    };

    /// Where this builder's copy of the sources lies, below a folder.
    #[must_use]
    pub fn sources(&self, folder: &Path) -> PathBuf {
        folder.join(self.workplace)
    }

    /// The words that start a program on the host that packages are made on.
    pub(crate) fn on_a_host(&self) -> Vec<&'static str> {
        let mut words = vec!["setpriv", "--reuid", self.account, "--regid", self.account];
        words.extend(["--clear-groups", "env"]);
        words.extend(self.environment);
        words.extend(self.clock);
        words
    }

    /// A script of the machine, in a folder.
    pub(crate) fn on_the_machine(&self, script: &str, folder: &Path) -> Command {
        let mut command = Command::new("env");
        command.current_dir(folder).args(self.environment);
        command.args(["sh", "-euc"]);
        command.args([format!("umask {}\n{script}", self.umask), "sh".to_owned()]);
        command
    }
}
