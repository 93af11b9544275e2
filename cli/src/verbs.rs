//! The verbs, one file per noun: what may be said, and what then happens.

pub(crate) mod admin;
pub(crate) mod api_token;
pub(crate) mod backup_codes;
pub(crate) mod completions;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod group;
pub(crate) mod help;
pub(crate) mod host;
pub(crate) mod keys;
pub(crate) mod login;
pub(crate) mod mfa;
mod objects;
pub(crate) mod passwd;
pub(crate) mod policy;
pub(crate) mod project;
pub(crate) mod reach;
pub(crate) mod rule;
pub(crate) mod tag;
pub(crate) mod token;
pub(crate) mod user;

use crate::arguments::Verb;
use crate::context::Context;
use crate::error::Failure;

pub(crate) async fn run(verb: Verb, context: &Context) -> Result<(), Failure> {
    match verb {
        Verb::Login(arguments) => login::login(&arguments, context).await,
        Verb::Logout => login::logout(context).await,
        Verb::Whoami => login::whoami(context).await,
        Verb::Passwd(arguments) => passwd::run(&arguments, context).await,
        Verb::Keys(verb) => keys::run(verb, context).await,
        Verb::Mfa(verb) => mfa::run(verb, context).await,
        Verb::BackupCodes(verb) => backup_codes::run(verb, context).await,
        Verb::Explain(arguments) => explain::run(arguments, context).await,
        Verb::WhoCan(arguments) => reach::who_can(&arguments, context).await,
        Verb::WhatCan(arguments) => reach::what_can(&arguments, context).await,
        Verb::Help(arguments) => help::run(&arguments, context),
        Verb::User(verb) => user::run(*verb, context).await,
        Verb::Group(verb) => group::run(verb, context).await,
        Verb::Host(verb) => host::run(verb, context).await,
        Verb::Project(verb) => project::run(verb, context).await,
        Verb::Tag(tag::TagVerb::List) => tag::list(context).await,
        Verb::Rule(rule::RuleVerb::Access(verb)) => rule::run(verb, context).await,
        Verb::Policy(verb) => policy::run(*verb, context).await,
        Verb::Token(verb) => token::run(verb, context).await,
        Verb::ApiToken(verb) => api_token::run(verb, context).await,
        Verb::Admin(verb) => admin::run(verb, context).await,
        Verb::Events(verb) => events::run(verb, context).await,
        Verb::Enroll(arguments) => crate::host::enroll::run(arguments, context).await,
        Verb::Unenroll(arguments) => crate::host::unenroll::run(&arguments, context).await,
        Verb::HostStatus => crate::host::status::run(context),
        Verb::Doctor(arguments) => crate::host::doctor::run(&arguments, context).await,
        Verb::Sync(arguments) => crate::host::sync::run(&arguments, context),
        Verb::AuthTest(arguments) => crate::host::auth_test::run(&arguments, context),
        Verb::Config(verb) => crate::host::config::run(&verb, context).await,
        Verb::Completions(arguments) => completions::completions(&arguments, context),
        Verb::Man(arguments) => completions::man(&arguments),
    }
}
