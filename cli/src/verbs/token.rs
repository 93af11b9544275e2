//! Enrolment tokens: what lets a machine become a host. The secret is shown once, and only to a
//! file.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use directory_api::rest::{Lifetime, NewEnrollmentToken};
use serde_json::{Map, Value};

use super::objects;
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;
use crate::output::Column;

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("PROJECT", "/project"),
    ("TAGS", "/tags"),
    ("USED", "/uses"),
    ("OF", "/max_uses"),
    ("EXPIRES", "/expires_at"),
    ("REVOKED", "/revoked_at"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum TokenVerb {
    /// Make an enrolment token; single use and one hour unless said otherwise
    Add(AddToken),
    /// List enrolment tokens
    List,
    /// Revoke an enrolment token
    Rm {
        #[arg(value_name = "TOKEN")]
        token_id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddToken {
    /// The project its hosts join
    #[arg(long, default_value = "main")]
    project: String,
    #[arg(long, default_value_t, hide_default_value = true)]
    description: String,
    /// A tag its hosts get; may be repeated
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// How many hosts it may enrol
    #[arg(long, value_name = "NUMBER")]
    uses: Option<u32>,
    /// How long it can be used, for example 1h
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    expires: Option<Lifetime>,
    /// Its hosts retire themselves when they are gone
    #[arg(long)]
    ephemeral: bool,
    /// Its hosts wait for an administrator's approval
    #[arg(long)]
    approve: bool,
    /// Write the token to this new file, mode 0600; - for standard output
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    secret_to: Option<PathBuf>,
}

pub(crate) async fn run(verb: TokenVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        TokenVerb::Add(arguments) => add(arguments, context).await,
        TokenVerb::List => objects::list(Call::get(&["enrollment-tokens"]), COLUMNS, context).await,
        TokenVerb::Rm { token_id } => {
            let path = &["enrollment-tokens", &token_id];
            objects::end(path, None, "The token was revoked.", context).await
        }
    }
}

async fn add(arguments: AddToken, context: &Context) -> Result<(), Failure> {
    let url = Directory::signed_in(context)?.url().to_string();
    let body = NewEnrollmentToken {
        project: arguments.project,
        description: arguments.description,
        tags: arguments.tags,
        ephemeral: arguments.ephemeral,
        gone_after: None,
        max_uses: arguments.uses,
        expires_in: arguments.expires,
        approval_required: arguments.approve,
    };
    let call = Call::post(&["enrollment-tokens"], &body);
    let file = arguments.secret_to.as_deref();
    let made = objects::create_with_secret(call, file, "cloudid token rm", context).await?;
    let file = file.filter(|file| *file != Path::new("-"));
    if let (Some(record), Some(file)) = (made, file) {
        say_what_is_next(&record, &url, file, context);
    }
    Ok(())
}

/// The token itself is in its file and nowhere else.
fn say_what_is_next(record: &Map<String, Value>, url: &str, file: &Path, context: &Context) {
    let file = file.display();
    if let Some(line) = record.get("install_line").and_then(Value::as_str) {
        context.output.say(&format!(
            "on a machine without cloudid, with the token in the place of TOKEN:\n{line}"
        ));
    }
    context.output.say(&format!(
        "on a host that has the packages: cloudid enroll {} --token-file {file}",
        url.trim_end_matches('/')
    ));
}

pub(super) fn lifetime(text: &str) -> Result<Lifetime, String> {
    Lifetime::parse(text).map_err(|problem| problem.to_string())
}
