//! Makes the roots of the throw-away hosts, so that no test has to. With `--booted-hosts` it tells
//! whether this machine can boot hosts with systemd: fails with the reason when it cannot.
#![forbid(unsafe_code)]
#![expect(clippy::print_stdout, reason = "the answer of this program")]

use std::process::ExitCode;
use system_tests::booting_is_impossible;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("--booted-hosts") {
        return match booting_is_impossible() {
            None => ExitCode::SUCCESS,
            Some(why) => {
                println!("{why}");
                ExitCode::FAILURE
            }
        };
    }
    system_tests::prepare_roots();
    ExitCode::SUCCESS
}
