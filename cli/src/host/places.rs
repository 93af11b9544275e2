//! Where things lie on a host. Compiled in, so that nobody can point root's verbs elsewhere.

pub(super) const NSSWITCH: &str = "/etc/nsswitch.conf";
pub(super) const PASSWD: &str = "/etc/passwd";
pub(super) const GROUP: &str = "/etc/group";
pub(super) const SUBORDINATE: [&str; 2] = ["/etc/subuid", "/etc/subgid"];
pub(super) const SSHD_DROP_IN: &str = "/etc/ssh/sshd_config.d/20-cloudid.conf";
pub(super) const SSHD: &str = "/usr/sbin/sshd";
pub(super) const SU: &str = "/usr/bin/su";
pub(super) const SSHD_RUN: &str = "/run/sshd";
pub(super) const SSHD_PID: &str = "/run/sshd.pid";
pub(super) const PAM_AUTH_UPDATE: &str = "/usr/sbin/pam-auth-update";
pub(super) const PAM_PROFILES: [&str; 2] = ["cloudid", "cloudid-passwd"];
pub(super) const PAM_PROFILE_FOLDER: &str = "/usr/share/pam-configs";
pub(super) const PAM_MODULE: &str = "pam_cloudid.so";
/// What `pam-auth-update` writes: the stacks, and its own memory of them.
pub(super) const PAM_FILES: [&str; 11] = [
    "/etc/pam.d/common-auth",
    "/etc/pam.d/common-account",
    "/etc/pam.d/common-password",
    "/etc/pam.d/common-session",
    "/etc/pam.d/common-session-noninteractive",
    "/var/lib/pam/auth",
    "/var/lib/pam/account",
    "/var/lib/pam/password",
    "/var/lib/pam/session",
    "/var/lib/pam/session-noninteractive",
    "/var/lib/pam/seen",
];
pub(super) const CACHER: &str = "/usr/libexec/cloudid/cloudid-cacher";
pub(super) const IDENTITY: &str = "/var/lib/cloudid/identity.json";
pub(super) const STATE: &str = "/var/lib/cloudid";
/// There when the directory refused this machine for another one with its identity.
pub(super) const REFUSED_RUN: &str = "/var/lib/cloudid/refused-run";
pub(super) const SETTINGS: &str = "/etc/cloudid/cloudid.toml";
pub(super) const DROP_INS: &str = "/etc/cloudid/conf.d";
/// A token on its way to the cacher; put there by others for a first boot.
pub(super) const TOKEN: &str = "/var/lib/cloudid/enrollment.token";
/// What `cloudid-cacher enroll` writes outside of [`STATE`].
pub(super) const DIRECTORY_FILES: [&str; 2] = [
    "/etc/cloudid/ca.pem",
    "/etc/cloudid/conf.d/10-directory.toml",
];
/// What the daemons leave in `/run/cloudid` when they end.
pub(super) const LEFT_BEHIND: [&str; 7] = [
    "/run/cloudid/identity.map",
    local_protocol::PAM_SOCKET,
    local_protocol::NSS_SOCKET,
    local_protocol::USER_SOCKET,
    local_protocol::KEYS_SOCKET,
    local_protocol::ADMIN_SOCKET,
    local_protocol::HELPER_SOCKET,
];
/// What an image noted for the machines made from it.
pub(super) const FIRST_BOOT: &str = "/etc/cloudid/first-boot.toml";
pub(super) const FIRST_BOOT_UNIT: &str = "cloudid-first-boot.service";
pub(super) const BACKUP: &str = "/var/lib/cloudid-enroll-backup";
/// Exists where systemd is the init of this machine.
pub(super) const SYSTEMD: &str = "/run/systemd/system";
