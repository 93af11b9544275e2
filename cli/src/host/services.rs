//! The daemons of this host. Where systemd runs it starts and stops them; elsewhere whoever runs
//! this machine does.

use std::path::Path;

use super::places::SYSTEMD;
use super::programs;
use crate::error::Failure;

const SYSTEMCTL: &str = "/usr/bin/systemctl";
const UNITS: [&str; 3] = [
    "cloudid-identity-map.service",
    "cloudid-helper.socket",
    "cloudid-cacher.service",
];
const HELPER: &str = "cloudid-helper.service";

pub(super) fn systemd_runs() -> bool {
    Path::new(SYSTEMD).is_dir()
}

/// Starts the daemons, now and at every boot. Says what to do where nothing can be started.
pub(super) async fn start() -> Result<Option<&'static str>, Failure> {
    if !systemd_runs() {
        return Ok(Some(
            "systemd does not run here: start cloudid-helper as root and cloudid-cacher as user \
             cloudid",
        ));
    }
    systemctl(&["daemon-reload"]).await?;
    systemctl(&["enable", UNITS[0], UNITS[1], UNITS[2]]).await?;
    systemctl(&["restart", UNITS[1], UNITS[2]]).await?;
    Ok(None)
}

/// Stops the daemons, now and for later boots. Stopping twice does no harm.
pub(super) async fn stop() -> Result<Option<&'static str>, Failure> {
    if !systemd_runs() {
        return Ok(Some(
            "systemd does not run here: stop cloudid-cacher and cloudid-helper yourself",
        ));
    }
    systemctl(&["disable", "--now", UNITS[2], UNITS[1], UNITS[0]]).await?;
    systemctl(&["stop", HELPER]).await?;
    Ok(None)
}

pub(super) async fn systemctl(arguments: &[&str]) -> Result<String, Failure> {
    let what = format!("systemctl {} failed", arguments.join(" "));
    programs::run(SYSTEMCTL, arguments).await?.or_fail(&what)
}

/// Whether a unit is active.
pub(super) async fn is_active(unit: &str) -> bool {
    let asked = programs::run(SYSTEMCTL, &["is-active", "--quiet", unit]).await;
    asked.is_ok_and(|finished| finished.success)
}
