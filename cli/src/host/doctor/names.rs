//! Name lookups: the file that glibc reads, the published map, and a real lookup.

use std::fs;

use super::super::nsswitch::sources;
use super::super::places::{NSSWITCH, STATE};
use super::files::owned_by_cloudid;
use super::{Check, Facts, Mend, Verdict};

const MAP: &str = "/run/cloudid/identity.map";

pub(super) const CHECKS: [Check; 6] = [
    Check {
        id: "nsswitch",
        why: "glibc asks only the sources this file names",
        advice: "cloudid doctor --fix",
        mend: Some(Mend::Nsswitch),
        look: |_| {
            let names = |database: &&str| !of(database).iter().any(|source| source == "cloudid");
            let missing: Vec<_> = ["passwd", "group"]
                .iter()
                .filter(|database| names(database))
                .map(|database| format!("{NSSWITCH}: {database}: does not name cloudid"))
                .collect();
            Verdict::unless(&missing)
        },
    },
    Check {
        id: "nsswitch-order",
        why: "accounts of the machine come first, whatever the directory says",
        advice: "in /etc/nsswitch.conf: passwd: files cloudid systemd, and likewise group:",
        mend: None,
        look: |_| Verdict::unless(&["passwd", "group"].map(order).concat()),
    },
    Check {
        id: "nsswitch-shadow",
        why: "password hashes of the directory are never offered to other programs",
        advice: "take the word cloudid out of the line shadow: of /etc/nsswitch.conf",
        mend: None,
        look: |_| match of("shadow").iter().any(|source| source == "cloudid") {
            true => Verdict::Warn(format!("{NSSWITCH}: shadow: names cloudid")),
            false => Verdict::good(),
        },
    },
    Check {
        id: "map-at-boot",
        why: "units and jobs of directory users start from it before the cacher runs",
        advice: "systemctl restart cloudid-cacher",
        mend: Some(Mend::Run(&[
            "/usr/bin/systemctl",
            "restart",
            "cloudid-cacher.service",
        ])),
        look: |_| owned_by_cloudid(&format!("{STATE}/identity.map"), 0o644),
    },
    Check {
        id: "map",
        why: "every lookup reads it, and believes it only when it is the cacher's",
        advice: "systemctl restart cloudid-cacher",
        mend: Some(Mend::Run(&[
            "/usr/bin/systemctl",
            "restart",
            "cloudid-cacher.service",
        ])),
        look: |_| owned_by_cloudid(MAP, 0o644),
    },
    Check {
        id: "lookup",
        why: "what the bundle says must be what programs see",
        advice: "mend the checks above first; then systemctl restart cloudid-cacher",
        mend: None,
        look: lookup,
    },
];

fn of(database: &str) -> Vec<String> {
    sources(&fs::read(NSSWITCH).unwrap_or_default(), database)
}

fn order(database: &str) -> Vec<String> {
    let sources = of(database);
    let place = |name: &str| sources.iter().position(|source| source == name);
    let local = place("files").or_else(|| place("compat"));
    match (local, place("cloudid")) {
        (Some(local), Some(ours)) if local > ours => {
            vec![format!(
                "{NSSWITCH}: {database}: cloudid comes before files"
            )]
        }
        (None, _) => vec![format!("{NSSWITCH}: {database}: does not name files")],
        _ => Vec::new(),
    }
}

fn lookup(facts: &Facts) -> Verdict {
    match &facts.status {
        Ok(status) if status.people > 0 && facts.people.is_empty() => Verdict::Fail(format!(
            "the bundle has {} people, glibc shows nobody",
            status.people
        )),
        Ok(_) | Err(_) => Verdict::good(),
    }
}
