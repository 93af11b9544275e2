//! What starts the programs of a host: a script of the lab, which is quick, or systemd with the
//! units of the package, as on a server.

use crate::cgroup::ControlGroup;
use crate::command::long_running;
use crate::host::Host;
use std::process::Command;

/// Process 1 of a host.
#[derive(Debug)]
pub(crate) enum Init {
    /// The script `init.sh`.
    Script,
    /// systemd, in a control group of its own.
    Systemd(ControlGroup),
}

const SCRIPT: &str = include_str!("init.sh");

impl Init {
    /// Made by process 1 when commands can be run.
    pub(crate) fn ready_file(&self) -> &'static str {
        match self {
            Self::Script => "run/lab/ready",
            Self::Systemd(_) => "run/systemd/private",
        }
    }

    /// Namespaces beyond those that every host has.
    pub(crate) fn further_namespaces(&self) -> &'static [&'static str] {
        match self {
            Self::Script => &[],
            Self::Systemd(_) => &["--cgroup"],
        }
    }

    /// The script that process 1 of a host may be.
    pub(crate) fn script() -> &'static str {
        SCRIPT
    }

    /// The command that is the host, still without console.
    #[track_caller]
    pub(crate) fn command(&self, host: &Host, dies_with_us: bool) -> Command {
        match self {
            Self::Script => by_script(host, dies_with_us),
            Self::Systemd(group) => by_systemd(host, group, dies_with_us),
        }
    }
}

fn by_script(host: &Host, dies_with_us: bool) -> Command {
    let mut command = long_running(dies_with_us);
    command
        .arg("nsenter")
        .arg(format!("--net=/run/netns/{}", host.cable().namespace))
        .args(["unshare", "--mount", "--pid", "--uts", "--ipc", "--fork"])
        .args(["--kill-child", "--propagation=private"])
        .args(["/bin/sh", "-euc", &format!("{MOUNT}{ENTER}"), "enter"]);
    host.push_places(&mut command);
    command
}

#[track_caller]
fn by_systemd(host: &Host, group: &ControlGroup, dies_with_us: bool) -> Command {
    let mut command = long_running(dies_with_us);
    command
        .args(["unshare", "--mount", "--propagation=private"])
        .args(["/bin/sh", "-euc", &format!("{MOUNT}{BOOT}"), "boot"]);
    host.push_places(&mut command);
    command.arg(group.make()).arg(&host.cable().namespace);
    command
}

/// Arguments: folder of the host, folders to lay it over, command that mounts the disk. The overlay
/// is mounted inside the new namespace, so nothing stays mounted when the host ends.
const MOUNT: &str = r#"
folder=$1 lower=$2 mount_disk=$3
eval "$mount_disk"
mkdir -p "$folder/disk/upper" "$folder/disk/work"
mount -t overlay overlay \
    -o "lowerdir=$lower,upperdir=$folder/disk/upper,workdir=$folder/disk/work" "$folder/root"
root=$folder/root
name=$(cat "$folder/name")
if [ ! -e "$folder/made" ]; then
    echo "$name" > "$root/etc/hostname"
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n' "$name" > "$root/etc/hosts"
    : > "$root/etc/machine-id"
    cp "$folder/init.sh" "$root/sbin/lab-init"
    chmod 755 "$root/sbin/lab-init"
    : > "$folder/made"
fi
"#;

const ENTER: &str = r#"
exec /usr/bin/env -i /usr/sbin/chroot "$root" /bin/sh /sbin/lab-init
"#;

/// Two arguments more: where the id of a process of the control group is written, the network. The
/// program that boots the host is the one of the root itself, with the root's own libraries: nothing
/// is installed on the machine. It sees cgroup2 alone, as systemd from 256 on demands.
const BOOT: &str = r#"
processes=$4 network=$5
echo $$ > "$processes"
umount -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
libraries=$root/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu/systemd
exec /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    "$root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$libraries" "$root/usr/bin/systemd-nspawn" \
    --quiet --directory="$root" --machine="$name" --boot --register=no --keep-unit \
    --console=read-only --network-namespace-path="/run/netns/$network" --resolv-conf=off \
    --timezone=off
"#;
