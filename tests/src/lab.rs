//! One laboratory: a network with throw-away hosts on it, gone when the value is dropped. Several
//! labs may exist at once, in one process or in many.

use crate::base_root::cache;
use crate::cgroup::ControlGroup;
use crate::client::Client;
use crate::command::{OrFail, fail, run};
use crate::faults::Disk;
use crate::host::Host;
use crate::init::Init;
use crate::layer::{Layer, Root, SERVER, SYSTEMD};
use crate::leftovers;
use crate::network::{Cable, Network};
use crate::release::Release;
use std::cell::Cell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// An account that every host has in its own `/etc/passwd`; it may use sudo with its password.
pub const LOCAL_USER: &str = "local";
/// The password of that account.
pub const LOCAL_PASSWORD: &str = "local-password";
/// The password of root on every host.
pub const ROOT_PASSWORD: &str = "root-password";

/// Names of namespaces and folders begin with it.
const PREFIX: &str = "cloudid-lab";

/// A network, its hosts and their folder.
#[derive(Debug)]
pub struct Lab {
    folder: PathBuf,
    name: String,
    network: Network,
    attached: Cell<u8>,
    lives_with_this_process: bool,
    _held: File,
}

impl Lab {
    /// A lab that ends with the value, or at the latest with the next lab after a crash.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        Self::named(&format!("{PREFIX}-{}-{number}", std::process::id()), true)
    }

    /// A lab that goes on after the process, until [`Lab::end_kept`] or the next one of this name.
    #[must_use]
    pub fn kept(name: &str) -> Self {
        Self::end_kept(name);
        Self::named(&format!("{PREFIX}-{name}"), false)
    }

    /// Takes down a kept lab, if there is one.
    pub fn end_kept(name: &str) {
        let folder = labs().join(format!("{PREFIX}-{name}"));
        if folder.exists() {
            leftovers::remove(&folder);
        }
    }

    fn named(name: &str, lives_with_this_process: bool) -> Self {
        if run("id", &["-u"]) != "0" {
            fail("throw-away hosts are made of namespaces: run this as root");
        }
        let labs = labs();
        leftovers::sweep(&labs);
        let folder = labs.join(name);
        fs::create_dir_all(&folder).or_fail(&format!("make {}", folder.display()));
        if !lives_with_this_process {
            File::create(folder.join(leftovers::KEPT)).or_fail("mark the lab as kept");
        }
        let held = File::create(folder.join(leftovers::LOCK)).or_fail("make the lock of the lab");
        held.lock().or_fail("lock the lab");
        let network = Network::new(name);
        let attached = Cell::new(0);
        Self {
            folder,
            name: name.to_owned(),
            network,
            attached,
            lives_with_this_process,
            _held: held,
        }
    }

    /// A host that is switched on and whose sshd answers.
    #[must_use]
    pub fn host(&self, name: &str) -> Host {
        let host = self.host_switched_off(name, Disk::Ample);
        host.switch_on();
        host
    }

    /// A host with a chosen disk that was not switched on yet.
    #[must_use]
    pub fn host_switched_off(&self, name: &str, disk: Disk) -> Host {
        self.new_host(name, Root::base(), Init::Script, disk)
    }

    /// A host with further packages, switched on.
    #[must_use]
    pub fn host_with(&self, name: &str, layer: &Layer) -> Host {
        let host = self.new_host(name, Root::with(layer), Init::Script, Disk::Ample);
        host.switch_on();
        host
    }

    /// A host that boots as a server does, with systemd and the units of the package; switched on.
    /// See [`crate::booting_is_impossible`].
    #[must_use]
    #[track_caller]
    pub fn booted_host(&self, name: &str) -> Host {
        self.booted_host_with(name, &SYSTEMD)
    }

    /// The same with a layer that has systemd and more.
    #[must_use]
    #[track_caller]
    pub fn booted_host_with(&self, name: &str, layer: &Layer) -> Host {
        self.booted_host_on(name, layer, Disk::Ample)
    }

    /// The same with a chosen disk.
    #[must_use]
    #[track_caller]
    pub fn booted_host_on(&self, name: &str, layer: &Layer, disk: Disk) -> Host {
        self.boot(name, Root::with(layer), disk)
    }

    /// A host of a chosen release that boots as a server does; switched on. See
    /// [`Release::is_impossible`].
    #[must_use]
    #[track_caller]
    pub fn booted_host_of(&self, release: Release, name: &str) -> Host {
        let root = match Root::of_release(release, &SERVER) {
            Ok(root) => root,
            Err(why) => fail(&why),
        };
        self.boot(name, root, Disk::Ample)
    }

    #[track_caller]
    fn boot(&self, name: &str, root: Root, disk: Disk) -> Host {
        let init = Init::Systemd(ControlGroup::of_host(&self.name, name));
        let host = self.new_host(name, root, init, disk);
        host.switch_on();
        host
    }

    /// A machine made from an image: its disk is a copy of that of a host that is switched off, with
    /// which it has its layer in common. Not switched on yet.
    #[must_use]
    #[track_caller]
    pub fn booted_copy(&self, name: &str, image: &Host, layer: &Layer) -> Host {
        let init = Init::Systemd(ControlGroup::of_host(&self.name, name));
        let host = self.new_host(name, Root::with(layer), init, Disk::Ample);
        host.copy_disk_of(image);
        host
    }

    fn new_host(&self, name: &str, root: Root, init: Init, disk: Disk) -> Host {
        let cable = self.network.attach(name, self.next_number());
        let lives = self.lives_with_this_process;
        Host::new(&self.folder, (root, init), cable, disk, lives)
    }

    /// A person's machine beside the hosts: where `ssh` is typed.
    #[must_use]
    pub fn client(&self) -> Client {
        let number = self.next_number();
        Client::new(
            &self.folder,
            self.network.attach(&format!("client-{number}"), number),
        )
    }

    /// The folder of this lab: scratch space that goes with it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A cable for something that is neither a host nor a client.
    pub(crate) fn attach(&self, name: &str) -> Cable {
        self.network.attach(name, self.next_number())
    }

    pub(crate) fn lives_with_this_process(&self) -> bool {
        self.lives_with_this_process
    }

    fn next_number(&self) -> u8 {
        let number = self
            .attached
            .get()
            .checked_add(1)
            .or_fail("attach one more host");
        self.attached.set(number);
        number
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.lives_with_this_process {
            leftovers::remove(&self.folder);
        }
    }
}

fn labs() -> PathBuf {
    let labs = cache().join("labs");
    fs::create_dir_all(&labs).or_fail(&format!("make {}", labs.display()));
    labs
}
