//! `cloudid-helper`: the few things that need root; see the library's `helper`. Takes its socket
//! from the service manager, or opens it itself.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::ExitCode;

use cacher_daemon::helper::{Places, open, serve};
use cacher_daemon::logging;
use clap::Parser;

#[derive(Parser)]
#[command(version, about = "Makes homes and ends sessions for cloudid-cacher")]
struct Arguments {}

fn main() -> ExitCode {
    Arguments::parse();
    logging::begin("info", false);
    let places = Places::installed();
    let handed_over = listenfd::ListenFd::from_env().take_unix_listener(0);
    let listener = match handed_over {
        Ok(Some(listener)) => Ok(listener),
        Ok(None) => open(Path::new(local_protocol::HELPER_SOCKET), &places.etc),
        Err(error) => Err(error),
    };
    let served = listener.and_then(|listener| {
        // Without a service manager there is nobody to tell.
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        serve(&listener, &places)
    });
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "cannot serve");
            ExitCode::FAILURE
        }
    }
}
