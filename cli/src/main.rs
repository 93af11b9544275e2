//! `cloudid`: the command of people, admins, and root on a host. Holds no rules of its own: on a
//! host it asks the cacher over its socket, elsewhere the directory over HTTPS. Only this file
//! reads the clock and the environment.
#![forbid(unsafe_code)]

mod arguments;
mod client;
mod context;
mod error;
mod host;
mod moment;
mod output;
mod profile;
mod secret_file;
mod session;
mod verbs;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use jiff::Zoned;
use rustls::crypto::aws_lc_rs;

use arguments::CommandLine;
use context::{Context, Environment};
use error::{Failure, Kind};

fn main() -> ExitCode {
    // Usage errors end here with exit code 2, help and version with 0.
    let command_line = CommandLine::parse();
    match run(command_line) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            report(&failure);
            exit_code(failure.kind)
        }
    }
}

/// The exit codes, in the one place where they are made. 7 and 8 (a request is pending, or was
/// denied or expired) belong to requests.
fn exit_code(kind: Kind) -> ExitCode {
    ExitCode::from(kind as u8)
}

fn run(command_line: CommandLine) -> Result<(), Failure> {
    // A provider is there already only if something else of this process installed the same one.
    let _ = aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::failed("cannot start").because(error.to_string()))?;
    let context = Context::new(command_line.options, environment(), Zoned::now());
    runtime.block_on(verbs::run(command_line.verb, &context))
}

fn report(failure: &Failure) {
    use std::io::Write;
    // Nobody is left to be told when standard error is gone; the exit code still says it.
    let _ = writeln!(std::io::stderr(), "{failure}");
}

/// What people's verbs take from the environment. Root's verbs on a host take nothing.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place where the environment is read"
)]
fn environment() -> Environment {
    let text = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let folder = |name: &str, below_home: &str| {
        let from_home = || text("HOME").map(|home| PathBuf::from(home).join(below_home));
        text(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
            .or_else(from_home)
    };
    Environment {
        config: folder("XDG_CONFIG_HOME", ".config").map(|folder| folder.join("cloudid")),
        state: folder("XDG_STATE_HOME", ".local/state").map(|folder| folder.join("cloudid")),
        profile: text("CLOUDID_PROFILE"),
        url: text("CLOUDID_URL"),
        login_name: text("USER"),
    }
}
