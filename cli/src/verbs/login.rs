//! Signing in and out. The session goes to a file that only its owner can read.

use std::path::PathBuf;

use clap::Args;
use directory_api::rest::{BootstrapRequest, LoginRequest, MfaRequest, SessionCreated};
use posix_names::UserName;
use reqwest::Method;

use crate::client::{Call, Directory, read_ca};
use crate::context::Context;
use crate::error::Failure;
use crate::profile::Profile;
use crate::secret_file;
use crate::session::Session;

/// Sign in to a directory
#[derive(Debug, Args)]
pub(crate) struct LoginArguments {
    /// Address of the directory, https://HOST:PORT
    #[arg(long)]
    url: Option<String>,
    /// CA of the directory, when it is a private one; kept with the session
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Login name
    #[arg(long, value_name = "NAME")]
    username: Option<String>,
    /// Read the password from a file, - for standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Read the code of the second factor from a file, - for standard input
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
    /// Make the first administrator with the one-time secret that `cloudid-directory init` left
    #[arg(long, value_name = "FILE", requires = "username")]
    bootstrap_secret_file: Option<PathBuf>,
}

pub(crate) async fn login(arguments: &LoginArguments, context: &Context) -> Result<(), Failure> {
    let profile = Profile::in_use(context.options.profile.as_deref(), &context.environment)?;
    let url = arguments.url.clone().or(profile.url).ok_or_else(|| {
        Failure::usage("which directory?").next("cloudid login --url https://HOST")
    })?;
    let ca_file = arguments.ca_file.clone().or(profile.ca_file);
    let ca_certificate = ca_file.as_deref().map(read_ca).transpose()?;
    let username = arguments
        .username
        .clone()
        .or(profile.user)
        .or_else(|| context.environment.login_name.clone())
        .ok_or_else(|| Failure::usage("who are you?").next("cloudid login --username NAME"))?;
    let directory = Directory::at(&url, ca_certificate.as_deref(), context)?;
    let call = match &arguments.bootstrap_secret_file {
        Some(secret) => first_administrator(arguments, &username, secret)?,
        None => Call::post(&["auth", "login"], &password_of(arguments, &username)?),
    };
    let created = match directory.ask(call).await {
        Err(failure) => second_step(failure, arguments, &directory).await?,
        Ok(created) => created,
    };
    let session = Session {
        url: directory.url().to_string(),
        ca_certificate,
        username: created.identity.username.clone(),
        expires_at: created.expires_at,
        token: created.token.clone(),
    };
    session.save(context)?;
    let until = created
        .expires_at
        .0
        .to_zoned(context.now.time_zone().clone());
    context.output.say(&format!(
        "Signed in as {} until {}.",
        session.username,
        until.strftime("%Y-%m-%d %H:%M %Z")
    ));
    if created.must_enroll_factor {
        context
            .output
            .warn("Enrol a second factor before anything else: cloudid mfa enroll totp");
    }
    if created.must_change_password {
        context
            .output
            .warn("Choose a new password before anything else: cloudid passwd");
    }
    Ok(())
}

fn password_of(arguments: &LoginArguments, username: &str) -> Result<LoginRequest, Failure> {
    let prompt = format!("Password of {username}: ");
    let file = arguments.password_file.as_deref();
    Ok(LoginRequest {
        username: username.to_owned(),
        password: secret_file::read_or_ask(file, &prompt, "--password-file")?,
    })
}

/// Where the password was right and a code is to come, asks for that and goes on.
async fn second_step(
    failure: Failure,
    arguments: &LoginArguments,
    directory: &Directory,
) -> Result<SessionCreated, Failure> {
    let problem = failure.problem.as_deref();
    let Some(step) = problem.and_then(|problem| problem.second_step.clone()) else {
        return Err(failure);
    };
    let file = arguments.code_file.as_deref();
    let code = secret_file::read_or_ask(file, "Code of your second factor: ", "--code-file")?;
    let ticket = step.ticket;
    let call = Call::post(&["auth", "mfa"], &MfaRequest { ticket, code });
    directory.ask(call).await
}

fn first_administrator(
    arguments: &LoginArguments,
    username: &str,
    secret: &std::path::Path,
) -> Result<Call, Failure> {
    let username =
        UserName::parse(username).map_err(|problem| Failure::usage(problem.to_string()))?;
    let file = arguments.password_file.as_deref();
    let prompt = format!("New password of {}: ", username.as_str());
    let request = BootstrapRequest {
        secret: secret_file::read(secret)?,
        password: secret_file::read_or_ask_twice(file, &prompt, "--password-file")?,
        username,
        display_name: String::new(),
        email: String::new(),
    };
    Ok(Call::post(&["auth", "bootstrap"], &request))
}

pub(crate) async fn logout(context: &Context) -> Result<(), Failure> {
    let ended = match Directory::signed_in(context) {
        Ok(directory) => {
            directory
                .call(Call::new(Method::POST, &["auth", "logout"]))
                .await
        }
        Err(_) => {
            Session::forget(context)?;
            context.output.say("You were not signed in.");
            return Ok(());
        }
    };
    Session::forget(context)?;
    match ended {
        Ok(_) => context.output.say("Signed out."),
        Err(failure) => context.output.warn(&format!(
            "The session is forgotten here; the directory could not be told and ends it by \
             itself.\n{failure}"
        )),
    }
    Ok(())
}

pub(crate) async fn whoami(context: &Context) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
    let answer = directory.call(Call::get(&["auth", "session"])).await?;
    context.output.object(&answer.body)
}
