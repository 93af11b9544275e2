//! What goes wrong with networks, disks and clocks.

use crate::command::{OrFail, run};
use crate::host::Host;
use crate::services::Service;
use std::fs;
use std::path::Path;

const CACHER: &str = "/usr/libexec/cloudid/cloudid-cacher";

/// What a host writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// As much as the machine has.
    Ample,
    /// A file system of its own of this many MiB, with this many inodes.
    Small {
        /// Size in MiB.
        megabytes: u32,
        /// Number of files and folders it can hold.
        inodes: u32,
    },
}

impl Disk {
    pub(crate) fn make(self, host: &Path) {
        fs::create_dir_all(host.join("disk")).or_fail("make the disk of a host");
        if let Self::Small { megabytes, inodes } = self {
            let image = host.join("disk.img").display().to_string();
            run("truncate", &["-s", &format!("{megabytes}M"), &image]);
            // no blocks set aside for root: full means full for everybody
            run(
                "mkfs.ext4",
                &["-q", "-m", "0", "-N", &inodes.to_string(), &image],
            );
        }
    }

    /// The shell command that mounts it, run in the namespace of the host.
    pub(crate) fn mount_command(self, host: &Path) -> String {
        let host = host.display();
        match self {
            Self::Ample => ":".to_owned(),
            Self::Small { .. } => format!("mount -o loop '{host}/disk.img' '{host}/disk'"),
        }
    }
}

impl Host {
    /// Pulls the network cable.
    pub fn cut_network(&self) {
        self.cable().unplug();
    }

    /// Plugs it in again, and takes every other fault off the network.
    pub fn restore_network(&self) {
        self.cable().plug_in();
        self.run("nft delete table inet fault");
    }

    /// Everything the host sends to this TCP port disappears.
    pub fn drop_packets_to_port(&self, port: u16) {
        self.fault(&format!("tcp dport {port} drop"));
    }

    /// Nothing goes to this TCP port of others and nothing comes from there, on open connections too.
    #[track_caller]
    pub fn swallow_packets_of_port(&self, port: u16) {
        self.fault(&format!("tcp dport {port} drop"));
        self.ok("nft 'add chain inet fault in { type filter hook input priority 0; }'");
        self.ok(&format!(
            "nft 'add rule inet fault in tcp sport {port} drop'"
        ));
    }

    /// Every connection of the host to this TCP port is refused at once.
    pub fn refuse_connections_to_port(&self, port: u16) {
        self.fault(&format!("tcp dport {port} reject with tcp reset"));
    }

    /// So many of a hundred packets to this TCP port are lost.
    pub fn lose_packets_to_port(&self, port: u16, of_a_hundred: u8) {
        self.fault(&format!(
            "tcp dport {port} numgen random mod 100 < {of_a_hundred} drop"
        ));
    }

    #[track_caller]
    fn fault(&self, rule: &str) {
        self.run("nft delete table inet fault");
        self.ok("nft add table inet fault");
        self.ok("nft 'add chain inet fault out { type filter hook output priority 0; }'");
        self.ok(&format!("nft 'add rule inet fault out {rule}'"));
    }

    /// Writes until the disk is full. Only for a host with a small disk.
    #[track_caller]
    pub fn fill_disk(&self) {
        self.run("dd if=/dev/zero of=/var/fill bs=64k; dd if=/dev/zero of=/var/fill2 bs=1");
    }

    /// Makes files until there can be no more. Only for a host with a small disk.
    #[track_caller]
    pub fn use_up_inodes(&self) {
        self.run("mkdir -p /var/files; n=0; while : > /var/files/$n; do n=$((n+1)); done");
    }

    /// Takes away what [`Host::fill_disk`] and [`Host::use_up_inodes`] wrote.
    #[track_caller]
    pub fn free_disk(&self) {
        self.ok("rm -rf /var/fill /var/fill2 /var/files");
    }

    /// Moves the wall clock of the host, for every program started from now on, also setuid ones:
    /// "+2h", "-1d". Durations measured by a monotonic clock stay right.
    #[track_caller]
    pub fn shift_clock(&self, by: &str) {
        self.write("/etc/faketimerc", &format!("{by}\n"));
        let library = "/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketimeMT.so.1";
        self.ok(&format!("echo {library} > /etc/ld.so.preload"));
    }

    /// The real time again, for every program started from now on.
    #[track_caller]
    pub fn real_clock(&self) {
        self.ok("rm -f /etc/ld.so.preload /etc/faketimerc");
    }

    /// Moves the wall clock of the unprivileged daemon alone, and starts it anew: what gets another
    /// clock as root cannot hand it on to somebody else.
    #[track_caller]
    pub fn shift_clock_of_cacher(&self, by: &str) {
        let library = "/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketimeMT.so.1";
        self.write("/etc/faketimerc", &format!("{by}\n"));
        self.stop(Service::Cacher);
        self.ok(&format!("mv {CACHER} {CACHER}.real"));
        let script = format!("#!/bin/sh\nLD_PRELOAD={library} exec {CACHER}.real \"$@\"\n");
        self.write_program(CACHER, &script);
        self.start(Service::Cacher);
    }

    /// The real time for the daemon again.
    #[track_caller]
    pub fn real_clock_of_cacher(&self) {
        self.stop(Service::Cacher);
        self.ok(&format!("mv {CACHER}.real {CACHER}; rm -f /etc/faketimerc"));
        self.start(Service::Cacher);
    }
}
