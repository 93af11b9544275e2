//! Accounts of this machine, beside those of the directory.

use posix_names::{FIRST_RANGE, SECOND_RANGE};

use super::super::local_accounts;
use super::{Check, Facts, Verdict};

const LOGIN_DEFS: &str = "/etc/login.defs";
/// Programs make accounts of people from here on.
const FIRST_PERSON: u32 = 1000;

pub(super) const CHECKS: [Check; 5] = [
    Check {
        id: "system-accounts",
        why: "the cacher and sshd's key command run as users of their own",
        advice: "systemd-sysusers cloudid.conf",
        mend: Some(super::Mend::Run(&[
            "/usr/bin/systemd-sysusers",
            "cloudid.conf",
        ])),
        look: |_| system_accounts(),
    },
    Check {
        id: "root-is-local",
        why: "root must be who it is without us",
        advice: "look at the line passwd: of /etc/nsswitch.conf; files comes first",
        mend: None,
        look: root_is_local,
    },
    Check {
        id: "id-overlap",
        why: "to the kernel, files of a local account with such an id are the directory's person's",
        advice: "give these accounts other ids (usermod -u), or live with it",
        mend: None,
        look: |_| match local_accounts::overlaps() {
            Ok(found) => Verdict::remark(&found),
            Err(failure) => Verdict::Fail(failure.what().to_owned()),
        },
    },
    Check {
        id: "name-clashes",
        why: "a local name wins: the person of the directory is not shown here",
        advice: "rename one of the two: usermod -l, or cloudid user rename",
        mend: None,
        look: |facts| match local_accounts::clashes(&facts.people) {
            Ok(found) => Verdict::remark(&found),
            Err(failure) => Verdict::Fail(failure.what().to_owned()),
        },
    },
    Check {
        id: "login-defs",
        why: "new local accounts would get ids of the directory",
        advice: "set UID_MAX, GID_MAX, SUB_UID_MIN and the like in /etc/login.defs outside of our ranges",
        mend: None,
        look: |_| {
            let text = std::fs::read_to_string(LOGIN_DEFS).unwrap_or_default();
            Verdict::remark(&ranges_that_meet(&text))
        },
    },
];

fn system_accounts() -> Verdict {
    let mut wrong = Vec::new();
    for name in ["cloudid", "cloudid-keys"] {
        match local_accounts::uid_of(name) {
            Some(uid) if uid < FIRST_PERSON => {}
            Some(uid) => wrong.push(format!("{name} has id {uid}: not a system account")),
            None => wrong.push(format!("{name} is missing")),
        }
    }
    Verdict::unless(&wrong)
}

fn root_is_local(facts: &Facts) -> Verdict {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let local = passwd.lines().find(|line| line.starts_with("root:"));
    match (&facts.root, local) {
        (Some(record), Some(local)) if record == local => Verdict::good(),
        (record, _) => Verdict::Fail(format!("getent passwd root says {record:?}")),
    }
}

/// Ranges for new accounts that reach into the directory's.
fn ranges_that_meet(text: &str) -> Vec<String> {
    let number = |wanted: &str| {
        let value = |line: &str| {
            let mut words = line.split_whitespace();
            (words.next() == Some(wanted)).then(|| words.next()?.parse::<u32>().ok())?
        };
        text.lines().find_map(value)
    };
    let pairs = [
        ("UID_MIN", "UID_MAX"),
        ("GID_MIN", "GID_MAX"),
        ("SUB_UID_MIN", "SUB_UID_MAX"),
        ("SUB_GID_MIN", "SUB_GID_MAX"),
    ];
    let meets = |(low, high): &(&str, &str)| {
        let (Some(first), Some(last)) = (number(low), number(high)) else {
            return None;
        };
        let inside = [FIRST_RANGE, SECOND_RANGE]
            .iter()
            .any(|range| first <= *range.end() && last >= *range.start());
        inside.then(|| format!("{low} {first} to {high} {last} meets the ids of the directory"))
    };
    pairs.iter().filter_map(meets).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_new_accounts_are_compared_with_ours() {
        let usual = "UID_MIN\t1000\nUID_MAX 60000\nSUB_UID_MIN 100000\nSUB_UID_MAX 600100000\n";
        assert_eq!(ranges_that_meet(usual), Vec::<String>::new());
        let wide = "UID_MIN 1000\n#UID_MAX 60000\nUID_MAX 80000\n";
        assert_eq!(ranges_that_meet(wide).len(), 1);
    }
}
