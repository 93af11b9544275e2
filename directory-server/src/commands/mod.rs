//! The verbs of `cloudid-directory`.

mod backup;
mod init;
mod passphrase;
mod renew;
mod reset_mfa;
mod serve;
mod start;

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

pub(crate) use init::bootstrap_hash;

use crate::clock::{Clock, Random};
use crate::config::{BadConfig, Config, Override};
use crate::keys::KeyError;
use crate::publish::PublishError;
use crate::state::AppState;
use crate::store::{self, OpenError};
use crate::tls::{Authority, AuthorityError, ListenError};

/// What comes from outside of the program.
pub struct Outside {
    /// The time.
    pub clock: Clock,
    /// Random numbers.
    pub random: Random,
    /// The variables of the environment.
    pub environment: Vec<(String, String)>,
}

#[derive(Parser)]
#[command(
    name = "cloudid-directory",
    version,
    about = "The directory server of cloudid"
)]
struct CommandLine {
    /// The settings.
    #[arg(
        long,
        value_name = "FILE",
        default_value = "/etc/cloudid/directory.toml",
        global = true
    )]
    config: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Make the database, the organisation, its keys and certificates.
    Init(init::Init),
    /// Certify a new signing key with the root key.
    RenewSigningKey(renew::Renew),
    /// Serve people, programs and hosts.
    Serve,
    /// Copy the database to a file while the server runs.
    Backup(backup::Backup),
    /// Put such a copy where the database was.
    Restore(backup::Restore),
    /// Take all second factors and locks away from somebody whom nobody else can help.
    ResetMfa(reset_mfa::ResetMfa),
    /// Check the settings and say everything that is wrong with them.
    CheckConfig {
        /// Print the settings in force.
        #[arg(long)]
        print_config: bool,
    },
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A file cannot be read or written.
    #[error("{0}: {1}")]
    File(PathBuf, #[source] std::io::Error),
    /// The settings are wrong.
    #[error("{0} is wrong:\n{1}")]
    Config(PathBuf, #[source] BadConfig),
    /// The database is not used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database failed.
    #[error("the database failed: {0}")]
    Sqlx(#[from] sqlx::Error),
    /// The CA cannot do its work.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// TLS cannot be set up.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// There is no socket to listen on.
    #[error("cannot listen on {0}: {1}")]
    Bind(std::net::SocketAddr, #[source] std::io::Error),
    /// Nothing can be signed for hosts.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Bundles cannot be made.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Something the operator can mend.
    #[error("{0}")]
    Operator(String),
}

/// Runs the verb of the command line.
///
/// # Errors
/// What went wrong, and what to do.
pub async fn run(outside: Outside) -> Result<(), CommandError> {
    let line = CommandLine::parse();
    if let Verb::Init(init) = &line.verb {
        init.write_settings(&line.config)?;
    }
    let config = read_config(&line.config, &outside.environment)?;
    match line.verb {
        Verb::Init(init) => init.run(&outside, config).await,
        Verb::RenewSigningKey(renew) => renew.run(&outside, config).await,
        Verb::Serve => serve::run(outside, config).await,
        Verb::Backup(backup) => backup.run(&config).await,
        Verb::Restore(restore) => restore.run(&config).await,
        Verb::ResetMfa(reset) => reset.run(outside, config).await,
        Verb::CheckConfig { print_config } => {
            say(&if print_config {
                format!("{config:#?}")
            } else {
                format!("{} is sound", line.config.display())
            });
            Ok(())
        }
    }
}

/// What the server works with, as its settings say.
async fn state_of(outside: Outside, config: Config) -> Result<AppState, CommandError> {
    let (store, mut organisation) = store::open(&config.database).await?;
    if !config.server.public_url.is_empty() {
        organisation
            .public_url
            .clone_from(&config.server.public_url);
    }
    let authority = Authority::load(
        &read_text(&config.keys.ca_cert)?,
        &read_text(&config.keys.ca_key)?,
        &read_text(&config.server.tls_cert)?,
    )?;
    let hand = (outside.clock, outside.random);
    Ok(AppState::new(store, organisation, config, authority, hand))
}

fn read_config(path: &Path, environment: &[(String, String)]) -> Result<Config, CommandError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => return Err(CommandError::File(path.to_owned(), error)),
    };
    let overrides: Vec<Override> = environment
        .iter()
        .filter_map(|(name, value)| Override::from_environment(name, value))
        .collect();
    Config::read(&text, &overrides).map_err(|error| CommandError::Config(path.to_owned(), error))
}

fn read_text(path: &Path) -> Result<String, CommandError> {
    std::fs::read_to_string(path).map_err(|error| CommandError::File(path.to_owned(), error))
}

#[expect(clippy::print_stdout, reason = "the answer of a command")]
fn say(text: &str) {
    println!("{text}");
}
