//! `cloudid-cacher`: see the library. Without a subcommand it is the daemon.
#![forbid(unsafe_code)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use cacher_daemon::cacher::{Cacher, Parts};
use cacher_daemon::config::{Config, Problems};
use cacher_daemon::disk::HostDisk;
use cacher_daemon::enroll::{EnrollError, Wanted, enroll};
use cacher_daemon::paths::Paths;
use cacher_daemon::run::Run;
use cacher_daemon::time::{Clock, SystemClock};
use cacher_daemon::{daemon, heap, logging, lookups, publish};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(
    version,
    about = "Mirrors this host's bundle, decides by it and answers the local sockets"
)]
struct Arguments {
    /// Check the settings, say everything that is wrong, and end.
    #[arg(long)]
    check: bool,
    /// Print the settings in force, and end.
    #[arg(long)]
    print_config: bool,
    #[command(subcommand)]
    work: Option<Work>,
}

#[derive(Subcommand)]
enum Work {
    /// Enrol this host; `cloudid enroll` calls it.
    Enroll {
        /// Base address of the directory.
        #[arg(long)]
        directory: String,
        /// File that holds the token.
        #[arg(long)]
        token_file: PathBuf,
        /// Wanted host name.
        #[arg(long)]
        hostname: String,
        /// A tag of this host; may be repeated.
        #[arg(long)]
        tag: Vec<String>,
    },
    /// Answer programs that know no NSS module: systemd's user database and, where it is switched
    /// on, the protocol of nscd.
    Lookups,
    /// Copy the last good identity map to /run/cloudid; runs at early boot.
    PublishMap,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let paths = Paths::installed();
    // Names must be there at boot whatever is wrong with the settings.
    if matches!(arguments.work, Some(Work::PublishMap)) {
        return match publish::publish_kept(&HostDisk, &paths) {
            Ok(_) => ExitCode::SUCCESS,
            Err(error) => failed(&error.to_string()),
        };
    }
    if rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .is_err()
    {
        return failed("no cryptography could be set up");
    }
    match arguments.work {
        _ if arguments.check || arguments.print_config => settings(&paths, arguments.print_config),
        Some(Work::Enroll {
            directory,
            token_file,
            hostname,
            tag,
        }) => {
            let wanted = Wanted {
                directory,
                token_file,
                hostname,
                tags: tag,
            };
            enrolled(&paths, &wanted)
        }
        Some(Work::Lookups) => lookups(&paths),
        Some(Work::PublishMap) | None => daemon(&paths),
    }
}

/// Says what is wrong with the settings, or prints them.
fn settings(paths: &Paths, print: bool) -> ExitCode {
    match Config::load(paths) {
        Ok(config) if print => printed(&config.to_string()),
        Ok(_) => ExitCode::SUCCESS,
        Err(problems) => failed(&problems.to_string()),
    }
}

fn enrolled(paths: &Paths, wanted: &Wanted) -> ExitCode {
    if let Err(problems) = Config::load(paths) {
        return failed(&problems.to_string());
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    match runtime.block_on(enroll(paths, wanted, SystemClock.wall())) {
        Ok(answer) => printed(&format!("{} {}\n", answer.host_id, answer.hostname)),
        Err(error) => {
            failed(&error.to_string());
            // As sysexits: whoever must act.
            match error {
                EnrollError::Caller(_) => ExitCode::from(64),
                EnrollError::Directory(_) => ExitCode::from(69),
                EnrollError::Host(_) => ExitCode::from(73),
                EnrollError::Unreachable(_) => ExitCode::from(75),
            }
        }
    }
}

fn daemon(paths: &Paths) -> ExitCode {
    heap::share();
    let (config, problems) = match Config::to_start_with(paths) {
        Ok(found) => found,
        Err(problems) => return failed(&problems.to_string()),
    };
    logging::begin(&config.daemon.log_level, config.daemon.log_format == "json");
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    let mut random = [0; 16];
    if let Err(error) = getrandom::fill(&mut random) {
        return failed(&format!("no randomness: {error}"));
    }
    let parts = Parts {
        paths: paths.clone(),
        config,
        clock: Arc::new(SystemClock),
        disk: Arc::new(HostDisk),
        boot: boot_id(),
        run: Run::of(random),
    };
    let ran = runtime.block_on(async {
        // Before a file is touched: spool, marks and sockets have one writer.
        let _only_one = daemon::only_one(paths).map_err(|error| error.to_string())?;
        if let Some(problems) = problems {
            tracing::error!(%problems, "the last good settings are in force");
        } else if let Err(error) = parts.config.keep(&HostDisk, paths) {
            tracing::warn!(%error, "the settings are not kept for the next start");
        }
        let (cacher, wishes) = Cacher::start(parts).map_err(|error| error.to_string())?;
        daemon::run(cacher, paths, wishes)
            .await
            .map_err(|error| error.to_string())
    });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn lookups(paths: &Paths) -> ExitCode {
    heap::share();
    let (config, Problems(problems)) = Config::as_far_as_right(paths);
    logging::begin(&config.daemon.log_level, config.daemon.log_format == "json");
    for problem in problems {
        tracing::error!(%problem, "not in force");
    }
    let ran = runtime().and_then(|runtime| runtime.block_on(lookups::run(paths, &config)));
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error.to_string()),
    }
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id")
        .map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

#[expect(clippy::print_stdout, reason = "what was asked for")]
fn printed(text: &str) -> ExitCode {
    print!("{text}");
    ExitCode::SUCCESS
}

#[expect(clippy::print_stderr, reason = "there may be no log yet")]
fn failed(why: &str) -> ExitCode {
    eprintln!("cloudid-cacher: {why}");
    ExitCode::FAILURE
}
