//! Debian packages that only some hosts need: installed once over the base root, kept under a name
//! that changes with the recipe, laid under every host that asks for them.

use crate::base_root::{cache, prepare_base_root, recipe_of, say, try_prepare_base_root};
use crate::command::{OrFail, fail};
use crate::edition::Edition;
use crate::release::Release;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What is installed over the base root.
#[derive(Debug, Clone, Copy)]
pub struct Layer {
    /// For messages and for the folder it is kept in.
    pub name: &'static str,
    /// Debian packages.
    pub packages: &'static [&'static str],
    /// Run once inside, after the packages.
    pub setup: &'static str,
}

/// What makes a host boot as a server does. The accounts of the package are left to `sysusers.d`;
/// nothing of Debian's own housekeeping starts in the middle of a test.
pub const SYSTEMD: Layer = Layer {
    name: "systemd",
    packages: &[
        "systemd",
        "systemd-sysv",
        "systemd-container",
        "dbus",
        "libpam-systemd",
    ],
    setup: "userdel cloudid; userdel cloudid-keys\n\
            systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
            e2scrub_all.timer fstrim.timer console-getty.service",
};

/// The same with whoever else asks PAM on a server.
pub(crate) const SERVER: Layer = Layer {
    name: "server",
    packages: &[
        "systemd",
        "systemd-sysv",
        "systemd-container",
        "dbus",
        "libpam-systemd",
        "polkitd",
    ],
    setup: SYSTEMD.setup,
};

/// Whoever else answers names on a server, beside systemd.
pub const NAME_SERVICES: Layer = Layer {
    name: "name-services",
    packages: &[
        "systemd",
        "systemd-sysv",
        "systemd-container",
        "dbus",
        "libpam-systemd",
        "libnss-systemd",
        "systemd-userdbd",
        "nscd",
        "sssd-common",
        "libnss-sss",
    ],
    setup: "userdel cloudid; userdel cloudid-keys\n\
            systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
            e2scrub_all.timer fstrim.timer console-getty.service\n\
            systemctl disable sssd.service nscd.service sssd-autofs.socket sssd-nss.socket \
            sssd-pac.socket sssd-pam.socket sssd-pam-priv.socket sssd-ssh.socket sssd-sudo.socket",
};

/// Further ways into a host that boots as a server does: at, units of users, windows over ssh.
pub const DOORS: Layer = Layer {
    name: "doors",
    packages: &[
        "systemd",
        "systemd-sysv",
        "systemd-container",
        "dbus",
        "dbus-user-session",
        "libpam-systemd",
        "at",
        "xauth",
    ],
    setup: SYSTEMD.setup,
};

/// SSH for scripts in Python.
pub const PARAMIKO: Layer = Layer {
    name: "paramiko",
    packages: &["python3-paramiko"],
    setup: "",
};

/// A compiler for programs of 32 bits.
pub const WORKSHOP: Layer = Layer {
    name: "workshop",
    packages: &["gcc", "gcc-multilib", "libc6-dev"],
    setup: "",
};

/// The library of rpc.idmapd, which names the owners of files on NFS.
pub const NFS_NAMES: Layer = Layer {
    name: "nfs-names",
    packages: &["libnfsidmap1"],
    setup: "printf '[General]\\nDomain = example.org\\n[Translation]\\nMethod = nsswitch\\n' \
            > /etc/idmapd.conf",
};

/// A Debian 11 in `/srv/bullseye`: its glibc 2.31 is older than what is built on Debian 12 needs.
pub const OLD_RELEASE: Layer = Layer {
    name: "old-release",
    packages: &["debootstrap"],
    setup: "mirror=$(awk '{print $2; exit}' /etc/apt/sources.list)\n\
            debootstrap --variant=minbase bullseye /srv/bullseye \"$mirror\"\n\
            rm -f /srv/bullseye/var/cache/apt/archives/*.deb",
};

/// What makes and checks packages, for Debian and for RPM distributions.
pub const PACKAGING: Layer = Layer {
    name: "packaging",
    packages: &["dpkg-dev", "debhelper", "libpam0g-dev", "lintian", "rpm"],
    setup: "",
};

/// A server that can fetch, as an image of a cloud can.
pub const FETCHING: Layer = Layer {
    name: "fetching",
    packages: &[
        "systemd",
        "systemd-sysv",
        "systemd-container",
        "dbus",
        "libpam-systemd",
        "curl",
        "wget",
    ],
    setup: SYSTEMD.setup,
};

/// What reads the examples for other tools.
pub const EXAMPLES: Layer = Layer {
    name: "examples",
    packages: &["ruby", "puppet-agent"],
    setup: "",
};

