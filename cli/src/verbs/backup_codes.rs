//! Single-use codes for the day on which a device is lost.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use directory_api::rest::{BackupCodes, BackupCodesCreated, Secret};
use serde_json::Value;

use super::objects;
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;
use crate::secret_file;

const PATH: &[&str] = &["me", "backup-codes"];

#[derive(Debug, Subcommand)]
pub(crate) enum BackupCodesVerb {
    /// How many are left
    Show,
    /// Make ten and show them once; earlier ones are dead
    New(NewCodes),
}

#[derive(Debug, Args)]
pub(crate) struct NewCodes {
    /// Write them to a new file of mode 0600 and do not show them
    #[arg(long, value_name = "FILE")]
    secret_to: Option<PathBuf>,
}

pub(crate) async fn run(verb: BackupCodesVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        BackupCodesVerb::Show => objects::show(PATH, context).await,
        BackupCodesVerb::New(arguments) => make(arguments.secret_to.as_deref(), context).await,
    }
}

async fn make(file: Option<&Path>, context: &Context) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
    let call = Call::post(PATH, &Value::Object(serde_json::Map::new()));
    if context.options.dry_run {
        return context
            .output
            .object(&directory.call(call.dry_run()).await?.body);
    }
    let before: BackupCodes = directory.ask(Call::get(PATH)).await?;
    if before.left > 0 {
        context.confirm(&format!(
            "the {} codes you have now end; go on?",
            before.left
        ))?;
    }
    if let Some(file) = file {
        secret_file::check_writable(file)?;
    }
    let answer = directory.call(call).await?.body;
    let created: BackupCodesCreated = serde_json::from_value(answer.clone())
        .map_err(|error| Failure::failed("no codes came back").because(error.to_string()))?;
    let codes: Vec<&str> = created.codes.iter().map(Secret::expose).collect();
    match file {
        Some(file) => secret_file::write_new(file, &Secret::new(codes.join("\n")))?,
        None if context.options.output.is_some() => context.output.object(&answer)?,
        None => context.output.text(&(codes.join("\n") + "\n"))?,
    }
    let kept = file.is_some()
        || context.options.yes
        || (context.somebody_is_there() && context.ask("Are they in a safe place? [y/N] ")?);
    if kept {
        let path = ["me", "backup-codes", "confirm"];
        directory
            .call(Call::post(&path, &Value::Object(serde_json::Map::new())))
            .await?;
    }
    Ok(())
}
