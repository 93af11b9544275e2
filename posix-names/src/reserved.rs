//! Names and group ids that belong to operating systems or to cloudid itself. Directory and host
//! each refuse them, so that no record of the directory can take a system account's place.

/// Accounts and groups shipped or made by packages of Debian, Ubuntu, the RHEL family and SUSE,
/// plus names with a meaning of their own in sudoers and sshd. Sorted; a test keeps it so.
const RESERVED: &[&str] = &[
    "_apt",
    "_aptitude",
    "_chrony",
    "_dnsmasq",
    "_flatpak",
    "_rpc",
    "_ssh",
    "abrt",
    "adm",
    "admin",
    "administrator",
    "all",
    "amanda",
    "apache",
    "at",
    "audio",
    "audit",
    "avahi",
    "avahi-autoipd",
    "backup",
    "bin",
    "bind",
    "bluetooth",
    "boinc",
    "cdrom",
    "ceph",
    "chrony",
    "clamav",
    "cockpit-ws",
    "cockpit-wsinstance",
    "colord",
    "crontab",
    "cups",
    "cups-pk-helper",
    "daemon",
    "dbus",
    "debian-exim",
    "debian-tor",
    "dhcpcd",
    "dhcpd",
    "dialout",
    "dip",
    "disk",
    "dnsmasq",
    "docker",
    "dovecot",
    "dovenull",
    "empower",
    "everyone",
    "fax",
    "flatpak",
    "floppy",
    "ftp",
    "fwupd-refresh",
    "games",
    "gdm",
    "geoclue",
    "gnats",
    "gnome-initial-setup",
    "group",
    "haproxy",
    "halt",
    "haldaemon",
    "hplip",
    "incus",
    "incus-admin",
    "input",
    "irc",
    "kernoops",
    "kmem",
    "kvm",
    "landscape",
    "ldap",
    "libstoragemgmt",
    "libvirt",
    "libvirt-dnsmasq",
    "libvirt-qemu",
    "lightdm",
    "list",
    "lock",
    "lp",
    "lpadmin",
    "lxd",
    "mail",
    "mailman",
    "mailnull",
    "man",
    "memcache",
    "messagebus",
    "mysql",
    "named",
    "netdev",
    "news",
    "nfsnobody",
    "nm-openconnect",
    "nm-openvpn",
    "nobody",
    "nogroup",
    "none",
    "nscd",
    "nslcd",
    "ntp",
    "nvpd",
    "ods",
    "oident",
    "operator",
    "oprofile",
    "partimag",
    "pcp",
    "pipewire",
    "pkcs11",
    "plugdev",
    "polkitd",
    "pollinate",
    "postdrop",
    "postfix",
    "postgres",
    "power",
    "proxy",
    "pulse",
    "pulse-access",
    "pulse-rt",
    "qemu",
    "quagga",
    "rabbitmq",
    "radvd",
    "redis",
    "render",
    "rngd",
    "root",
    "rpc",
    "rpcuser",
    "rpm",
    "rtkit",
    "saned",
    "sasl",
    "sbuild",
    "scanner",
    "screen",
    "setroubleshoot",
    "sgx",
    "shadow",
    "shutdown",
    "smmsp",
    "smmta",
    "speech-dispatcher",
    "squid",
    "src",
    "ssh",
    "ssh_keys",
    "sshd",
    "ssl-cert",
    "sslh",
    "sssd",
    "staff",
    "statd",
    "stunnel",
    "stunnel4",
    "sudo",
    "sync",
    "sys",
    "sysadmin",
    "syslog",
    "systemd",
    "systemd-bus-proxy",
    "systemd-coredump",
    "systemd-journal",
    "systemd-journal-remote",
    "systemd-network",
    "systemd-oom",
    "systemd-resolve",
    "systemd-timesync",
    "tape",
    "tcpdump",
    "telnetd",
    "tftp",
    "tomcat",
    "trusted",
    "tss",
    "tty",
    "unbound",
    "usbmux",
    "user",
    "users",
    "utempter",
    "utmp",
    "uucp",
    "uuidd",
    "varnish",
    "vboxadd",
    "vcsa",
    "video",
    "voice",
    "wheel",
    "whoopsie",
    "wireshark",
    "www",
    "www-data",
    "wwwrun",
    "xrdp",
];

/// Prefixes that belong to cloudid and to systemd's dynamic users.
const RESERVED_PREFIXES: &[&str] = &["cloudid", "systemd-", "debian-"];

/// Group ids that mean root on common systems: sudo, wheel, adm, disk, shadow, docker and kin.
const PROTECTED_GIDS_MAX: u32 = 999;

/// Whether a name belongs to the system, whatever its case.
#[must_use]
pub fn is_reserved(name: &str) -> bool {
    let begins_with = |prefix: &&str| {
        let beginning = name.get(..prefix.len());
        beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(prefix))
    };
    RESERVED.iter().any(|one| one.eq_ignore_ascii_case(name))
        || RESERVED_PREFIXES.iter().any(begins_with)
}

/// Whether a group id lies where systems keep their own groups.
#[must_use]
pub fn is_protected_gid(gid: u32) -> bool {
    gid <= PROTECTED_GIDS_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_mean_root_are_reserved() {
        for name in [
            "root", "sudo", "wheel", "Sudo", "ROOT", "docker", "lxd", "adm", "shadow",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        assert!(is_reserved("systemd-anything"));
        assert!(!is_reserved("alice"));
    }

    #[test]
    fn gids_of_the_system_are_protected() {
        for gid in [0, 10, 27, 999] {
            assert!(is_protected_gid(gid));
        }
        assert!(!is_protected_gid(70_000));
    }
}
