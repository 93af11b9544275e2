//! What programs and the cacher say, asked once for all checks.

use local_protocol::HostStatus;
use posix_names::GroupName;

use super::super::places::{SSHD, SU};
use super::super::services::{self, systemctl};
use super::super::{cacher, getent, programs};

const VISUDO: &str = "/usr/sbin/visudo";
const SUDO: &str = "/usr/bin/sudo";
const TIMEDATECTL: &str = "/usr/bin/timedatectl";
const CACHER: &str = super::super::places::CACHER;

/// How a program ended, in one word, and what it wrote.
pub(super) type Said = Result<String, String>;

/// Everything that is asked of others.
pub(super) struct Facts {
    /// Milliseconds since 1970.
    pub(super) now: i64,
    /// What the cacher says of itself, or why it does not.
    pub(super) status: Result<HostStatus, String>,
    /// Who may log in here, by glibc.
    pub(super) people: Vec<String>,
    /// Root, by glibc.
    pub(super) root: Option<String>,
    pub(super) sshd_test: Said,
    pub(super) sshd_of_root: Said,
    pub(super) sshd_of_somebody: Option<Said>,
    pub(super) su_root: Said,
    pub(super) visudo: Option<Said>,
    pub(super) sudo_version: Option<Said>,
    pub(super) settings: Said,
    /// What the cacher goes by, in its own words.
    pub(super) settings_in_force: Option<String>,
    pub(super) time_synchronised: Option<Said>,
    /// Units that run, and units that start at boot.
    pub(super) active: Vec<&'static str>,
    pub(super) enabled: Vec<&'static str>,
}

/// Units whose state matters.
const UNITS: [&str; 9] = [
    "cloudid-cacher.service",
    "cloudid-helper.socket",
    "cloudid-identity-map.service",
    "cloudid-lookups.service",
    "cloudid-nscd.service",
    "nscd.service",
    "unscd.service",
    "sssd.service",
    "systemd-userdbd.socket",
];

impl Facts {
    pub(super) async fn gather(now: i64) -> Self {
        let everybody = GroupName::everybody();
        let people = getent::members(everybody.as_str())
            .await
            .unwrap_or_default();
        let (active, enabled) = units().await;
        let of = |user: &str| format!("user={user},host=localhost,addr=127.0.0.1");
        let sshd_of_somebody = match people.first() {
            Some(user) => Some(said(SSHD, &["-T", "-C", &of(user)]).await),
            None => None,
        };
        Self {
            now,
            status: cacher::status().map_err(|failure| failure.what().to_owned()),
            root: getent::record("passwd", "root").await.unwrap_or_default(),
            sshd_test: said(SSHD, &["-t"]).await,
            sshd_of_root: said(SSHD, &["-T", "-C", &of("root")]).await,
            sshd_of_somebody,
            su_root: said(SU, &["root", "-c", "true"]).await,
            visudo: if_there(VISUDO, &["-c", "-q"]).await,
            sudo_version: if_there(SUDO, &["-V"]).await,
            settings: said(CACHER, &["--check"]).await,
            settings_in_force: said(CACHER, &["--print-config"]).await.ok(),
            time_synchronised: if_there(
                TIMEDATECTL,
                &["show", "--property=NTPSynchronized", "--value"],
            )
            .await,
            people,
            active,
            enabled,
        }
    }
}

async fn units() -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut active, mut enabled) = (Vec::new(), Vec::new());
    if services::systemd_runs() {
        for unit in UNITS {
            if services::is_active(unit).await {
                active.push(unit);
            }
            if systemctl(&["is-enabled", "--quiet", unit]).await.is_ok() {
                enabled.push(unit);
            }
        }
    }
    (active, enabled)
}

async fn if_there(program: &str, arguments: &[&str]) -> Option<Said> {
    match std::path::Path::new(program).exists() {
        true => Some(said(program, arguments).await),
        false => None,
    }
}

async fn said(program: &str, arguments: &[&str]) -> Said {
    match programs::run(program, arguments).await {
        Ok(ended) if ended.success => Ok(ended.output.trim().to_owned()),
        Ok(ended) => {
            let both = format!("{} {}", ended.errors.trim(), ended.output.trim());
            Err(both.trim().replace('\n', "; "))
        }
        Err(failure) => Err(failure.what().to_owned()),
    }
}
