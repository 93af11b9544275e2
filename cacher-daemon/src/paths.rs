//! Where things lie on a host. Compiled in: modules, sshd and early boot rely on these places, and
//! no environment variable can point them elsewhere. Tests hand in other ones.

use std::path::{Path, PathBuf};

/// Every place the cacher reads or writes.
#[derive(Debug, Clone)]
pub struct Paths {
    /// `/var/lib/cloudid`: what must survive a reboot.
    pub state: PathBuf,
    /// `/run/cloudid`: map and sockets.
    pub run: PathBuf,
    /// `/run/cloudid-lookups`: sockets for programs that know no NSS module.
    pub lookups: PathBuf,
    /// `/etc/cloudid`: settings and the pinned CA.
    pub config: PathBuf,
    /// `/etc`: the host's own users, groups and shells.
    pub etc: PathBuf,
}

impl Paths {
    /// The places of an installed host.
    #[must_use]
    pub fn installed() -> Self {
        Self::below(Path::new("/"))
    }

    /// The same places below another root.
    #[must_use]
    pub fn below(root: &Path) -> Self {
        Self {
            state: root.join("var/lib/cloudid"),
            run: root.join("run/cloudid"),
            lookups: root.join("run/cloudid-lookups"),
            config: root.join("etc/cloudid"),
            etc: root.join("etc"),
        }
    }

    /// Settings.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.config.join("cloudid.toml")
    }

    /// Drop-ins, read after the settings in order of name.
    #[must_use]
    pub fn drop_ins(&self) -> PathBuf {
        self.config.join("conf.d")
    }

    /// The drop-in that enrolment writes.
    #[must_use]
    pub fn directory_drop_in(&self) -> PathBuf {
        self.drop_ins().join("10-directory.toml")
    }

    /// Who this host is.
    #[must_use]
    pub fn identity(&self) -> PathBuf {
        self.state.join("identity.json")
    }

    /// Private key for TLS, PEM.
    #[must_use]
    pub fn host_key(&self) -> PathBuf {
        self.state.join("host.key")
    }

    /// Certificate for TLS, PEM.
    #[must_use]
    pub fn host_certificate(&self) -> PathBuf {
        self.state.join("host.crt")
    }

    /// Private key that opens sealed chunks.
    #[must_use]
    pub fn sealing_key(&self) -> PathBuf {
        self.state.join("sealing.key")
    }

    /// The newest signed root chain.
    #[must_use]
    pub fn root_chain(&self) -> PathBuf {
        self.state.join("root-chain")
    }

    /// Counters and high-water marks.
    #[must_use]
    pub fn marks(&self) -> PathBuf {
        self.state.join("state")
    }

    /// Manifests and chunks.
    #[must_use]
    pub fn bundle(&self) -> PathBuf {
        self.state.join("bundle")
    }

    /// The run of the daemon that the directory refused, because another machine has this identity.
    #[must_use]
    pub fn refused_run(&self) -> PathBuf {
        self.state.join("refused-run")
    }

    /// The event spool.
    #[must_use]
    pub fn events(&self) -> PathBuf {
        self.state.join("events")
    }

    /// Counted password tries.
    #[must_use]
    pub fn tries(&self) -> PathBuf {
        self.state.join("tries")
    }

    /// What must not be forgotten about second factors.
    #[must_use]
    pub fn factors(&self) -> PathBuf {
        self.state.join("factors")
    }

    /// Owners without rights here whom this host has met.
    #[must_use]
    pub fn owners(&self) -> PathBuf {
        self.state.join("owners")
    }

    /// Last good map, which early boot copies.
    #[must_use]
    pub fn kept_map(&self) -> PathBuf {
        self.state.join("identity.map")
    }

    /// The published map.
    #[must_use]
    pub fn published_map(&self) -> PathBuf {
        self.run.join("identity.map")
    }

    /// A socket by its file name.
    #[must_use]
    pub fn socket(&self, name: &str) -> PathBuf {
        self.run.join(name)
    }

    /// The socket for systemd's user database; a link in `/run/systemd/userdb` leads here.
    #[must_use]
    pub fn userdb_socket(&self) -> PathBuf {
        self.lookups.join("userdb.sock")
    }

    /// The socket that speaks as nscd does, in a folder that can be given to a container.
    #[must_use]
    pub fn nscd_socket(&self) -> PathBuf {
        self.lookups.join("nscd/socket")
    }
}
