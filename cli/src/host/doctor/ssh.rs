//! sshd and sudo: what is written, whether they accept it, and what they make of it.

use std::fs;

use super::super::places::SSHD_DROP_IN;
use super::super::sshd;
use super::stacks::is_ours;
use super::{Check, Facts, Mend, Verdict};

pub(super) const CHECKS: [Check; 6] = [
    Check {
        id: "sshd-drop-in",
        why: "it tells sshd where keys of directory users come from",
        advice: "cloudid doctor --fix",
        mend: Some(Mend::Sshd),
        look: |_| drop_in(),
    },
    Check {
        id: "sshd-test",
        why: "an sshd that does not accept its settings does not start again",
        advice: "sshd -t names file and line; mend it there",
        mend: None,
        look: |facts| match &facts.sshd_test {
            Ok(_) => Verdict::good(),
            Err(why) => Verdict::Fail(why.clone()),
        },
    },
    Check {
        id: "sshd-directory-user",
        why: "another file can win over ours, and sshd says nothing",
        advice: "sshd -T -C user=NAME,host=localhost,addr=127.0.0.1 shows it; does sshd_config begin \
                 with Include, and does no file with a lower number say otherwise?",
        mend: None,
        look: directory_user,
    },
    Check {
        id: "sshd-root",
        why: "nothing of ours may hold for root",
        advice: "put our settings back inside Match Group cloudid-users",
        mend: None,
        look: root,
    },
    Check {
        id: "sudo-flavour",
        why: "sudo and sudo-rs know different rules",
        advice: "apt-get install sudo",
        mend: None,
        look: |facts| match &facts.sudo_version {
            Some(Ok(said)) => Verdict::Good(said.lines().next().unwrap_or_default().to_owned()),
            Some(Err(why)) => Verdict::Warn(format!("sudo -V: {why}")),
            None => Verdict::Warn("there is no sudo on this host".to_owned()),
        },
    },
    Check {
        id: "sudoers",
        why: "a broken file prints an error at every sudo, and its rules are lost",
        advice: "visudo -c names the file and line; mend it there",
        mend: None,
        look: |facts| match &facts.visudo {
            Some(Err(why)) => Verdict::Fail(why.clone()),
            Some(Ok(_)) | None => Verdict::good(),
        },
    },
];

fn drop_in() -> Verdict {
    if !is_ours(SSHD_DROP_IN) {
        return Verdict::Good("enrolled without sshd".to_owned());
    }
    match fs::read(SSHD_DROP_IN) {
        Ok(bytes) if bytes == sshd::DROP_IN.as_bytes() => Verdict::good(),
        Ok(_) => Verdict::Fail(format!("{SSHD_DROP_IN} is not what was written there")),
        Err(error) => Verdict::Fail(format!("{SSHD_DROP_IN}: {error}")),
    }
}

fn directory_user(facts: &Facts) -> Verdict {
    let (Some(user), Some(said)) = (facts.people.first(), &facts.sshd_of_somebody) else {
        return Verdict::Good("nobody of the directory has access here".to_owned());
    };
    if !is_ours(SSHD_DROP_IN) {
        return Verdict::good();
    }
    match said {
        Ok(shown) => match sshd::check_directory_user(user, &sshd::settings(shown)) {
            Ok(()) => Verdict::good(),
            Err(failure) => Verdict::Fail(failure.to_string().replace('\n', ";")),
        },
        Err(why) => Verdict::Fail(why.clone()),
    }
}

fn root(facts: &Facts) -> Verdict {
    match &facts.sshd_of_root {
        Ok(shown) if shown.contains("/usr/libexec/cloudid/") => {
            Verdict::Fail("sshd would ask us for root's keys".to_owned())
        }
        Ok(_) => Verdict::good(),
        Err(why) => Verdict::Fail(why.clone()),
    }
}
