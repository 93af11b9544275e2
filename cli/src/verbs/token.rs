//! Enrolment tokens: what lets a machine become a host. The secret is shown once, and only to a
//! file.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use directory_api::rest::{EnrollmentTokenCreated, Lifetime, NewEnrollmentToken};
use reqwest::Method;
use serde_json::Value;

use super::objects;
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;
use crate::output::Column;
use crate::secret_file;

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
    #[arg(long)]
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
            let directory = Directory::signed_in(context)?;
            let call = Call::new(Method::DELETE, &["enrollment-tokens", &token_id]);
            let call = if context.options.dry_run {
                call.dry_run()
            } else {
                call
            };
            directory.call(call).await?;
            context.output.say("The token was revoked.");
            Ok(())
        }
    }
}

async fn add(arguments: AddToken, context: &Context) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
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
    let (false, Some(file)) = (context.options.dry_run, arguments.secret_to) else {
        let preview = directory.call(call.dry_run()).await?;
        return context.output.object(&preview.body);
    };
    secret_file::check_writable(&file)?;
    let created: EnrollmentTokenCreated = directory.ask(call).await?;
    if let Err(failure) = secret_file::write_new(&file, &created.token) {
        let lost = format!("cloudid token rm {}, and try again", created.record.id);
        return Err(failure.next(lost));
    }
    context.output.say(&format!(
        "on the host: cloudid enroll {} --token-file {}",
        directory.url().as_str().trim_end_matches('/'),
        file.display()
    ));
    if file == std::path::Path::new("-") {
        return Ok(());
    }
    let record = serde_json::to_value(&created.record).unwrap_or(Value::Null);
    context.output.object(&record)
}

fn lifetime(text: &str) -> Result<Lifetime, String> {
    Lifetime::parse(text).map_err(|problem| problem.to_string())
}
