//! `cloudid enroll`: makes this machine a host. Says every file it will touch, keeps a copy of
//! each, checks real lookups, a login of root and sshd's own word, and takes everything back by
//! itself when one of them fails or nobody confirms. The order is such that nothing points to a
//! daemon that has not answered yet.

mod confirm;
mod first_boot;
pub(super) mod image;
mod steps;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use super::backup::Backup;
use super::places::{
    BACKUP, CACHER, DIRECTORY_FILES, IDENTITY, NSSWITCH, PAM_FILES, SSHD, SSHD_DROP_IN, STATE,
};
use super::{local_accounts, must_be_root, nsswitch, pam, sshd, undo};
use crate::context::Context;
use crate::error::{Failure, Kind};

/// How long the first bundle is waited for unless said otherwise.
const WAIT: Duration = Duration::from_secs(20);
const SYSTEM_USERS: [&str; 2] = ["cloudid", "cloudid-keys"];

/// Make this machine a host of a directory (root)
#[derive(Debug, Args)]
pub(crate) struct EnrollArguments {
    /// Address of the directory, https://HOST:PORT
    #[arg(required_unless_present = "first_boot", conflicts_with = "first_boot")]
    url: Option<String>,
    /// File with the enrolment token, - for standard input
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present_any = ["image_prepare", "first_boot"],
        conflicts_with_all = ["image_prepare", "first_boot"]
    )]
    token_file: Option<PathBuf>,
    /// Name of this host in the directory; its own name when absent
    #[arg(long, conflicts_with_all = ["image_prepare", "first_boot"])]
    name: Option<String>,
    /// A tag, which gets the prefix host: in the directory; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Leave PAM alone
    #[arg(long)]
    no_pam: bool,
    /// Leave sshd alone
    #[arg(long)]
    no_ssh: bool,
    /// How long to wait for the first bundle
    #[arg(long, value_name = "DURATION", default_value = "20s", value_parser = duration)]
    wait: Duration,
    /// Only note address and options: machines made from this image enrol at their first boot
    #[arg(long)]
    image_prepare: bool,
    /// Enrol with the token of this machine in /var/lib/cloudid/enrollment.token, when the directory
    /// can be reached; what cloudid-first-boot.service does
    #[arg(long, conflicts_with = "image_prepare")]
    first_boot: bool,
}

/// What an enrolment is to do.
#[derive(Debug)]
struct Wanted {
    url: String,
    token_file: PathBuf,
    name: Option<String>,
    tags: Vec<String>,
    no_pam: bool,
    no_ssh: bool,
    wait: Duration,
}

impl From<EnrollArguments> for Wanted {
    /// Which of them may be absent, the command line knows.
    fn from(arguments: EnrollArguments) -> Self {
        Self {
            url: arguments.url.unwrap_or_default(),
            token_file: arguments.token_file.unwrap_or_default(),
            name: arguments.name,
            tags: arguments.tags,
            no_pam: arguments.no_pam,
            no_ssh: arguments.no_ssh,
            wait: arguments.wait,
        }
    }
}

pub(crate) async fn run(arguments: EnrollArguments, context: &Context) -> Result<(), Failure> {
    must_be_root("enroll")?;
    let (image_prepare, first_boot) = (arguments.image_prepare, arguments.first_boot);
    let wanted = Wanted::from(arguments);
    if image_prepare {
        return image::prepare(&wanted, context).await;
    }
    let interrupted = note_interruptions()?;
    if first_boot {
        first_boot::run(&interrupted, context).await
    } else {
        enrol(&wanted, &interrupted, context).await
    }
}

async fn enrol(
    wanted: &Wanted,
    interrupted: &AtomicBool,
    context: &Context,
) -> Result<(), Failure> {
    finish_interrupted(context).await?;
    check(wanted, context).await?;
    say_what_is_touched(wanted, context);
    if context.options.dry_run {
        return Ok(());
    }
    if context.somebody_is_there() {
        context.confirm("enrol this host?")?;
    }
    let mut backup = Backup::take(Path::new(BACKUP), &touched(wanted))?;
    match steps::all(wanted, &backup, interrupted, context).await {
        Ok(()) => backup.completed(),
        Err(failure) => {
            context
                .output
                .warn("Something failed: putting everything back.");
            match undo::undo(backup, context).await {
                Ok(()) => {
                    context.output.warn("Everything is as it was.");
                    Err(failure)
                }
                Err(left) => {
                    context.output.warn(&failure.to_string());
                    Err(left)
                }
            }
        }
    }
}

/// Ctrl-C and the like are noted here and obeyed between two steps, by taking everything back.
fn note_interruptions() -> Result<Arc<AtomicBool>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for kind in [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
    ] {
        let mut signals = signal(kind)
            .map_err(|error| Failure::failed("no signals").because(error.to_string()))?;
        let interrupted = Arc::clone(&interrupted);
        tokio::spawn(async move {
            while signals.recv().await.is_some() {
                interrupted.store(true, Ordering::Relaxed);
            }
        });
    }
    Ok(interrupted)
}

