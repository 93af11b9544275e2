//! The command line as a whole. One definition: help, completions and man pages come from it.

use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::verbs::help::AFTER_HELP;
use crate::{host, verbs};

/// Lets Linux hosts know an organisation's people, with the network gone.
#[derive(Debug, Parser)]
#[command(
    name = "cloudid",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = AFTER_HELP,
    term_width = 100
)]
pub(crate) struct CommandLine {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every verb")]
pub(crate) struct Options {
    /// table, json, ndjson, yaml, csv or id; a table on a terminal, plain lines in a pipe
    #[arg(
        short,
        long,
        global = true,
        value_enum,
        value_name = "FORMAT",
        hide_possible_values = true
    )]
    pub(crate) output: Option<Format>,
    /// Only hosts or objects that match, for example env=prod,!legacy
    #[arg(short = 'l', long, global = true, value_name = "SELECTOR")]
    pub(crate) selector: Option<String>,
    /// Say nothing but answers and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// No colours, as with NO_COLOR in the environment
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Do not ask; for scripts
    #[arg(long, global = true)]
    pub(crate) yes: bool,
    /// Only say what would change
    #[arg(long, global = true)]
    pub(crate) dry_run: bool,
    /// Why, for the audit
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Which directory, as named in ~/.config/cloudid/config.toml
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// How long to wait for the directory, for example 30s
    #[arg(long, global = true, value_name = "DURATION", default_value = "30s", value_parser = timeout)]
    pub(crate) timeout: Duration,
}

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Aligned columns with a heading
    Table,
    /// One JSON document
    Json,
    /// One JSON object on each line
    Ndjson,
    /// YAML
    Yaml,
    /// Comma-separated values with a heading
    Csv,
    /// Only ids, one on each line
    Id,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Login(verbs::login::LoginArguments),
    /// End the session here and in the directory
    Logout,
    /// Who am I, for how long, with which roles
    Whoami,
    /// Change the own password
    Passwd(verbs::passwd::PasswdArguments),
    /// Own SSH keys; those of others for admins
    #[command(subcommand)]
    Keys(verbs::keys::KeysVerb),
    /// Own second factors: authenticator apps, YubiKeys
    #[command(subcommand)]
    Mfa(verbs::mfa::MfaVerb),
    /// Own codes for the day on which a device is lost
    #[command(subcommand)]
    BackupCodes(verbs::backup_codes::BackupCodesVerb),
    Explain(verbs::explain::ExplainArguments),
    WhoCan(verbs::reach::WhoCanArguments),
    WhatCan(verbs::reach::WhatCanArguments),
    /// People
    #[command(subcommand)]
    User(Box<verbs::user::UserVerb>),
    /// Groups of users and groups
    #[command(subcommand)]
    Group(verbs::group::GroupVerb),
    /// Machines
    #[command(subcommand)]
    Host(verbs::host::HostVerb),
    /// Scopes of authority; every host belongs to one
    #[command(subcommand)]
    Project(verbs::project::ProjectVerb),
    /// Tags of hosts
    #[command(subcommand)]
    Tag(verbs::tag::TagVerb),
    /// Who may log in where
    #[command(subcommand)]
    Rule(verbs::rule::RuleVerb),
    /// How logins must be proven: methods and second factors
    #[command(subcommand)]
    Policy(Box<verbs::policy::PolicyVerb>),
    /// Enrolment tokens, which let machines become hosts
    #[command(subcommand)]
    Token(verbs::token::TokenVerb),
    /// API tokens, with which programs sign in
    #[command(subcommand)]
    ApiToken(verbs::api_token::ApiTokenVerb),
    /// Roles: who administers the directory
    #[command(subcommand)]
    Admin(verbs::admin::AdminVerb),
    /// What happened
    #[command(subcommand)]
    Events(verbs::events::EventsVerb),
    Enroll(host::enroll::EnrollArguments),
    Unenroll(host::unenroll::UnenrollArguments),
    /// State of this host: cacher, mirror, push, people, events not yet sent (root)
    HostStatus,
    Doctor(host::doctor::DoctorArguments),
    Sync(host::sync::SyncArguments),
    AuthTest(host::auth_test::AuthTestArguments),
    /// Settings of this host
    #[command(subcommand)]
    Config(host::config::ConfigVerb),
    Help(verbs::help::HelpArguments),
    Completions(verbs::completions::CompletionsArguments),
    #[command(hide = true)]
    Man(verbs::completions::ManArguments),
}

fn timeout(text: &str) -> Result<Duration, String> {
    directory_api::rest::Lifetime::parse(text)
        .map(|lifetime| Duration::from_secs(lifetime.seconds().unsigned_abs()))
        .map_err(|problem| problem.to_string())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn cli_04_no_option_takes_a_secret_itself() {
        fn walk(command: &clap::Command) {
            for argument in command.get_arguments() {
                let id = argument.get_id().as_str();
                let secret = ["password", "secret", "token"]
                    .iter()
                    .any(|word| id.contains(word));
                let file =
                    id.ends_with("_file") || id == "secret_to" || id == "must_change_password";
                let names_an_object = id == "token_id";
                assert!(
                    !secret || file || names_an_object,
                    "{} takes a secret as an argument: {id}",
                    command.get_name()
                );
            }
            command.get_subcommands().for_each(walk);
        }
        walk(&CommandLine::command());
    }
}
