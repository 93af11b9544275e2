//! The daemons of the host, their sockets, and that they start at boot.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use local_protocol::{
    ADMIN_SOCKET, HELPER_SOCKET, KEYS_SOCKET, NSS_SOCKET, PAM_SOCKET, USER_SOCKET,
};

use super::super::local_accounts;
use super::super::services::systemd_runs;
use super::files::owned_by_cloudid;
use super::{Check, Facts, Mend, Verdict};

const CACHER: &str = "cloudid-cacher.service";
const HELPER: &str = "cloudid-helper.socket";
const MAP: &str = "cloudid-identity-map.service";
const LOOKUPS: &str = "cloudid-lookups.service";
const START: &str = "systemctl enable --now cloudid-identity-map cloudid-helper.socket \
                     cloudid-cacher cloudid-lookups; journalctl -u cloudid-cacher";

pub(super) const CHECKS: [Check; 8] = [
    Check {
        id: "run-folder",
        why: "modules believe only sockets and a map in a folder of the cacher",
        advice: "systemd-tmpfiles --create cloudid.conf && systemctl restart cloudid-cacher",
        mend: Some(Mend::Run(&[
            "/usr/bin/systemd-tmpfiles",
            "--create",
            "cloudid.conf",
        ])),
        look: |_| owned_by_cloudid("/run/cloudid", 0o755),
    },
    Check {
        id: "cacher",
        why: "it decides every login of a directory user",
        advice: START,
        mend: Some(Mend::Daemons),
        look: |facts| match &facts.status {
            Ok(_) => Verdict::good(),
            Err(why) => Verdict::Fail(why.clone()),
        },
    },
    Check {
        id: "cacher-unit",
        why: "what systemd does not keep running stays away when it ends",
        advice: START,
        mend: Some(Mend::Daemons),
        look: |facts| runs(facts, CACHER),
    },
    Check {
        id: "at-boot",
        why: "after a boot nobody of the directory would be known",
        advice: START,
        mend: Some(Mend::Daemons),
        look: at_boot,
    },
    Check {
        id: "sockets",
        why: "programs of everybody ask by these",
        advice: "systemctl restart cloudid-cacher",
        mend: Some(Mend::Run(&[
            "/usr/bin/systemctl",
            "restart",
            "cloudid-cacher.service",
        ])),
        look: |_| sockets(),
    },
    Check {
        id: "helper-socket",
        why: "by it homes are made and sessions of suspended people end",
        advice: "systemctl restart cloudid-helper.socket",
        mend: Some(Mend::Run(&[
            "/usr/bin/systemctl",
            "restart",
            "cloudid-helper.socket",
        ])),
        look: |_| {
            let group = local_accounts::gid_of("cloudid");
            Verdict::unless(&socket(HELPER_SOCKET, 0o660, Some(0), group))
        },
    },
    Check {
        id: "lookups-unit",
        why: "programs that know no name service module ask it",
        advice: START,
        mend: Some(Mend::Daemons),
        look: |facts| match runs(facts, LOOKUPS) {
            Verdict::Fail(why) => Verdict::Warn(why),
            good @ (Verdict::Good(_) | Verdict::Warn(_)) => good,
        },
    },
    Check {
        id: "user-database-link",
        why: "systemd and loginctl find people by it",
        advice: "systemd-tmpfiles --create cloudid.conf",
        mend: Some(Mend::Run(&[
            "/usr/bin/systemd-tmpfiles",
            "--create",
            "cloudid.conf",
        ])),
        look: |_| match fs::symlink_metadata("/run/systemd/userdb/io.cloudid.UserDatabase") {
            Ok(_) => Verdict::good(),
            Err(error) => Verdict::Warn(format!(
                "/run/systemd/userdb/io.cloudid.UserDatabase: {error}"
            )),
        },
    },
];

fn runs(facts: &Facts, unit: &str) -> Verdict {
    if !systemd_runs() {
        return Verdict::Good("systemd does not run here".to_owned());
    }
    match facts.active.contains(&unit) {
        true => Verdict::good(),
        false => Verdict::Fail(format!("{unit} does not run")),
    }
}

fn at_boot(facts: &Facts) -> Verdict {
    if !systemd_runs() {
        return Verdict::Good("systemd does not run here".to_owned());
    }
    let missing: Vec<_> = [MAP, HELPER, CACHER]
        .into_iter()
        .filter(|unit| !facts.enabled.contains(unit))
        .map(|unit| format!("{unit} does not start at boot"))
        .collect();
    Verdict::unless(&missing)
}

fn sockets() -> Verdict {
    let owner = local_accounts::uid_of("cloudid");
    let open = [NSS_SOCKET, PAM_SOCKET, USER_SOCKET, KEYS_SOCKET].map(|path| (path, 0o666));
    let wrong: Vec<_> = open
        .into_iter()
        .chain([(ADMIN_SOCKET, 0o600)])
        .flat_map(|(path, mode)| socket(path, mode, owner, None))
        .collect();
    Verdict::unless(&wrong)
}

fn socket(path: &str, mode: u32, owner: Option<u32>, group: Option<u32>) -> Vec<String> {
    let status = match fs::symlink_metadata(path) {
        Ok(status) => status,
        Err(error) => return vec![format!("{path}: {error}")],
    };
    let right = status.file_type().is_socket()
        && status.mode() & 0o7777 == mode
        && Some(status.uid()) == owner
        && group.is_none_or(|group| status.gid() == group);
    match right {
        true => Vec::new(),
        false => vec![format!(
            "{path} has owner {}:{} and mode {:o}",
            status.uid(),
            status.gid(),
            status.mode() & 0o7777
        )],
    }
}
