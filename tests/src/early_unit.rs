//! A unit that runs as somebody as soon as names are promised: what a host knows before its daemon.

use crate::host::Host;

const UNIT: &str = "[Unit]\nDefaultDependencies=no\nAfter=nss-user-lookup.target\n\
    Before=cloudid-cacher.service sysinit.target\n\
    [Service]\nType=oneshot\nRemainAfterExit=yes\nUser=PERSON\nRuntimeDirectory=early\n\
    RuntimeDirectoryPreserve=yes\n\
    ExecStart=/bin/sh -c 'id -un > /run/early/name; test ! -S /run/cloudid/pam.sock'\n\
    [Install]\nWantedBy=sysinit.target\n";

impl Host {
    /// At every boot from now on, somebody's name is written to `/run/early/name`, by themselves and
    /// before the cacher runs.
    #[track_caller]
    pub fn add_early_unit_of(&self, person: &str) {
        let unit = UNIT.replace("PERSON", person);
        self.write("/etc/systemd/system/early.service", &unit);
        self.ok("systemctl daemon-reload && systemctl enable early.service");
    }

    /// Takes the unit away.
    #[track_caller]
    pub fn remove_early_unit(&self) {
        self.ok("systemctl disable early.service && rm /etc/systemd/system/early.service");
    }
}
