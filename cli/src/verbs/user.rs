//! People: made, changed, suspended, ended. A name is never used again.

mod import;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use directory_api::rest::{NewUser, PasswordReset, UserReason};
use policy::Selector;
use posix_names::{HomeDirectory, LoginShell, Uid, UserName};
use serde_json::Value;

use super::objects::{self, Patch};
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::Failure;
use crate::moment;
use crate::output::Column;
use crate::secret_file;

const COLUMNS: &[Column] = &[
    ("USERNAME", "/username"),
    ("UID", "/uid"),
    ("STATE", "/state"),
    ("NAME", "/display_name"),
    ("GROUPS", "/groups"),
    ("EXPIRES", "/expires_at"),
];
const ACCESS_COLUMNS: &[Column] = &[
    ("HOST", "/hostname"),
    ("PROJECT", "/project"),
    ("ALLOWED", "/allowed"),
    ("REASON", "/reason_code"),
    ("RULES", "/rule_ids"),
];
const ENFORCEMENT_COLUMNS: &[Column] = &[
    ("HOST", "/host"),
    ("STATE", "/state"),
    ("PUBLISHED", "/published_version"),
    ("IN FORCE", "/acked_version"),
    ("TOOK MS", "/latency_ms"),
    ("AT", "/acked_at"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum UserVerb {
    /// List users
    List(Filter),
    /// Show one user, with second factors and locks
    Show { user: String },
    /// Hosts that a user can reach, and why
    Access { user: String },
    /// Make a user; staged until activated, unless --active
    Add(Box<AddUser>),
    /// Change what an administrator may edit
    Edit(EditUser),
    /// Make a one-time link for self-enrolment; mailed as well where mail is set up
    Invite { user: String },
    /// Let the user log in, as rules say
    Activate { user: String },
    /// Refuse logins and end all sessions on every host, within seconds
    Suspend { user: String },
    /// Take a lock after too many wrong passwords or codes away
    Unlock { user: String },
    /// Suspend, end sessions, revoke keys and tokens, in one step
    Offboard { user: String },
    /// Whether the newest state is in force, host by host
    Enforcement { user: String },
    /// Take all second factors away from somebody who has lost them
    ResetMfa { user: String },
    /// Set a new password
    ResetPassword(ResetPassword),
    /// Make many users from a CSV or JSON file
    Import {
        /// Ends in .csv, .json or .ndjson
        file: PathBuf,
    },
    /// Delete a user; name and uid are never used again
    Rm { user: String },
}

#[derive(Debug, Args)]
pub(crate) struct Filter {
    /// staged, active, suspended or deleted
    #[arg(long)]
    state: Option<String>,
    /// Only members of this group
    #[arg(long)]
    group: Option<String>,
    /// Only names that contain this
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AddUser {
    /// Login name
    #[arg(value_parser = name)]
    username: UserName,
    /// Name of the person
    #[arg(long, default_value_t, hide_default_value = true, value_name = "TEXT")]
    name: String,
    #[arg(long, default_value_t, hide_default_value = true)]
    email: String,
    #[arg(long, default_value_t, hide_default_value = true)]
    description: String,
    /// A group to join; may be repeated
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// A uid inside the directory's ranges, for imports; otherwise the next one
    #[arg(long, value_parser = uid)]
    uid: Option<Uid>,
    #[arg(long, value_parser = home)]
    home: Option<HomeDirectory>,
    #[arg(long, value_parser = shell)]
    shell: Option<LoginShell>,
    /// When the account ends by itself, for example 2026-12-31 or +90d
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// Active at once
    #[arg(long)]
    active: bool,
    /// Hosts to let them log in to, by an access rule of the same name, for example env=dev
    #[arg(long, value_name = "SELECTOR", value_parser = super::rule::selector)]
    on: Option<Selector>,
    /// Make a one-time link with which the person enrols
    #[arg(long, conflicts_with = "password_file")]
    invite: bool,
    /// Set a password at once, read from a file, - for standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EditUser {
    user: String,
    /// Name of the person
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    #[arg(long)]
    email: Option<String>,
    #[arg(long)]
    description: Option<String>,
    /// Home directory, or none for the usual one
    #[arg(long)]
    home: Option<String>,
    /// Login shell, or none for the usual one
    #[arg(long)]
    shell: Option<String>,
    /// When the account ends by itself, or none
    #[arg(long, value_name = "TIME|none")]
    expires: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ResetPassword {
    user: String,
    /// Read the new password from a file, - for standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Take over a crypt string ($6$…, $y$…, $2b$…) or PHC string from a file
    #[arg(long, value_name = "FILE", conflicts_with = "password_file")]
    verifier_file: Option<PathBuf>,
    /// The user has to choose another one at the next login
    #[arg(long)]
    must_change: bool,
}

pub(crate) async fn run(verb: UserVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        UserVerb::List(filter) => {
            let call = Call::get(&["users"])
                .query_if("state", filter.state.as_ref())
                .query_if("group", filter.group.as_ref())
                .query_if("q", filter.search.as_ref());
            objects::list(call, COLUMNS, context).await
        }
        UserVerb::Show { user } => show::run(&user, context).await,
        UserVerb::Access { user } => {
            objects::list(
                Call::get(&["users", &user, "access"]),
                ACCESS_COLUMNS,
                context,
            )
            .await
        }
        UserVerb::Add(arguments) => add(*arguments, context).await,
        UserVerb::Edit(arguments) => edit(arguments, context).await,
        UserVerb::Invite { user } => invite(&user, context).await,
        UserVerb::Activate { user } => act(&user, "activate", context).await,
        UserVerb::Suspend { user } => act(&user, "suspend", context).await,
        UserVerb::Unlock { user } => act(&user, "unlock", context).await,
        UserVerb::Offboard { user } => {
            if !context.options.dry_run {
                context.confirm(&format!(
                    "suspend {user}, end all sessions, revoke all keys and tokens?"
                ))?;
            }
            act(&user, "offboard", context).await
        }
        UserVerb::Enforcement { user } => {
            let call = Call::get(&["users", &user, "enforcement"]);
            let report = Directory::signed_in(context)?.call(call).await?.body;
            let hosts = report.get("hosts").and_then(Value::as_array);
            context
                .output
                .list(ENFORCEMENT_COLUMNS, hosts.map_or(&[], Vec::as_slice))
        }
        UserVerb::ResetMfa { user } => {
            if !context.options.dry_run {
                context.confirm(&format!(
                    "take all second factors away from {user}, and end their sessions?"
                ))?;
            }
            act(&user, "reset-mfa", context).await
        }
        UserVerb::ResetPassword(arguments) => reset_password(&arguments, context).await,
        UserVerb::Import { file } => import::run(&file, context).await,
        UserVerb::Rm { user } => objects::remove(&["users", &user], context).await,
    }
}

async fn invite(user: &str, context: &Context) -> Result<(), Failure> {
    objects::post(&["users", user, "invite"], &Value::Null, context).await
}

async fn act(user: &str, action: &str, context: &Context) -> Result<(), Failure> {
    let body = UserReason {
        reason: context.reason(),
    };
    objects::post(&["users", user, action], &body, context).await
}

async fn add(arguments: AddUser, context: &Context) -> Result<(), Failure> {
    let file = arguments.password_file.as_deref();
    let password = file.map(secret_file::read).transpose()?;
    let expires = arguments.expires.as_deref();
    let name = arguments.username.as_str().to_owned();
    let user = NewUser {
        username: arguments.username,
        uid: arguments.uid,
        active: arguments.active,
        groups: arguments.groups,
        display_name: arguments.name,
        email: arguments.email,
        description: arguments.description,
        home: arguments.home,
        shell: arguments.shell,
        expires_at: expires
            .map(|text| moment::read(context, "--expires", text))
            .transpose()?,
        labels: std::collections::BTreeMap::new(),
    };
    objects::create(&["users"], &user, context).await?;
    match arguments.on {
        Some(hosts) if !context.options.dry_run => {
            super::rule::allow(&name, hosts, context).await?;
        }
        Some(_) | None => {}
    }
    if arguments.invite && !context.options.dry_run {
        return invite(&name, context).await;
    }
    match password {
        Some(password) if !context.options.dry_run => {
            set_password(&name, reset(Some(password), None, false), context).await
        }
        Some(_) | None => Ok(()),
    }
}

async fn edit(arguments: EditUser, context: &Context) -> Result<(), Failure> {
    let expires = match arguments.expires.as_deref() {
        Some("none") => Some("none".to_owned()),
        Some(text) => Some(moment::read(context, "--expires", text)?.to_string()),
        None => None,
    };
    let patch = Patch::default()
        .set("display_name", arguments.name)
        .set("email", arguments.email)
        .set("description", arguments.description)
        .set_or_clear("home", arguments.home.as_ref())
        .set_or_clear("shell", arguments.shell.as_ref())
        .set_or_clear("expires_at", expires.as_ref());
    objects::edit(&["users", &arguments.user], patch.fields(), context).await
}

async fn reset_password(arguments: &ResetPassword, context: &Context) -> Result<(), Failure> {
    let body = match &arguments.verifier_file {
        Some(file) => reset(None, Some(secret_file::read(file)?), arguments.must_change),
        None => {
            let prompt = format!("New password of {}: ", arguments.user);
            let file = arguments.password_file.as_deref();
            let password = secret_file::read_or_ask_twice(file, &prompt, "--password-file")?;
            reset(Some(password), None, arguments.must_change)
        }
    };
    set_password(&arguments.user, body, context).await?;
    context
        .output
        .say(&format!("{} has a new password.", arguments.user));
    Ok(())
}

fn reset(
    password: Option<directory_api::rest::Secret>,
    verifier: Option<directory_api::rest::Secret>,
    must_change: bool,
) -> PasswordReset {
    PasswordReset {
        password,
        verifier,
        must_change,
    }
}

async fn set_password(user: &str, body: PasswordReset, context: &Context) -> Result<(), Failure> {
    let call = Call::post(&["users", user, "reset-password"], &body);
    let call = if context.options.dry_run {
        call.dry_run()
    } else {
        call
    };
    Directory::signed_in(context)?.call(call).await.map(|_| ())
}

fn name(text: &str) -> Result<UserName, String> {
    UserName::parse(text).map_err(|problem| problem.to_string())
}

fn uid(text: &str) -> Result<Uid, String> {
    let id = text.parse().map_err(|_| "a uid is a number".to_owned())?;
    Uid::new(id).map_err(|problem| problem.to_string())
}

fn home(text: &str) -> Result<HomeDirectory, String> {
    HomeDirectory::parse(text).map_err(|problem| problem.to_string())
}

fn shell(text: &str) -> Result<LoginShell, String> {
    LoginShell::parse(text).map_err(|problem| problem.to_string())
}