/// A browser that a program steers.
pub const BROWSER: Layer = Layer {
    name: "browser",
    packages: &["chromium", "chromium-driver", "fonts-dejavu-core", "curl"],
    setup: "",
};

/// Makes the base root, every layer of this file and the earlier programs, unless they are there.
pub fn prepare_roots() {
    for layer in [
        SYSTEMD,
        NAME_SERVICES,
        DOORS,
        PARAMIKO,
        WORKSHOP,
        NFS_NAMES,
        OLD_RELEASE,
        PACKAGING,
        FETCHING,
        EXAMPLES,
    ] {
        let _root = Root::with(&layer);
    }
    let _ = a_browser_is_impossible();
    let _ = Edition::earlier_are_missing();
    for release in Release::ALL {
        let _ = release.is_impossible();
    }
}

/// Why there can be no browser here: it is large, and not every mirror has it.
#[must_use]
pub fn a_browser_is_impossible() -> Option<String> {
    try_prepare(&prepare_base_root(), &BROWSER).err()
}

/// The folders a host's root is laid over, topmost first.
#[derive(Debug, Clone)]
pub(crate) struct Root(Vec<PathBuf>);

impl Root {
    /// The base root alone.
    pub(crate) fn base() -> Self {
        Self(vec![prepare_base_root()])
    }

    /// The base root with a layer, which is made unless it is there.
    pub(crate) fn with(layer: &Layer) -> Self {
        let base = prepare_base_root();
        let upper = prepare(&base, layer).join("upper");
        Self(vec![upper, base])
    }

    /// The root of a release with a layer, or why there can be none.
    pub(crate) fn of_release(release: Release, layer: &Layer) -> Result<Self, String> {
        let base = try_prepare_base_root(release.codename())?;
        let upper = try_prepare(&base, layer)?.join("upper");
        Ok(Self(vec![upper, base]))
    }

    /// As overlayfs wants it.
    pub(crate) fn lower_directories(&self) -> String {
        let folders = self.0.iter().map(|folder| folder.display().to_string());
        folders.collect::<Vec<_>>().join(":")
    }
}

fn prepare(base: &Path, layer: &Layer) -> PathBuf {
    match try_prepare(base, layer) {
        Ok(made) => made,
        Err(why) => fail(&why),
    }
}

fn try_prepare(base: &Path, layer: &Layer) -> Result<PathBuf, String> {
    let folder = cache();
    let of_base = base.file_name().or_fail("name the base root");
    let of_base = of_base.to_string_lossy();
    let recipe = recipe_of(&[&of_base, &layer.packages.join(","), layer.setup, MAKE]);
    let made = folder.join(format!("layer-{}-{recipe}", layer.name));
    let lock = folder.join(format!("layer-{}.lock", layer.name));
    let lock = File::create(lock).or_fail("make the lock of a layer");
    lock.lock().or_fail("lock a layer");
    if !made.is_dir() {
        make(base, layer, &made)?;
    }
    Ok(made)
}

fn make(base: &Path, layer: &Layer, made: &Path) -> Result<(), String> {
    say(&format!(
        "installing {} over the base root (about half a minute) ...",
        layer.packages.join(" ")
    ));
    let half = made.with_extension("half");
    let _ = fs::remove_dir_all(&half);
    for part in ["upper", "work", "root"] {
        fs::create_dir_all(half.join(part)).or_fail("make the folder of a layer");
    }
    let installed = Command::new("unshare")
        .args(["--mount", "--propagation=private", "/bin/sh", "-euc", MAKE])
        .args(["make", &half.display().to_string()])
        .args([&base.display().to_string(), layer.setup])
        .args(layer.packages)
        .output()
        .or_fail("start unshare");
    if !installed.status.success() {
        return Err(format!(
            "layer {}: {}\n{}",
            layer.name,
            String::from_utf8_lossy(&installed.stdout),
            String::from_utf8_lossy(&installed.stderr)
        ));
    }
    fs::rename(&half, made).or_fail("put a new layer in its place");
    Ok(())
}

/// Arguments: folder of the layer, base root, commands to run afterwards, packages. No service is
/// started meanwhile.
const MAKE: &str = r#"
half=$1 base=$2 setup=$3
shift 3
root=$half/root
mount -t overlay overlay -o "lowerdir=$base,upperdir=$half/upper,workdir=$half/work" "$root"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
cp /etc/resolv.conf "$root/etc/resolv.conf"
for file in /etc/apt/apt.conf.d/*proxy* /etc/apt/apt.conf.d/*registry*; do
    if [ -e "$file" ]; then cp "$file" "$root/etc/apt/apt.conf.d/"; fi
done
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get update -q
chroot "$root" apt-get install -y -q --no-install-recommends "$@"
chroot "$root" /bin/sh -euc "$setup"
rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root/usr/sbin/policy-rc.d"
"#;
