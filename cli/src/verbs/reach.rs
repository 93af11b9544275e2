//! Who can log in to a host, and where can a person? The directory asks the engine that enforces.

use std::net::IpAddr;

use clap::Args;

use super::objects;
use crate::client::Call;
use crate::context::Context;
use crate::error::Failure;
use crate::moment;
use crate::output::Column;

const USER_COLUMNS: &[Column] = &[
    ("USERNAME", "/username"),
    ("UID", "/uid"),
    ("NOW", "/allowed"),
    ("REASON", "/reason_code"),
    ("RULES", "/rule_ids"),
];
const HOST_COLUMNS: &[Column] = &[
    ("HOST", "/hostname"),
    ("PROJECT", "/project"),
    ("NOW", "/allowed"),
    ("REASON", "/reason_code"),
    ("RULES", "/rule_ids"),
];
const EXAMPLES: &str = "Examples:
  cloudid who-can --on web-1
  cloudid who-can --on web-1 --source 203.0.113.7 --at \"tomorrow 03:00\"
  cloudid what-can alice -o json

Without --source and --at everybody is told who can log in from somewhere, at some time.";

/// Who can log in to a host
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WhoCanArguments {
    /// The host
    #[arg(long, value_name = "HOST")]
    on: String,
    #[command(flatten)]
    login: Login,
}

/// Where a person can log in
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WhatCanArguments {
    /// The user
    user: String,
    #[command(flatten)]
    login: Login,
}

#[derive(Debug, Args)]
struct Login {
    /// PAM service; sshd when absent
    #[arg(long)]
    service: Option<String>,
    /// Only logins from this address
    #[arg(long, value_name = "ADDRESS")]
    source: Option<IpAddr>,
    /// Only logins at this moment, for example "tomorrow 03:00"
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

pub(crate) async fn who_can(arguments: &WhoCanArguments, context: &Context) -> Result<(), Failure> {
    let call = Call::get(&["who-can"]).query("host", &arguments.on);
    objects::list_whole(arguments.login.asked(call, context)?, USER_COLUMNS, context).await
}

pub(crate) async fn what_can(
    arguments: &WhatCanArguments,
    context: &Context,
) -> Result<(), Failure> {
    let call = Call::get(&["what-can"]).query("user", &arguments.user);
    objects::list_whole(arguments.login.asked(call, context)?, HOST_COLUMNS, context).await
}

impl Login {
    fn asked(&self, call: Call, context: &Context) -> Result<Call, Failure> {
        let source = self.source.map(|source| source.to_string());
        let at = self.at.as_deref();
        let at = at
            .map(|text| moment::read(context, "--at", text))
            .transpose()?;
        Ok(call
            .query_if("service", self.service.as_ref())
            .query_if("source", source.as_ref())
            .query_if("at", at.map(|at| at.to_string()).as_ref()))
    }
}
