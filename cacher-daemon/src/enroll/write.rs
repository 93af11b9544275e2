//! Stores what enrolment brought: secrets with mode 0600, everything owned by the daemon's user.

use std::io;
use std::os::unix::fs::lchown;

use directory_api::agent::EnrollAnswer;

use super::Keys;
use crate::disk::{Disk, HostDisk, make_folder};
use crate::identity::Identity;
use crate::local::LocalNames;
use crate::mirror::marks::second_copy;
use crate::paths::Paths;

const DAEMON_USER: &str = "cloudid";

/// Writes identity, keys, CA and the settings drop-in. The identity comes last: without it the host
/// counts as not enrolled.
pub(super) fn everything(
    paths: &Paths,
    address: &str,
    keys: &Keys,
    answer: &EnrollAnswer,
    root_chain: &[u8],
) -> io::Result<()> {
    let disk = HostDisk;
    for folder in [&paths.config, &paths.drop_ins(), &paths.state] {
        make_folder(folder, 0o755)?;
    }
    let settings = format!(
        "# written by cloudid enroll\n[directory]\nurl = [{}]\n",
        toml::Value::String(address.to_owned())
    );
    disk.replace(
        &paths.config.join("ca.pem"),
        answer.ca_certificate.as_bytes(),
        0o644,
    )?;
    disk.replace(&paths.directory_drop_in(), settings.as_bytes(), 0o644)?;
    forget_former_bundle(paths)?;
    disk.replace(&paths.root_chain(), root_chain, 0o600)?;
    disk.replace(&paths.host_key(), keys.tls.as_bytes(), 0o600)?;
    disk.replace(
        &paths.host_certificate(),
        answer.certificate.as_bytes(),
        0o600,
    )?;
    disk.replace(&paths.sealing_key(), keys.sealing.as_bytes(), 0o600)?;
    let identity = Identity {
        organisation: answer.organisation.clone(),
        host_id: answer.host_id.clone(),
        hostname: answer.hostname.clone(),
    };
    disk.replace(
        &paths.identity(),
        &serde_json::to_vec_pretty(&identity)?,
        0o600,
    )?;
    own_by_daemon(paths)
}

/// A host that is enrolled anew is another host: what its former identity had mirrored is of no use
/// and could not be read.
fn forget_former_bundle(paths: &Paths) -> io::Result<()> {
    let former = [
        paths.bundle(),
        paths.identity(),
        paths.kept_map(),
        paths.marks(),
        second_copy(&paths.marks()),
        paths.refused_run(),
    ];
    for path in former {
        let removed = if path.is_dir() {
            std::fs::remove_dir_all(&path)
        } else {
            std::fs::remove_file(&path)
        };
        match removed {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Only root can give files away; whoever else enrols (a test) keeps them. Exactly what was written
/// is given, and no link is followed: the folder belongs to a less trusted user.
fn own_by_daemon(paths: &Paths) -> io::Result<()> {
    let local = LocalNames::read(&paths.etc);
    let daemon = local.users.get(DAEMON_USER).copied();
    let group = local.groups.get(DAEMON_USER).copied();
    let Some(uid) = daemon.filter(|_| rustix::process::geteuid().is_root()) else {
        return Ok(());
    };
    for path in [
        &paths.state,
        &paths.root_chain(),
        &paths.host_key(),
        &paths.host_certificate(),
        &paths.sealing_key(),
        &paths.identity(),
    ] {
        lchown(path, Some(uid), group)?;
    }
    Ok(())
}
