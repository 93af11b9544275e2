//! `AuthorizedKeysCommand` of sshd: prints the keys of a user of the directory.
#![forbid(unsafe_code)]

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use local_protocol::{KEYS_SOCKET, Trust};
use ssh_commands::{BadOffer, authorized_keys};

fn main() -> ExitCode {
    // What is not UTF-8 is neither a name nor a type nor a key.
    let arguments = std::env::args_os().skip(1).map(|text| text.into_string());
    let result = arguments
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| BadOffer::Usage.into())
        .and_then(|arguments| {
            let socket = Path::new(KEYS_SOCKET);
            authorized_keys(
                &arguments,
                socket,
                Trust::System,
                &mut std::io::stdout().lock(),
            )
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // sshd throws standard error away; this is for whoever tries the command by hand.
            let _ = writeln!(std::io::stderr(), "cloudid-authorized-keys: {failure}");
            ExitCode::FAILURE
        }
    }
}
