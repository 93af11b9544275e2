//! The section "Install" of the README, as it is printed there: from packages to a login of somebody
//! in the directory, on one machine.

use std::time::Duration;
use system_tests::{Lab, PASSWORD, Packages, Stopwatch, booting_is_impossible, say};

const README: &str = include_str!("../../README.md");
const PASSPHRASE: &str = "four words and a key";
const OF_ADMIN: &str = "first administrator of it";
const COMMANDS_MAX: usize = 6;
const LONGEST: Duration = Duration::from_secs(60);

/// The commands of a section's first block.
fn commands(section: &str) -> Vec<String> {
    let text = README.split(&format!("\n## {section}\n")).nth(1);
    let block = text.and_then(|text| text.split("\n```\n").nth(1));
    let block = block.unwrap_or_default().replace("\\\n", " ");
    block.lines().map(str::to_owned).collect()
}

#[test]
fn the_readme_leads_from_packages_to_a_login_in_six_commands_and_a_minute() {
    if let Some(why) = booting_is_impossible() {
        return say(&why);
    }
    let commands = commands("Install");
    assert!(
        (1..=COMMANDS_MAX).contains(&commands.len()),
        "{commands:#?}"
    );
    let lab = Lab::new();
    let host = lab.booted_host("web-1");
    host.receive_files(&Packages::of_this_build().files());
    let mut shell = host.terminal("bash -i");
    shell
        .expect("# ")
        .answer("cd /root/packages; PS1='%ready% '");
    shell.expect("%ready% $");
    // what is asked on the way, and what somebody types then
    let asked = |command: &str| match command.split(' ').take(2).collect::<Vec<_>>()[..] {
        ["cloudid-directory", "init"] => vec![
            ("Passphrase for the root key: ", PASSPHRASE),
            ("The same again: ", PASSPHRASE),
        ],
        ["cloudid", "login"] => vec![("(?i)password.*: ", OF_ADMIN), ("Again: ", OF_ADMIN)],
        ["cloudid", "user"] => vec![("not shown.*: ", PASSWORD)],
        ["ssh", _] => vec![
            ("continue connecting.*\\? ", "yes"),
            ("(?i)password: ", PASSWORD),
        ],
        _ => Vec::new(),
    };
    let watch = Stopwatch::start();
    for command in &commands {
        let begun = watch.elapsed();
        shell.answer(command);
        for (question, answer) in asked(command) {
            shell.expect(question).answer(answer);
        }
        if command.starts_with("ssh ") {
            shell.expect(r"\$ $").answer("id -un; exit");
            shell.expect("\nalice");
        }
        shell.expect("%ready% $").answer("echo status=$?");
        shell.expect("status=0").expect("%ready% $");
        say(&format!("{command}: {:?}", watch.elapsed() - begun));
    }
    let took = watch.elapsed();
    say(&format!("from packages to a login: {took:?}"));
    assert!(took < LONGEST, "{took:?}");
}