/// An enrolment that was cut short is taken back first.
async fn finish_interrupted(context: &Context) -> Result<(), Failure> {
    match Backup::open(Path::new(BACKUP))? {
        Some(backup) if backup.complete => Err(Failure::failed("this host is enrolled already")
            .next("cloudid host-status; to enrol anew: cloudid unenroll first")),
        Some(backup) if context.options.dry_run => {
            drop(backup);
            context
                .output
                .say("An interrupted enrolment would be taken back first.");
            Ok(())
        }
        Some(backup) => {
            context
                .output
                .say("An earlier enrolment was interrupted: taking it back first.");
            undo::undo(backup, context).await
        }
        None => Ok(()),
    }
}

/// Everything that can be known before the first change.
async fn check(wanted: &Wanted, context: &Context) -> Result<(), Failure> {
    if Path::new(IDENTITY).exists() {
        return Err(Failure::failed("this machine has an identity already")
            .because(format!(
                "{IDENTITY} exists, and no enrolment of ours is known"
            ))
            .next(format!(
                "if it is a copy of another machine, empty {STATE} and enrol again"
            )));
    }
    check_installed()?;
    steps::nsswitch_edited()?;
    if !wanted.no_pam {
        pam::check()?;
    }
    if !wanted.no_ssh {
        check_sshd().await?;
    }
    check_overlaps(context)
}

fn check_installed() -> Result<(), Failure> {
    if !Path::new(CACHER).exists() {
        return Err(Failure::failed(format!("{CACHER} is missing"))
            .next("install the package cloudid-cacher"));
    }
    for user in SYSTEM_USERS {
        if !local_accounts::exists(user)? {
            return Err(
                Failure::failed(format!("the system user {user} is missing"))
                    .next("systemd-sysusers, or install the package cloudid-cacher again"),
            );
        }
    }
    Ok(())
}

async fn check_sshd() -> Result<(), Failure> {
    let folder = Path::new(SSHD_DROP_IN).parent().unwrap_or(Path::new("/"));
    if !Path::new(SSHD).exists() || !folder.is_dir() {
        return Err(
            Failure::failed(format!("{SSHD} or {} is missing", folder.display()))
                .next("enrol with --no-ssh if nobody logs in by ssh here"),
        );
    }
    sshd::test().await.map_err(|failure| {
        failure.next("mend the configuration of sshd first, or enrol with --no-ssh")
    })
}

fn check_overlaps(context: &Context) -> Result<(), Failure> {
    let overlaps = local_accounts::overlaps()?;
    if overlaps.is_empty() {
        return Ok(());
    }
    context.output.warn(&overlaps.join("\n"));
    if context.options.yes {
        context.output.warn(
            "These stay as they are; directory records with the same ids are not shown here.",
        );
        return Ok(());
    }
    Err(Failure::new(
        Kind::Refused,
        "local accounts have ids that belong to the directory",
    )
    .because("files of theirs and of people of the directory would be the same to the kernel")
    .next("give them other ids, or enrol with --yes to keep them and hide the directory's"))
}

fn touched(wanted: &Wanted) -> Vec<&'static str> {
    let mut files = vec![NSSWITCH];
    if !wanted.no_pam {
        files.extend(PAM_FILES);
    }
    if !wanted.no_ssh {
        files.push(SSHD_DROP_IN);
    }
    files.extend(DIRECTORY_FILES);
    files
}

fn say_what_is_touched(wanted: &Wanted, context: &Context) {
    let files = touched(wanted);
    context.output.say(&format!(
        "These files are written, a copy of each is kept in {BACKUP}:"
    ));
    for file in files {
        let does = match file {
            NSSWITCH => "the word cloudid after files, on the lines passwd and group",
            SSHD_DROP_IN => "new: keys and passwords of directory users, and UsePAM",
            file if PAM_FILES.contains(&file) => "by pam-auth-update",
            _ => "new: the directory's address and certificate",
        };
        context.output.say(&format!("  {file}  ({does})"));
    }
    context.output.say(&format!(
        "This folder gets the identity and the mirror:\n  {STATE}"
    ));
}

fn duration(text: &str) -> Result<Duration, String> {
    directory_api::rest::Lifetime::parse(text)
        .map(|lifetime| Duration::from_secs(lifetime.seconds().unsigned_abs()))
        .map_err(|problem| problem.to_string())
}

/// Why `/etc/nsswitch.conf` cannot be used, as a failure.
fn unusable(problem: &nsswitch::Unusable) -> Failure {
    Failure::failed(format!("{NSSWITCH} cannot be edited"))
        .because(problem.to_string())
        .next("it should have lines like \"passwd: files systemd\" and \"group: files systemd\"")
}
