//! The steps of an enrolment, each checked before the next one begins.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use local_protocol::HostStatus;
use posix_names::{GroupName, Uid};

use super::super::backup::{self, Backup};
use super::super::places::{CACHER, NSSWITCH, SSHD_DROP_IN, TOKEN};
use super::super::{cacher, getent, local_accounts, nsswitch, pam, programs, services, sshd};
use super::{Wanted, confirm, unusable};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::secret_file;

const POLL_PAUSE: Duration = Duration::from_millis(200);
const DROP_IN_MODE: (u32, u32, u32) = (0o644, 0, 0);

/// Identity, daemons, first bundle, lookups, PAM, sshd.
pub(super) async fn all(
    wanted: &Wanted,
    backup: &Backup,
    interrupted: &AtomicBool,
    context: &Context,
) -> Result<(), Failure> {
    let go_on = || match interrupted.load(Ordering::Relaxed) {
        true => Err(Failure::failed("interrupted")),
        false => Ok(()),
    };
    let say = |text: &str| context.output.say(text);
    take_identity(wanted).await?;
    go_on()?;
    if let Some(advice) = services::start().await? {
        say(advice);
    }
    let status = first_bundle(wanted.wait, &go_on).await?;
    say(&format!(
        "{} is enrolled; bundle {} with {} people is in force",
        status.host_name, status.bundle_version, status.people
    ));
    go_on()?;
    let somebody = look_up(&status, context).await?;
    go_on()?;
    if !wanted.no_pam {
        enable_pam(context).await?;
    }
    go_on()?;
    if !wanted.no_ssh {
        enable_sshd(backup, somebody.as_deref(), context).await?;
    }
    go_on()?;
    root_is_there().await?;
    if let Some(user) = &somebody {
        say(&confirm::word_on(user)?);
    }
    confirm::confirmed(&go_on, context).await
}

/// The cacher makes the keys and speaks to the directory. A token from standard input goes through
/// a file that only root can read, and that is gone afterwards.
async fn take_identity(wanted: &Wanted) -> Result<(), Failure> {
    if wanted.token_file != Path::new("-") {
        let path = wanted
            .token_file
            .canonicalize()
            .map_err(|error| Failure::file("read", &wanted.token_file, &error))?;
        return ask_for_identity(wanted, &path).await;
    }
    let token = secret_file::read(&wanted.token_file)?;
    let path = Path::new(TOKEN);
    backup::remove(path)?;
    secret_file::write_new(path, &token)?;
    let asked = ask_for_identity(wanted, path).await;
    backup::remove(path)?;
    asked
}

async fn ask_for_identity(wanted: &Wanted, token: &Path) -> Result<(), Failure> {
    let name = match &wanted.name {
        Some(name) => name.clone(),
        None => rustix::system::uname()
            .nodename()
            .to_string_lossy()
            .into_owned(),
    };
    let token = token.display().to_string();
    let mut words = vec!["enroll", "--directory", &wanted.url, "--token-file", &token];
    words.extend(["--hostname", &name]);
    for tag in &wanted.tags {
        words.extend(["--tag", tag]);
    }
    let ended = programs::run(CACHER, &words).await?;
    // As the cacher says who must act.
    let kind = match ended.code {
        Some(69) => Kind::Refused,
        Some(75) => Kind::Unreachable,
        _ => Kind::Failed,
    };
    ended
        .or_fail("the directory did not enrol this host")
        .map(|_| ())
        .map_err(|failure| failure.of_kind(kind))
}

async fn first_bundle(
    wait: Duration,
    go_on: &impl Fn() -> Result<(), Failure>,
) -> Result<HostStatus, Failure> {
    let mut last = String::from("the cacher does not run");
    let poll = async {
        loop {
            go_on()?;
            match cacher::status() {
                Ok(status) if status.bundle_version > 0 => return Ok(status),
                Ok(status) => last = status.last_error,
                Err(failure) => last = failure.what().to_owned(),
            }
            tokio::time::sleep(POLL_PAUSE).await;
        }
    };
    match tokio::time::timeout(wait, poll).await {
        Ok(result) => result,
        Err(_) => Err(
            Failure::failed(format!("no bundle came within {} s", wait.as_secs()))
                .because(last)
                .next(
                    "does the host wait for approval? cloudid host list; then enrol with --wait 5m",
                ),
        ),
    }
}

