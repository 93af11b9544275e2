//! `cloudid-directory`. Reads the clock, the environment and the command line, and nothing else does.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use directory_server::clock::{Clock, Random};
use directory_server::commands::{self, Outside};

#[tokio::main]
async fn main() -> ExitCode {
    let outside = Outside {
        clock: Clock::new(now),
        random: Random::of_system(),
        environment: std::env::vars().collect(),
    };
    match commands::run(outside).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::FAILURE
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock"
)]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::try_from(std::time::SystemTime::now()).unwrap_or_default()
}

#[expect(clippy::print_stderr, reason = "the last word of a failed command")]
fn tell(error: &commands::CommandError) {
    eprintln!("cloudid-directory: {error}");
}
