//! The scene most stories begin with: a directory, one enrolled host `web-1`, and alice, who may
//! log in there by password and by key but never did.

use crate::client::{Client, Ssh};
use crate::directory::Directory;
use crate::edition::Edition;
use crate::faults::Disk;
use crate::host::Host;
use crate::lab::Lab;
use std::path::PathBuf;

/// The password of alice, and of everybody else a story adds.
pub const PASSWORD: &str = "sunny-tables-sing";

/// A lab with a directory, a host and a person. The parts end before their lab does.
#[derive(Debug)]
pub struct Site {
    /// The enrolled host, tagged `env=dev`.
    pub web: Host,
    /// The directory; group `web` may log in where `env=dev`.
    pub directory: Directory,
    /// A machine beside them.
    pub laptop: Client,
    /// The private half of alice's key.
    pub key: PathBuf,
    /// What holds it all.
    pub lab: Lab,
}

impl Site {
    /// Everything is made and alice is known on the host.
    #[must_use]
    #[track_caller]
    pub fn new() -> Self {
        Self::with_disk(Disk::Ample)
    }

    /// The same with a chosen disk.
    #[must_use]
    #[track_caller]
    pub fn with_disk(disk: Disk) -> Self {
        Self::around(|lab| {
            let web = lab.host_switched_off("web-1", disk);
            web.switch_on();
            web
        })
    }

    /// The same with a host that boots as a server does.
    #[must_use]
    #[track_caller]
    pub fn booted() -> Self {
        Self::around(|lab| lab.booted_host("web-1"))
    }

    /// The same with a host of a chosen kind, still without cloudid.
    #[must_use]
    #[track_caller]
    pub fn around(make: impl FnOnce(&Lab) -> Host) -> Self {
        Self::made_of(Edition::This, |lab| {
            let web = make(lab);
            web.install();
            web
        })
    }

    /// The same with programs of two editions: of the directory, of the host's daemons, of its
    /// modules.
    #[must_use]
    #[track_caller]
    pub fn of_editions(directory: Edition, daemons: Edition, modules: Edition) -> Self {
        Self::made_of(directory, |lab| {
            let web = lab.host("web-1");
            web.install_editions(daemons, modules);
            web
        })
    }

    #[track_caller]
    fn made_of(directory: Edition, make: impl FnOnce(&Lab) -> Host) -> Self {
        let lab = Lab::new();
        let laptop = lab.client();
        let directory = lab.directory_of(directory);
        let key = laptop.new_key("alice-key");
        directory.add_group_with_access("web", "env=dev");
        directory.add_person("alice", PASSWORD, &["web"]);
        directory.add_key("alice", &key);
        let web = make(&lab);
        directory.enrol_installed(&web, &["env=dev"]);
        web.until("id alice");
        Self {
            web,
            directory,
            laptop,
            key,
            lab,
        }
    }

    /// alice at her laptop, about to log in with her key.
    #[must_use]
    pub fn alice(&self) -> Ssh<'_> {
        self.laptop.ssh(&self.web).user("alice").key(&self.key)
    }

    /// Somebody about to log in with a password.
    #[must_use]
    pub fn person(&self, name: &str, password: &str) -> Ssh<'_> {
        self.laptop.ssh(&self.web).user(name).password(password)
    }
}

impl Default for Site {
    fn default() -> Self {
        Self::new()
    }
}
