//! One's own second factors: authenticator apps and YubiKeys.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use directory_api::rest::{NewTotp, NewYubikey, Page, Secret, TotpBegun, TypedFactor};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use reqwest::Method;
use serde_json::Value;

use super::objects;
use crate::client::{Call, Directory};
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::output::Column;
use crate::secret_file;

const COLUMNS: &[Column] = &[
    ("NAME", "/name"),
    ("KIND", "/kind"),
    ("CONFIRMED", "/confirmed_at"),
    ("LAST USED", "/last_used_at"),
];

#[derive(Debug, Subcommand)]
pub(crate) enum MfaVerb {
    /// List the own second factors
    List,
    /// Add one
    #[command(subcommand)]
    Enroll(EnrollVerb),
    /// Type the first code of an app whose enrolment was left before
    Confirm(Confirm),
    /// Try a code; it is burnt
    Test(Typed),
    /// Remove one
    Remove {
        /// Name or id
        name: String,
    },
    /// Object to a reset of the own password or factors that others have asked for
    RefuseReset,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EnrollVerb {
    /// An authenticator app: shows a QR code and asks for the app's first code
    Totp(EnrollTotp),
    /// A YubiKey that types one-time passwords
    Yubikey(EnrollYubikey),
}

#[derive(Debug, Args)]
pub(crate) struct Typed {
    /// Read the code from a file, - for standard input
    #[arg(long, value_name = "FILE")]
    code_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Confirm {
    /// Name or id
    name: String,
    #[command(flatten)]
    typed: Typed,
}

#[derive(Debug, Args)]
pub(crate) struct EnrollTotp {
    /// What to call the app
    #[arg(long, default_value = "authenticator")]
    name: String,
    /// Write the otpauth:// address to a new file of mode 0600 in place of the QR code
    #[arg(long, value_name = "FILE")]
    secret_to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct EnrollYubikey {
    /// What to call the key
    #[arg(long, default_value = "yubikey")]
    name: String,
    #[command(flatten)]
    typed: Typed,
}

impl Typed {
    fn code(&self, prompt: &str) -> Result<Secret, Failure> {
        secret_file::read_or_ask(self.code_file.as_deref(), prompt, "--code-file")
    }
}

pub(crate) async fn run(verb: MfaVerb, context: &Context) -> Result<(), Failure> {
    match verb {
        MfaVerb::List => objects::list_whole(Call::get(&["me", "mfa"]), COLUMNS, context).await,
        MfaVerb::Enroll(EnrollVerb::Totp(arguments)) => enroll_totp(&arguments, context).await,
        MfaVerb::Enroll(EnrollVerb::Yubikey(arguments)) => enroll_yubikey(arguments, context).await,
        MfaVerb::Confirm(arguments) => {
            let directory = Directory::signed_in(context)?;
            let id = id_of(&directory, &arguments.name).await?;
            confirm(&directory, &id, &arguments.typed, context).await
        }
        MfaVerb::Test(typed) => {
            let directory = Directory::signed_in(context)?;
            let code = typed.code("Code: ")?;
            let call = Call::post(&["me", "mfa", "test"], &TypedFactor { code });
            context.output.object(&directory.call(call).await?.body)
        }
        MfaVerb::Remove { name } => {
            let question = format!("remove the second factor {name}?");
            let path = ["me", "mfa", &name];
            objects::end(&path, Some(&question), "The factor was removed.", context).await
        }
        MfaVerb::RefuseReset => {
            let done = "Nothing of yours is reset unless somebody asks anew.";
            objects::end(&["me", "resets"], None, done, context).await
        }
    }
}

async fn enroll_totp(arguments: &EnrollTotp, context: &Context) -> Result<(), Failure> {
    let new = NewTotp {
        name: arguments.name.clone(),
    };
    let call = Call::post(&["me", "mfa", "totp"], &new);
    let directory = Directory::signed_in(context)?;
    if context.options.dry_run {
        return context
            .output
            .object(&directory.call(call.dry_run()).await?.body);
    }
    match &arguments.secret_to {
        Some(file) => secret_file::check_writable(file)?,
        None if context.somebody_is_there() => {}
        None => {
            return Err(Failure::usage("the QR code needs somebody who sees it")
                .because("standard input or standard error is not a terminal")
                .next("write the secret to a file: --secret-to FILE"));
        }
    }
    let begun: TotpBegun = directory.ask(call).await?;
    match &arguments.secret_to {
        Some(file) => secret_file::write_new(file, &begun.otpauth_url)?,
        None => context.output.text(&picture(&begun)?)?,
    }
    if !context.somebody_is_there() {
        context.output.say(&format!(
            "It counts once its first code was seen: cloudid mfa confirm {} --code-file FILE",
            begun.id
        ));
        return Ok(());
    }
    let typed = Typed { code_file: None };
    confirm(&directory, &begun.id, &typed, context)
        .await
        .map_err(|failure| failure.next(format!("cloudid mfa confirm {}", begun.id)))
}

/// The first code of an app.
async fn confirm(
    directory: &Directory,
    id: &str,
    typed: &Typed,
    context: &Context,
) -> Result<(), Failure> {
    let code = typed.code("Code that the app shows: ")?;
    let call = Call::post(&["me", "mfa", "totp", id, "confirm"], &TypedFactor { code });
    let device = directory.call(call).await?;
    remind_of_backup_codes(directory, context).await?;
    context.output.object(&device.body)
}

async fn enroll_yubikey(arguments: EnrollYubikey, context: &Context) -> Result<(), Failure> {
    let directory = Directory::signed_in(context)?;
    let new = NewYubikey {
        name: arguments.name,
        code: arguments.typed.code("Touch the key: ")?,
    };
    let device = directory
        .call(Call::post(&["me", "mfa", "yubikey"], &new))
        .await?;
    remind_of_backup_codes(&directory, context).await?;
    context.output.object(&device.body)
}

async fn remind_of_backup_codes(directory: &Directory, context: &Context) -> Result<(), Failure> {
    let codes = directory.call(Call::get(&["me", "backup-codes"])).await?;
    if codes.body.get("left").and_then(Value::as_u64) == Some(0) {
        context
            .output
            .say("Without backup codes a lost device locks you out: cloudid backup-codes new");
    }
    Ok(())
}

async fn id_of(directory: &Directory, name: &str) -> Result<String, Failure> {
    let devices: Page<Value> = directory
        .ask(Call::new(Method::GET, &["me", "mfa"]))
        .await?;
    let is_meant = |device: &&Value| {
        ["id", "name"]
            .iter()
            .any(|field| device.get(field).and_then(Value::as_str) == Some(name))
    };
    let found = devices.items.iter().find(is_meant);
    found
        .and_then(|device| device.get("id")?.as_str())
        .map(str::to_owned)
        .ok_or_else(|| {
            Failure::new(Kind::NotFound, format!("there is no second factor {name}"))
                .next("cloudid mfa list")
        })
}

/// For a camera, and for typing. Light on dark, as most terminals are, and cameras read both.
fn picture(begun: &TotpBegun) -> Result<String, Failure> {
    let code = QrCode::with_error_correction_level(begun.otpauth_url.expose(), EcLevel::L)
        .map_err(|error| {
            Failure::failed("there is no QR code of this").because(error.to_string())
        })?;
    let picture = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .quiet_zone(true)
        .build();
    Ok(format!(
        "{picture}\nOr type this secret: {}\n",
        begun.secret.expose()
    ))
}
