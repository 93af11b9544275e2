//! Programs in C of `tests/programs`, compiled for a test and run on its host: they do to their own
//! process what no test of Rust could survive.

use std::path::Path;
use std::process::Command;

use crate::host::Host;

/// Compiles a program into the folder of a host; its path.
pub(crate) fn compiled(host: &Host, name: &str) -> String {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs");
    let program = host.path(name);
    let compiled = Command::new("gcc")
        .args(["-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-o"])
        .arg(&program)
        .arg(programs.join(format!("{name}.c")))
        .output()
        .unwrap();
    let complaints = String::from_utf8_lossy(&compiled.stderr);
    assert!(compiled.status.success(), "{complaints}");
    program.to_str().unwrap().to_owned()
}

/// Runs a program on a host, with the module there as its first argument; what it says.
pub(crate) fn run(host: &Host, name: &str, arguments: &[&str]) -> Said {
    let module = host.path("lib/libnss_cloudid.so.2");
    let module = module.to_str().unwrap();
    run_alone(host, name, &[&[module], arguments].concat())
}

/// The same for a program that asks glibc only.
pub(crate) fn run_alone(host: &Host, name: &str, arguments: &[&str]) -> Said {
    let program = compiled(host, name);
    let command = [&[program.as_str()], arguments].concat();
    let output = host.run(&command);
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{name} {arguments:?}: {:?}\n{said}\n{complaints}",
        output.status
    );
    Said(said)
}

/// What a program said: names and numbers.
#[derive(Debug)]
pub(crate) struct Said(pub(crate) String);

impl Said {
    /// The number behind a name.
    pub(crate) fn number(&self, name: &str) -> u64 {
        let after = self.0.split(&format!("{name} ")).nth(1);
        let digits = after.and_then(|rest| rest.split_whitespace().next());
        let number = digits.and_then(|digits| digits.parse().ok());
        number.unwrap_or_else(|| panic!("no {name} in {self:?}"))
    }
}
