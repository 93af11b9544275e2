//! The command that sshd starts at each login, as people get it: linked statically, because looking
//! for libraries and binding them takes longer than all else it does, and optimised as a whole, as the
//! modules are: a small program is read and mapped sooner.

use std::process::Command;

/// Builds it, optimised.
pub(crate) fn build() -> Command {
    static_program("ssh-commands", "cloudid-authorized-keys")
}

/// Builds one program that needs no library and no linker at its start.
pub(crate) fn static_program(package: &str, program: &str) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(crate::workspace());
    command.args(["rustc", "--locked", "--profile", "module"]);
    command.args(["--package", package, "--bin", program]);
    command.args(["--", "-C", "target-feature=+crt-static"]);
    command
}
