//! `cloudid unenroll`: every file back as it was, the identity gone. Homes and local users stay.

use std::path::Path;

use clap::Args;

use super::backup::Backup;
use super::enroll::image;
use super::places::{BACKUP, DIRECTORY_FILES, NSSWITCH, PAM_FILES, SSHD_DROP_IN, STATE};
use super::{must_be_root, undo};
use crate::context::Context;
use crate::error::{Failure, Kind};

/// Put every file of this host back as it was and remove its identity (root)
#[derive(Debug, Args)]
pub(crate) struct UnenrollArguments {
    /// Said for clarity in scripts: homes always stay
    #[arg(long)]
    keep_homes: bool,
}

pub(crate) async fn run(arguments: &UnenrollArguments, context: &Context) -> Result<(), Failure> {
    must_be_root("unenroll")?;
    let Some(backup) = Backup::open(Path::new(BACKUP))? else {
        if !context.options.dry_run && image::forget().await? {
            context
                .output
                .say("This image is no longer prepared; it never was a host.");
            return Ok(());
        }
        return Err(Failure::new(Kind::NotFound, "this host is not enrolled")
            .because(format!("there is no backup in {BACKUP}")));
    };
    let mut touched = vec![NSSWITCH, SSHD_DROP_IN];
    touched.extend(PAM_FILES);
    touched.extend(DIRECTORY_FILES);
    context.output.say(&format!(
        "These files go back to what they were, or away:\n  {}",
        touched.join("\n  ")
    ));
    context
        .output
        .say(&format!("This folder is emptied:\n  {STATE}"));
    if arguments.keep_homes {
        context.output.say("Homes stay.");
    }
    if context.options.dry_run {
        return Ok(());
    }
    if context.somebody_is_there() {
        context.confirm("unenrol this host?")?;
    }
    undo::undo(backup, context).await?;
    image::forget().await?;
    context.output.say(
        "This host is no longer enrolled. Retire it in the directory as well: cloudid host retire",
    );
    Ok(())
}
