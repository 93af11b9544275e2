//! The scene of stories about packages: a directory, and a clean host that boots as a server does and
//! gets cloudid by its Debian packages. alice may log in there by password once it is enrolled.

use crate::client::Client;
use crate::command::fail;
use crate::directory::Directory;
use crate::faults::Disk;
use crate::host::Host;
use crate::lab::{LOCAL_PASSWORD, LOCAL_USER, Lab, ROOT_PASSWORD};
use crate::layer::Layer;
use crate::packages::Packages;
use crate::release::Release;
use crate::site::PASSWORD;

/// Everything that installs cloudid on a host.
pub const HOST_PACKAGES: &str = "cloudid-cacher libnss-cloudid libpam-cloudid cloudid";
const TAGS: &[&str] = &["env=dev"];

/// A directory, a host, a person at a laptop. The parts end before their lab does.
#[derive(Debug)]
pub struct Installation {
    /// The host.
    pub host: Host,
    /// Where alice and the rule for her are.
    pub directory: Directory,
    /// A machine beside them.
    pub laptop: Client,
    /// What holds it all.
    pub lab: Lab,
}

impl Installation {
    /// A clean host.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::around(|lab| lab.booted_host("web-1"))
    }

    /// A clean host of a chosen kind.
    #[must_use]
    #[track_caller]
    pub fn on(layer: &Layer) -> Self {
        Self::around(|lab| lab.booted_host_with("web-1", layer))
    }

    /// A clean host of a chosen kind with a chosen disk.
    #[must_use]
    #[track_caller]
    pub fn with_disk(layer: &Layer, disk: Disk) -> Self {
        Self::around(|lab| lab.booted_host_on("web-1", layer, disk))
    }

    /// A clean host of a chosen release; see [`Release::is_impossible`].
    #[must_use]
    #[track_caller]
    pub fn of_release(release: Release) -> Self {
        Self::around(|lab| lab.booted_host_of(release, "web-1"))
    }

    #[track_caller]
    fn around(make: impl FnOnce(&Lab) -> Host) -> Self {
        let lab = Lab::new();
        let laptop = lab.client();
        let directory = lab.directory();
        directory.add_group_with_access("web", "env=dev");
        directory.add_person("alice", PASSWORD, &["web"]);
        let host = make(&lab);
        Self {
            host,
            directory,
            laptop,
            lab,
        }
    }

    /// A host that has the packages of this build and is enrolled.
    #[must_use]
    #[track_caller]
    pub fn enrolled() -> Self {
        let installation = Self::new();
        installation
            .host
            .install_packages(&Packages::of_this_build());
        installation.enrol();
        installation
    }

    /// Enrols the host; its packages are there.
    #[track_caller]
    pub fn enrol(&self) {
        self.directory.enrol_installed(&self.host, TAGS);
        self.host.until("id alice");
    }

    /// alice logs in over ssh with her password.
    #[track_caller]
    pub fn alice_logs_in(&self) {
        let ssh = self.laptop.ssh(&self.host).user("alice");
        let name = ssh.password(PASSWORD).run("id -un").succeeds();
        assert_eq!(name, "alice");
    }

    /// Neither her password nor another one lets alice in.
    #[track_caller]
    pub fn alice_is_refused(&self) {
        for password in [PASSWORD, "wrong"] {
            let ssh = self.laptop.ssh(&self.host).user("alice");
            ssh.password(password).run("id -un").is_refused();
        }
    }

    /// Root on the console, a local user over ssh, both by su; a wrong password lets nobody in.
    #[track_caller]
    pub fn local_accounts_work(&self, when: &str) {
        let host = &self.host;
        let mut login = host.terminal("login");
        login.expect("login: ").answer("root");
        login.expect("Password: ").answer(ROOT_PASSWORD);
        login.expect("# ").answer("id -un; exit");
        if !login.finish().text().contains("root") {
            fail(&format!("{when}: root does not log in on the console"));
        }
        let ssh = self.laptop.ssh(host).user(LOCAL_USER);
        let name = ssh.clone().password(LOCAL_PASSWORD).run("id -un");
        assert_eq!(name.succeeds(), LOCAL_USER, "{when}");
        ssh.password("wrong").run("id -un").is_refused();
        for (user, password) in [("root", ROOT_PASSWORD), (LOCAL_USER, LOCAL_PASSWORD)] {
            let mut su = host.terminal_of(LOCAL_USER, &format!("su {user} -c whoami"));
            su.expect("(?i)password: ").answer(password);
            assert!(su.finish().text().ends_with(user), "{when}: su {user}");
        }
    }
}

impl Default for Installation {
    fn default() -> Self {
        Self::new()
    }
}

impl Host {
    /// Every file below `/etc` with owner, mode and content, a line each. Left out are copies that
    /// the tools for accounts make of what they edit, and the cache of the linker.
    #[must_use]
    #[track_caller]
    pub fn etc(&self) -> String {
        let listed = "find /etc ! -name '*-' ! -name .pwd.lock ! -name ld.so.cache \
                      ! -regex '/etc/g?\\(passwd\\|group\\|shadow\\)[.][0-9]+' \
                      -printf '%p %u:%g %m %l ' \\( -type f -exec sha256sum {} \\; -o -printf '\\n' \\)";
        self.ok(&format!("{listed} | sort"))
    }

    /// Compares with an earlier [`Host::etc`].
    #[track_caller]
    pub fn etc_is(&self, before: &str) {
        let now = self.etc();
        let gone = before.lines().filter(|line| !now.contains(*line));
        let come = now.lines().filter(|line| !before.contains(*line));
        let differing: Vec<&str> = gone.chain(come).collect();
        assert!(differing.is_empty(), "not as before: {differing:#?}");
    }
}
