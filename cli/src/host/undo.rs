//! Takes an enrolment back, whole or half done: the one way that a failed `enroll`, the `enroll`
//! after an interrupted one, and `unenroll` share. Every step may be repeated.

use std::path::Path;

use super::backup::{self, Backup};
use super::places::{
    DIRECTORY_FILES, IDENTITY, LEFT_BEHIND, NSSWITCH, PAM_FILES, SSHD_DROP_IN, STATE, TOKEN,
};
use super::{nsswitch, pam, services, sshd};
use crate::context::Context;
use crate::error::{Failure, Kind};

/// Puts the system back. Goes on after a step that failed and tells all failures together: the
/// backup then stays, so that the next try can finish.
pub(super) async fn undo(backup: Backup, context: &Context) -> Result<(), Failure> {
    let steps = [
        sshd_as_before(&backup, context).await,
        pam_as_before(&backup, context).await,
        nsswitch_as_before(&backup),
        identity_gone().await,
    ];
    let failures: Vec<_> = steps.into_iter().filter_map(Result::err).collect();
    if failures.is_empty() {
        return backup.forget();
    }
    let told: Vec<_> = failures.iter().map(ToString::to_string).collect();
    Err(
        Failure::new(Kind::InPart, "not everything could be put back")
            .because(told.join("\n"))
            .next("mend this, then: cloudid unenroll"),
    )
}

async fn sshd_as_before(backup: &Backup, context: &Context) -> Result<(), Failure> {
    let path = Path::new(SSHD_DROP_IN);
    let present = std::fs::read(path).ok();
    if present == backup.original(SSHD_DROP_IN)? {
        return Ok(());
    }
    if present.is_some_and(|present| present != sshd::DROP_IN.as_bytes()) {
        context
            .output
            .warn(&format!("{SSHD_DROP_IN} was edited; it goes all the same"));
    }
    backup.restore(SSHD_DROP_IN)?;
    sshd::test().await?;
    context.output.say(sshd::reload().await?);
    Ok(())
}

/// `pam-auth-update` takes its lines out. Where it will not, because of edits by hand, the stacks
/// of before the enrolment come back: lines that name a module of ours must not stay.
async fn pam_as_before(backup: &Backup, context: &Context) -> Result<(), Failure> {
    let removed = pam::disable().await;
    let left = pam::stacks_with_our_module();
    for stack in &left {
        let ours = backup.original(stack)?.is_none_or(|bytes| {
            !String::from_utf8_lossy(&bytes).contains(super::places::PAM_MODULE)
        });
        if ours {
            let edited = format!("{stack}.before-unenroll");
            context.output.warn(&format!(
                "{stack} was edited by hand: the copy of before the enrolment is back, the edited \
                 one is {edited}"
            ));
            std::fs::copy(stack, &edited)
                .map_err(|error| Failure::file("write", Path::new(&edited), &error))?;
            backup.restore(stack)?;
        }
    }
    removed?;
    let as_before = |file: &&&str| {
        backup
            .original(file)
            .is_ok_and(|original| std::fs::read(file).ok() == original)
    };
    let (stacks, memory): (Vec<_>, Vec<_>) = PAM_FILES.iter().partition(|file| pam::is_stack(file));
    let differing: Vec<_> = stacks.iter().filter(|file| !as_before(file)).collect();
    for stack in &differing {
        context.output.say(&format!(
            "{stack} differs from before the enrolment, but not by us"
        ));
    }
    if differing.is_empty() {
        for file in memory {
            backup.restore(file)?;
        }
    }
    Ok(())
}

fn nsswitch_as_before(backup: &Backup) -> Result<(), Failure> {
    let path = Path::new(NSSWITCH);
    let present = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    let Some(original) = backup.original(NSSWITCH)? else {
        return Ok(());
    };
    let before = nsswitch::undone(&original, &present);
    if before == present {
        return Ok(());
    }
    backup::rewrite(path, &before)
}

/// Removes who this host was, and everything it knew. Homes are not touched.
async fn identity_gone() -> Result<(), Failure> {
    backup::remove(Path::new(IDENTITY))?;
    services::stop().await?;
    for file in DIRECTORY_FILES.iter().chain(&LEFT_BEHIND) {
        backup::remove(Path::new(file))?;
    }
    let state = Path::new(STATE);
    let failed = |error| Failure::file("empty", state, &error);
    let entries = match std::fs::read_dir(state) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        // A first boot that failed tries again with it; whoever ends that takes it away.
        if entry.path() == Path::new(TOKEN) {
            continue;
        }
        let is_folder = entry.file_type().map_err(failed)?.is_dir();
        // Neither follows a link: what lies elsewhere is not ours.
        let gone = if is_folder {
            std::fs::remove_dir_all(entry.path())
        } else {
            std::fs::remove_file(entry.path())
        };
        match gone {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(failed(error));
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
