//! API tokens: how programs sign in. The secret is shown once, and only to a file.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use directory_api::rest::{Lifetime, NewApiToken, Scope};

use super::objects::{self, from_word};
use super::token::lifetime;
use crate::client::Call;
use crate::context::Context;
use crate::error::Failure;
use crate::output::Column;

const COLUMNS: &[Column] = &[
    ("ID", "/id"),
    ("NAME", "/name"),
    ("OWNER", "/owner_name"),
    ("SCOPES", "/scopes"),
    ("EXPIRES", "/expires_at"),
    ("LAST USED", "/last_used_at"),
];
const EXAMPLES: &str = "Examples:
  cloudid api-token add backup --scope read --secret-to /etc/backup/directory.token
  cloudid api-token add ci --scope hosts --expires 30d --secret-to ci.token
  cloudid api-token list -o json
  printf 'Authorization: Bearer %s' \"$(cat ci.token)\" | curl -H @- https://HOST/api/v1/hosts";

#[derive(Debug, Subcommand)]
#[command(after_help = EXAMPLES)]
pub(crate) enum ApiTokenVerb {
    /// Make a token of one's own; it can do at most what its owner can
    #[command(after_help = EXAMPLES)]
    Add(AddToken),
    /// List one's own tokens; owners of the directory see everybody's
    List,
    /// End a token at once
    Rm {
        #[arg(value_name = "TOKEN")]
        token_id: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AddToken {
    /// What it is for
    name: String,
    /// read, users, groups, hosts, rules, enrollment-tokens or all; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = from_word::<Scope>)]
    scopes: Vec<Scope>,
    /// When it ends, for example 30d; 90d when absent, at most 365d
    #[arg(long, value_name = "DURATION", value_parser = lifetime)]
    expires: Option<Lifetime>,
    /// Write the token to this new file, mode 0600; - for standard output
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    secret_to: Option<PathBuf>,
}

pub(crate) async fn run(verb: ApiTokenVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        ApiTokenVerb::Add(arguments) => add(arguments, context).await,
        ApiTokenVerb::List => objects::list(Call::get(&["tokens"]), COLUMNS, context).await,
        ApiTokenVerb::Rm { token_id } => {
            objects::end(
                &["tokens", &token_id],
                None,
                "The token was ended.",
                context,
            )
            .await
        }
    }
}

async fn add(arguments: AddToken, context: &Context) -> Result<(), Failure> {
    let body = NewApiToken {
        name: arguments.name,
        scopes: arguments.scopes,
        expires_in: arguments.expires,
    };
    let call = Call::post(&["tokens"], &body);
    let file = arguments.secret_to.as_deref();
    let made = objects::create_with_secret(call, file, "cloudid api-token rm", context).await?;
    if made.is_some() {
        context
            .output
            .say("Programs send it as Authorization: Bearer TOKEN.");
    }
    Ok(())
}
