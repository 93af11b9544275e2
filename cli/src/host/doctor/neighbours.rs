//! Who else answers names on this host, or keeps programs from reading ours.

use std::fs;

use super::super::nsswitch::sources;
use super::super::places::NSSWITCH;
use super::{Check, Facts, Verdict};

pub(super) const CHECKS: [Check; 4] = [
    Check {
        id: "nscd",
        why: "it may keep a revoked answer for an hour, though it is told to forget",
        advice: "systemctl disable --now nscd, or live with it",
        mend: None,
        look: |facts| match facts
            .active
            .iter()
            .find(|unit| unit.ends_with("nscd.service"))
        {
            Some(unit) if *unit != "cloudid-nscd.service" => Verdict::Warn(format!("{unit} runs")),
            _ => Verdict::good(),
        },
    },
    Check {
        id: "sssd",
        why: "two directories on one host can give one name to two people",
        advice: "keep cloudid before sss in /etc/nsswitch.conf; remove sssd when it is not needed",
        mend: None,
        look: sssd,
    },
    Check {
        id: "user-database",
        why: "with enumeration on, systemd lists people a second time",
        advice: "[nss] enumerate = false, or take systemd out of the line passwd:",
        mend: None,
        look: |facts| match facts.active.contains(&"systemd-userdbd.socket") {
            true => Verdict::Good("systemd-userdbd runs; it asks us as well".to_owned()),
            false => Verdict::good(),
        },
    },
    Check {
        id: "selinux",
        why: "without our policy module SELinux keeps programs from map and sockets",
        advice: "install cloudid-selinux; ausearch -m avc -c sshd",
        mend: None,
        look: |_| {
            let enforcing = fs::read_to_string("/sys/fs/selinux/enforce");
            let loaded =
                std::path::Path::new("/var/lib/selinux/targeted/active/modules/200/cloudid");
            match enforcing {
                Ok(text) if text.trim() == "1" && !loaded.exists() => Verdict::Warn(
                    "SELinux enforces, and our policy module is not loaded".to_owned(),
                ),
                Ok(_) | Err(_) => Verdict::good(),
            }
        },
    },
];

fn sssd(facts: &Facts) -> Verdict {
    let sources = sources(&fs::read(NSSWITCH).unwrap_or_default(), "passwd");
    let place = |name: &str| sources.iter().position(|source| source == name);
    match (place("sss"), place("cloudid")) {
        (Some(theirs), Some(ours)) if theirs < ours => {
            Verdict::Warn(format!("{NSSWITCH}: passwd: names sss before cloudid"))
        }
        (Some(_), _) => Verdict::Good("sssd answers names as well".to_owned()),
        (None, _) if facts.active.contains(&"sssd.service") => {
            Verdict::Good("sssd runs".to_owned())
        }
        (None, _) => Verdict::good(),
    }
}
