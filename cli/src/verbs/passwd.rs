//! The own password, through the directory.

use std::path::PathBuf;

use clap::Args;
use directory_api::rest::PasswordChange;

use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;
use crate::secret_file;

#[derive(Debug, Args)]
pub(crate) struct PasswdArguments {
    /// Read the present password from a file, - for standard input
    #[arg(long, value_name = "FILE")]
    old_password_file: Option<PathBuf>,
    /// Read the new password from a file
    #[arg(long, value_name = "FILE")]
    new_password_file: Option<PathBuf>,
}

pub(crate) async fn run(arguments: &PasswdArguments, context: &Context) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
    let old = arguments.old_password_file.as_deref();
    let new = arguments.new_password_file.as_deref();
    let change = PasswordChange {
        old: secret_file::read_or_ask(old, "Present password: ", "--old-password-file")?,
        new: secret_file::read_or_ask_twice(new, "New password: ", "--new-password-file")?,
    };
    let call = Call::post(&["me", "password"], &change);
    let call = if context.options.dry_run {
        call.dry_run()
    } else {
        call
    };
    directory.call(call).await?;
    context
        .output
        .say("The password was changed; hosts learn of it within seconds.");
    Ok(())
}