/// What the file becomes; fails when it cannot be edited.
pub(super) fn nsswitch_edited() -> Result<Vec<u8>, Failure> {
    let path = Path::new(NSSWITCH);
    let present = std::fs::read(path).map_err(|error| Failure::file("read", path, &error))?;
    nsswitch::inserted(&present).map_err(|problem| unusable(&problem))
}

/// Lets glibc ask us, and checks by real lookups that it does. Answers a directory user, if this
/// host has one.
async fn look_up(status: &HostStatus, context: &Context) -> Result<Option<String>, Failure> {
    let root_before = getent::record("passwd", "root").await?;
    backup::rewrite(Path::new(NSSWITCH), &nsswitch_edited()?)?;
    if getent::record("passwd", "root").await? != root_before {
        return Err(Failure::failed("root is no longer who it was").because(NSSWITCH));
    }
    let everybody = GroupName::everybody();
    let people = getent::members(everybody.as_str()).await?;
    for clash in local_accounts::clashes(&people)? {
        context.output.warn(&format!(
            "{clash} is a local account as well: it stays, the directory's is not shown here"
        ));
    }
    let Some(somebody) = first_of_the_directory(&people)? else {
        if status.people > 0 {
            return Err(
                Failure::failed("directory users cannot be looked up on this host")
                    .because(format!(
                        "the bundle has {} people, but getent group {} shows nobody",
                        status.people,
                        everybody.as_str()
                    ))
                    .next("is libnss_cloudid.so.2 installed where glibc looks for it?"),
            );
        }
        context
            .output
            .say("nobody has access to this host yet: no directory user was looked up");
        return Ok(None);
    };
    let record = getent::record("passwd", &somebody)
        .await?
        .unwrap_or_default();
    let uid: Option<u64> = record.split(':').nth(2).and_then(|uid| uid.parse().ok());
    if uid.is_some_and(|uid| Uid::new(uid).is_ok()) {
        context.output.say(&format!("names resolve: {record}"));
        Ok(Some(somebody))
    } else {
        Err(
            Failure::failed(format!("{somebody} cannot be looked up on this host"))
                .because(format!("getent passwd says: {record}")),
        )
    }
}

fn first_of_the_directory(people: &[String]) -> Result<Option<String>, Failure> {
    let local = local_accounts::clashes(people)?;
    Ok(people.iter().find(|name| !local.contains(name)).cloned())
}

/// Root must get through the new stacks as it got through the old ones.
async fn enable_pam(context: &Context) -> Result<(), Failure> {
    let before = confirm::root_logs_in().await;
    pam::enable().await?;
    context.output.say("PAM asks cloudid about directory users");
    if before && !confirm::root_logs_in().await {
        return Err(Failure::failed("root cannot log in through PAM any more")
            .because("su root worked before the profiles were enabled, and does not now"));
    }
    Ok(())
}

async fn enable_sshd(
    backup: &Backup,
    somebody: Option<&str>,
    context: &Context,
) -> Result<(), Failure> {
    if backup.original(SSHD_DROP_IN)?.is_some() {
        context
            .output
            .warn(&format!("{SSHD_DROP_IN} was there already and is replaced"));
    }
    let root_before = sshd::effective("root").await?;
    backup::replace(
        Path::new(SSHD_DROP_IN),
        sshd::DROP_IN.as_bytes(),
        DROP_IN_MODE,
    )?;
    sshd::test().await?;
    sshd::check_root(&root_before, &sshd::effective("root").await?)?;
    if let Some(user) = somebody {
        sshd::check_directory_user(user, &sshd::effective(user).await?)?;
    }
    context.output.say(sshd::reload().await?);
    Ok(())
}

/// The last word: root still is root, by way of the finished configuration.
async fn root_is_there() -> Result<(), Failure> {
    match getent::record("passwd", "root").await? {
        Some(record) if record.split(':').nth(2) == Some("0") => Ok(()),
        other => {
            Err(Failure::failed("root cannot be looked up").because(other.unwrap_or_default()))
        }
    }
}
