//! `cloudid auth-test`: the cacher's part of a login, with its prompts, without PAM. Nobody is
//! logged in by it, but it is a real try: wrong answers count, and a code is burnt.

use std::path::Path;
use std::time::Duration;

use clap::Args;
use local_protocol::{
    Begin, Client, Login, Outcome, PAM_SOCKET, Prompt, Purpose, Reply, Request, Secret,
};

use super::{cacher, must_be_root};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::output::printable;

/// The cacher answers a wrong word late on purpose, and may ask the directory in between.
const BUDGET: Duration = Duration::from_secs(20);

/// The cacher's part of a login: its prompts and its answer, without PAM (root)
#[derive(Debug, Args)]
pub(crate) struct AuthTestArguments {
    user: String,
    /// As which PAM service
    #[arg(long, default_value = "sshd")]
    service: String,
    /// As if from this address
    #[arg(long, value_name = "ADDRESS")]
    source: Option<std::net::IpAddr>,
}

pub(crate) fn run(arguments: &AuthTestArguments, context: &Context) -> Result<(), Failure> {
    must_be_root("auth-test")?;
    let login = Login {
        user: arguments.user.clone(),
        service: arguments.service.clone(),
        remote_host: arguments
            .source
            .map_or_else(String::new, |source| source.to_string()),
        process: std::process::id(),
        ..Login::default()
    };
    let mut client = Client::connect(Path::new(PAM_SOCKET), BUDGET)
        .map_err(|error| cacher::unreachable(&error))?;
    let begin = Request::Begin(Begin {
        purpose: Purpose::Authenticate,
        login: login.clone(),
        // Root may know who is a person of the directory.
        known_elsewhere: true,
    });
    let mut step = |what: &str, request: &Request| {
        let outcome = relay(&mut client, request, context)?;
        let (good, sentence) = told(&outcome);
        context.output.say(&format!("{what}: {sentence}"));
        if good {
            Ok(())
        } else {
            Err(
                Failure::new(Kind::Refused, format!("{} would not get in", login.user)).next(
                    format!("cloudid explain {} asks the directory why", login.user),
                ),
            )
        }
    };
    step("authentication", &begin)?;
    step("account", &Request::Account(login.clone()))
}

/// Relays what the cacher asks and says until it has decided.
fn relay(client: &mut Client, first: &Request, context: &Context) -> Result<Outcome, Failure> {
    client.renew(BUDGET);
    let mut reply = client.ask(first);
    loop {
        match reply.map_err(|error| cacher::unreachable(&error))? {
            Reply::Prompt(prompt) => {
                let answer = Request::Answer(typed(&prompt)?);
                client.renew(BUDGET);
                reply = client.ask(&answer);
            }
            Reply::Say(text) => {
                context.output.say(&text);
                reply = client.receive();
            }
            Reply::Done(outcome) => return Ok(outcome),
            other @ (Reply::SessionOpened(_)
            | Reply::Keys(_)
            | Reply::Owner(_)
            | Reply::Status(_)
            | Reply::Explained(_)
            | Reply::Refused
            | Reply::Unavailable(_)
            | Reply::IdentityMemory
            | Reply::IdentityMap) => return Err(cacher::unexpected(&other)),
        }
    }
}

fn typed(prompt: &Prompt) -> Result<Secret, Failure> {
    let shown = format!("{} ", printable(&prompt.text).trim_end());
    let typed = rpassword::prompt_password(shown)
        .map_err(|error| Failure::failed("cannot ask").because(error.to_string()))?;
    Ok(Secret::new(typed.into_bytes()))
}

fn told(outcome: &Outcome) -> (bool, &'static str) {
    match outcome {
        Outcome::Allowed => (true, "yes"),
        Outcome::PasswordMustChange => (true, "yes, and a new password must be set"),
        Outcome::WrongAnswer => (false, "a wrong password or code"),
        Outcome::Denied => (false, "refused"),
        Outcome::Expired => (false, "the account has ended"),
        Outcome::TooManyTries => (false, "too many tries"),
        Outcome::NotOurs => (false, "not a person of the directory on this host"),
        Outcome::CannotTell => (false, "the cacher cannot tell"),
        Outcome::PasswordUnchanged => (false, "the password is unchanged"),
    }
}
