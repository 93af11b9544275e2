//! The PAM stacks, by `pam-auth-update` and its profiles. Nothing here edits a stack itself.

use std::path::{Path, PathBuf};

use super::places::{PAM_AUTH_UPDATE, PAM_FILES, PAM_MODULE, PAM_PROFILE_FOLDER, PAM_PROFILES};
use super::programs;
use crate::error::Failure;

/// What must be there before anything is changed.
pub(super) fn check() -> Result<(), Failure> {
    let profiles = PAM_PROFILES.map(|profile| Path::new(PAM_PROFILE_FOLDER).join(profile));
    for needed in std::iter::once(PathBuf::from(PAM_AUTH_UPDATE)).chain(profiles) {
        if !needed.exists() {
            return Err(Failure::failed(format!("{} is missing", needed.display()))
                .next("install libpam-cloudid, or enrol with --no-pam for lookups only"));
        }
    }
    Ok(())
}

pub(super) async fn enable() -> Result<(), Failure> {
    let arguments = ["--enable", PAM_PROFILES[0], PAM_PROFILES[1]];
    let finished = programs::run(PAM_AUTH_UPDATE, &arguments).await?;
    let said = finished.errors.clone();
    finished.or_fail("pam-auth-update could not enable the profiles")?;
    // It ends well, too, when it refuses because of edits of the administrator.
    let stacks: Vec<_> = stacks_with_our_module();
    if stacks.len() < PAM_FILES.iter().filter(|file| is_stack(file)).count() {
        return Err(
            Failure::failed("pam-auth-update did not put our module into every stack")
                .because(said)
                .next(
                    "the files /etc/pam.d/common-* were edited by hand: put the lines of \
                 /usr/share/pam-configs/cloudid there yourself and enrol with --no-pam",
                ),
        );
    }
    Ok(())
}

/// Takes the profiles out; does nothing where they are not in.
pub(super) async fn disable() -> Result<(), Failure> {
    if stacks_with_our_module().is_empty() && !remembered() {
        return Ok(());
    }
    let arguments = ["--package", "--remove", PAM_PROFILES[0], PAM_PROFILES[1]];
    programs::run(PAM_AUTH_UPDATE, &arguments)
        .await?
        .or_fail("pam-auth-update could not remove the profiles")
        .map(|_| ())
}

/// Stacks of this host that name our module.
pub(super) fn stacks_with_our_module() -> Vec<&'static str> {
    let names_it = |file: &&&str| {
        std::fs::read(file).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(PAM_MODULE))
    };
    PAM_FILES
        .iter()
        .filter(|file| is_stack(file))
        .filter(names_it)
        .copied()
        .collect()
}

/// Stacks, in contrast to what `pam-auth-update` remembers of them.
pub(super) fn is_stack(file: &str) -> bool {
    file.starts_with("/etc/pam.d/")
}

/// `pam-auth-update` still lists our profiles as seen.
fn remembered() -> bool {
    std::fs::read_to_string("/var/lib/pam/seen")
        .is_ok_and(|seen| seen.lines().any(|line| PAM_PROFILES.contains(&line)))
}
