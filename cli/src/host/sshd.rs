//! The drop-in for sshd: written, tested by sshd itself, and its effect read back for root and for
//! a directory user. Only `UsePAM` concerns local users.

use std::collections::BTreeSet;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

use super::places::{SSHD, SSHD_PID, SSHD_RUN};
use super::{programs, services};
use crate::error::Failure;

/// The whole drop-in. Everything but `UsePAM` is inside `Match`.
pub(super) const DROP_IN: &str = "\
# Written by `cloudid enroll`, taken away by `cloudid unenroll`. A file with a lower number wins.
UsePAM yes
Match Group cloudid-key-code
    AuthenticationMethods publickey,keyboard-interactive:pam
Match Group cloudid-users
    KbdInteractiveAuthentication yes
    PasswordAuthentication yes
    AuthenticationMethods publickey keyboard-interactive:pam password
    AuthorizedKeysFile none
    AuthorizedKeysCommand /usr/libexec/cloudid/cloudid-authorized-keys %u %t %k
    AuthorizedKeysCommandUser cloudid-keys
    ExposeAuthInfo yes
    AllowAgentForwarding no
Match all
";

/// What sshd must do for a directory user, in the words of `sshd -T`.
const WANTED: [&str; 4] = [
    "usepam yes",
    "authorizedkeysfile none",
    "authorizedkeyscommand /usr/libexec/cloudid/cloudid-authorized-keys %u %t %k",
    "authorizedkeyscommanduser cloudid-keys",
];
/// The one setting of local users that the drop-in may change.
const MAY_CHANGE: &str = "usepam ";

pub(super) type Settings = BTreeSet<String>;

/// Whether sshd takes its configuration as it is.
pub(super) async fn test() -> Result<(), Failure> {
    make_run_folder()?;
    programs::run(SSHD, &["-t"])
        .await?
        .or_fail("sshd does not accept its configuration")
        .map(|_| ())
}

/// What sshd would do for a user.
pub(super) async fn effective(user: &str) -> Result<Settings, Failure> {
    let who = format!("user={user},host=localhost,addr=127.0.0.1");
    let shown = programs::run(SSHD, &["-T", "-C", &who])
        .await?
        .or_fail(&format!("sshd does not tell what holds for {user}"))?;
    Ok(settings(&shown))
}

/// Nothing may change for root but the use of PAM.
pub(super) fn check_root(before: &Settings, after: &Settings) -> Result<(), Failure> {
    let changed: Vec<_> = before
        .symmetric_difference(after)
        .filter(|setting| !setting.starts_with(MAY_CHANGE))
        .cloned()
        .collect();
    if changed.is_empty() {
        Ok(())
    } else {
        Err(Failure::failed("the drop-in would change sshd for root").because(changed.join("\n")))
    }
}

/// Keys of a directory user come from the cacher and from nowhere else.
pub(super) fn check_directory_user(user: &str, settings: &Settings) -> Result<(), Failure> {
    let missing: Vec<_> = WANTED
        .iter()
        .filter(|wanted| !settings.contains(**wanted))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let missing: Vec<_> = missing
        .into_iter()
        .map(|wanted| format!("missing: {wanted}"))
        .collect();
    Err(Failure::failed(format!("sshd does not apply the drop-in to {user}"))
        .because(missing.join("\n"))
        .next(
            "does /etc/ssh/sshd_config begin with \"Include /etc/ssh/sshd_config.d/*.conf\", and \
             does no file with a lower number say otherwise?",
        ))
}

/// Tells a running sshd to read its configuration; open sessions stay. Answers what was done.
pub(super) async fn reload() -> Result<&'static str, Failure> {
    if services::systemd_runs() {
        for unit in ["ssh.service", "sshd.service"] {
            if services::is_active(unit).await {
                services::systemctl(&["reload", unit]).await?;
                return Ok("sshd was reloaded");
            }
        }
        return Ok("sshd does not run; it reads the drop-in when it starts");
    }
    let Some(process) = running_sshd() else {
        return Ok("sshd does not run; it reads the drop-in when it starts");
    };
    rustix::process::kill_process(process, rustix::process::Signal::HUP).map_err(|error| {
        Failure::failed("sshd cannot be told to reload").because(error.to_string())
    })?;
    Ok("sshd was told to reload")
}

/// The process of the PID file, if it is an sshd.
fn running_sshd() -> Option<rustix::process::Pid> {
    let number: i32 = std::fs::read_to_string(SSHD_PID)
        .ok()?
        .trim()
        .parse()
        .ok()?;
    let name = std::fs::read_to_string(format!("/proc/{number}/comm")).ok()?;
    (name.trim() == "sshd").then(|| rustix::process::Pid::from_raw(number))?
}

/// sshd tests nothing without this folder, which its unit makes when it starts.
fn make_run_folder() -> Result<(), Failure> {
    let folder = Path::new(SSHD_RUN);
    if folder.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new()
        .mode(0o755)
        .create(folder)
        .map_err(|error| Failure::file("make", folder, &error))
}

/// Newer versions write the names with capitals.
pub(super) fn settings(shown: &str) -> Settings {
    let lowered = |line: &str| match line.split_once(' ') {
        Some((name, value)) => format!("{} {value}", name.to_ascii_lowercase()),
        None => line.to_ascii_lowercase(),
    };
    shown.lines().map(lowered).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_the_use_of_pam_is_inside_match() {
        let global: Vec<_> = DROP_IN
            .lines()
            .take_while(|line| !line.starts_with("Match "))
            .filter(|line| !line.starts_with('#'))
            .collect();
        assert_eq!(global, ["UsePAM yes"]);
        assert_eq!(DROP_IN.lines().last(), Some("Match all"));
    }

    #[test]
    fn no_value_of_the_drop_in_carries_a_comment() {
        let indented = DROP_IN.lines().filter(|line| line.starts_with(' '));
        assert!(indented.clone().count() > 0);
        assert!(indented.into_iter().all(|line| !line.contains('#')));
    }

    #[test]
    fn a_code_after_a_key_comes_first_because_the_first_value_wins() {
        let place = |line: &str| DROP_IN.find(line).unwrap();
        let with_code = place("AuthenticationMethods publickey,keyboard-interactive:pam\n");
        assert!(place("Match Group cloudid-key-code\n") < with_code);
        assert!(with_code < place("Match Group cloudid-users\n"));
    }

    #[test]
    fn root_may_only_gain_pam() {
        let before = settings("UsePAM no\nPasswordAuthentication no\n");
        let with_pam = settings("usepam yes\npasswordauthentication no\n");
        assert!(check_root(&before, &with_pam).is_ok());
        let with_password = settings("usepam yes\npasswordauthentication yes\n");
        let failure = check_root(&before, &with_password).unwrap_err();
        assert!(failure.to_string().contains("passwordauthentication"));
    }

    #[test]
    fn a_drop_in_without_effect_is_noticed() {
        let all: Settings = WANTED.iter().map(|wanted| (*wanted).to_owned()).collect();
        assert!(check_directory_user("alice", &all).is_ok());
        for wanted in WANTED {
            let mut settings = all.clone();
            settings.remove(wanted);
            assert!(check_directory_user("alice", &settings).is_err());
        }
    }
}
