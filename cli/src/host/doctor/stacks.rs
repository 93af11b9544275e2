//! PAM: our lines in each stack, at their places, and never one that could lock out root.

use std::fs;

use super::super::backup::Backup;
use super::super::pam;
use super::super::places::{BACKUP, PAM_FILES, PAM_MODULE};
use super::{Check, Facts, Mend, Verdict};

/// Programs by which people come in, and the stacks they must use.
const SERVICES: [&str; 5] = ["sshd", "login", "su", "sudo", "cron"];
const BY_HAND: &str = "pam-auth-update --enable cloudid cloudid-passwd";

pub(super) const CHECKS: [Check; 6] = [
    Check {
        id: "pam-stacks",
        why: "a login that no line of ours sees is not decided by the policy",
        advice: BY_HAND,
        mend: Some(Mend::Pam),
        look: |_| stacks(),
    },
    Check {
        id: "pam-order",
        why: "before pam_unix a directory user is asked once; passwords of local users need it after",
        advice: BY_HAND,
        mend: None,
        look: |_| Verdict::unless(&misplaced()),
    },
    Check {
        id: "pam-lockout",
        why: "with default=die a missing module would lock out root",
        advice: "take default=die out of our lines in /etc/pam.d/common-*: default=ignore",
        mend: None,
        look: |_| Verdict::unless(&lines_that_lock_out()),
    },
    Check {
        id: "pam-services",
        why: "a service with a stack of its own does not ask us",
        advice: "include common-auth and common-account there, or live with it",
        mend: None,
        look: |_| Verdict::remark(&services_without_us()),
    },
    Check {
        id: "pam-root",
        why: "root gets through PAM whatever happens to us",
        advice: "su root -c true; journalctl -t su tells why not",
        mend: None,
        look: |facts: &Facts| match &facts.su_root {
            Ok(_) => Verdict::good(),
            Err(why) => Verdict::Fail(format!("su root fails: {why}")),
        },
    },
    Check {
        id: "home-folder",
        why: "a first login makes the home of its person",
        advice: "mkdir -m 755 /home",
        mend: None,
        look: |_| match fs::metadata("/home") {
            Ok(status) if status.is_dir() => Verdict::good(),
            Ok(_) => Verdict::Fail("/home is no folder".to_owned()),
            Err(error) => Verdict::Fail(format!("/home: {error}")),
        },
    },
];

/// Whether the enrolment edited this file at all: `--no-pam` and `--no-ssh` leave some alone.
pub(super) fn is_ours(file: &str) -> bool {
    let backup = Backup::open(std::path::Path::new(BACKUP));
    backup.is_ok_and(|backup| backup.is_none_or(|backup| backup.covers(file)))
}

fn stacks() -> Verdict {
    let with = pam::stacks_with_our_module();
    let missing: Vec<_> = PAM_FILES
        .into_iter()
        .filter(|file| pam::is_stack(file) && is_ours(file) && !with.contains(file))
        .map(|file| format!("{file} has no line of ours"))
        .collect();
    Verdict::unless(&missing)
}

fn text(file: &str) -> String {
    fs::read(file).map_or_else(
        |_| String::new(),
        |bytes| String::from_utf8_lossy(&bytes).into_owned(),
    )
}

fn misplaced() -> Vec<String> {
    let before = ["/etc/pam.d/common-auth", "/etc/pam.d/common-account"];
    let after = ["/etc/pam.d/common-password"];
    let wrong = |file: &str, ours_first: bool| {
        let text = text(file);
        (order(&text)? != ours_first).then(|| {
            let should = if ours_first { "before" } else { "after" };
            format!("{file}: our line should stand {should} pam_unix")
        })
    };
    let before = before.into_iter().filter_map(|file| wrong(file, true));
    let after = after.into_iter().filter_map(|file| wrong(file, false));
    before.chain(after).collect()
}

/// Whether our line stands before that of `pam_unix`; `None` where one of them is missing.
fn order(stack: &str) -> Option<bool> {
    let place = |module: &str| rules(stack).position(|line| line.contains(module));
    Some(place(PAM_MODULE)? < place("pam_unix.so")?)
}

fn rules(stack: &str) -> impl Iterator<Item = &str> {
    stack
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
}

fn lines_that_lock_out() -> Vec<String> {
    let dangerous = |file: &&&str| {
        let text = text(file);
        rules(&text).any(|line| {
            let ours = line.contains(PAM_MODULE);
            let words: Vec<_> = line.split_whitespace().collect();
            let required = words
                .get(1)
                .is_some_and(|control| matches!(*control, "required" | "requisite"));
            ours && (required || line.contains("default=die") || line.contains("default=bad"))
        })
    };
    PAM_FILES
        .iter()
        .filter(|file| pam::is_stack(file))
        .filter(dangerous)
        .map(|file| format!("{file}: our line refuses when the module is missing"))
        .collect()
}

fn services_without_us() -> Vec<String> {
    let asks = |service: &&&str| {
        let file = format!("/etc/pam.d/{service}");
        let text = text(&file);
        let includes = |stack: &str| rules(&text).any(|line| line.contains(stack));
        !text.is_empty() && !includes(PAM_MODULE) && !includes("common-account")
    };
    if !is_ours("/etc/pam.d/common-account") {
        return Vec::new();
    }
    SERVICES
        .iter()
        .filter(asks)
        .map(|service| format!("/etc/pam.d/{service} does not include common-account"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_a_stack_is_read_past_comments() {
        let stack = "# pam_unix.so\nauth x pam_cloudid.so\nauth x pam_unix.so\n";
        assert_eq!(order(stack), Some(true));
        assert_eq!(
            order("auth x pam_unix.so\nauth x pam_cloudid.so"),
            Some(false)
        );
        assert_eq!(order("auth x pam_unix.so"), None);
    }
}
