//! The mirror of the directory: there, fresh, and how much is waiting to be sent.

use std::path::Path;

use local_protocol::HostStatus;

use super::super::places::{REFUSED_RUN, STATE};
use super::{Check, Facts, Verdict};

const SECOND: i64 = 1000;
pub(super) const HOUR: i64 = 3600 * SECOND;
/// A push stream says something every minute; an hour is long.
const AGE_REMARKABLE: i64 = HOUR;
/// `offline.max_age` unless settings are stricter: nobody of the directory logs in any more.
const AGE_MAX: i64 = 168 * HOUR;
/// How far the clock may be behind what the directory has signed.
const BEHIND_REMARKABLE: i64 = 5 * SECOND;
const BEHIND_MAX: i64 = 30 * SECOND;
const EVENTS_REMARKABLE: u64 = 1000;
/// Events and the mirror need room.
const ROOM_REMARKABLE: u64 = 256 * 1024 * 1024;
const ROOM_MIN: u64 = 32 * 1024 * 1024;
const LOOK: &str = "cloudid sync; journalctl -u cloudid-cacher";

pub(super) const CHECKS: [Check; 9] = [
    Check {
        id: "bundle",
        why: "without a signed bundle this host knows nobody",
        advice: LOOK,
        mend: None,
        look: |facts| {
            of(facts, |status| match status.bundle_version {
                0 => Verdict::Fail("no bundle is in force".to_owned()),
                version => Verdict::Good(format!("bundle {version}")),
            })
        },
    },
    Check {
        id: "mirror-age",
        why: "after offline.max_age without a sign of the directory nobody of it logs in",
        advice: LOOK,
        mend: None,
        look: |facts| {
            of(
                facts,
                |status| age(facts.now - status.newest_signed_time_ms),
            )
        },
    },
    Check {
        id: "directory",
        why: "news and revocations come by it; logins go on without",
        advice: LOOK,
        mend: None,
        look: |facts| {
            of(facts, |status| match status.online {
                true => Verdict::Good(status.directory.clone()),
                false => Verdict::Warn(format!(
                    "{} is away: {}",
                    status.directory, status.last_error
                )),
            })
        },
    },
    Check {
        id: "identity",
        why: "two machines with one identity cannot both be the host; the directory refuses the later",
        advice: "cloudid unenroll, then cloudid enroll under a name of its own",
        mend: None,
        look: |facts| {
            let refused = Path::new(REFUSED_RUN).exists();
            of(facts, |status| match refused && !status.online {
                true => Verdict::Fail("another machine has the identity of this one".to_owned()),
                false => Verdict::good(),
            })
        },
    },
    Check {
        id: "last-round",
        why: "what the directory publishes is not in force here; a canary holds up all others by that",
        advice: LOOK,
        mend: None,
        look: |facts| {
            of(facts, |status| match status.last_error.as_str() {
                wrong if status.online && !wrong.is_empty() => Verdict::Warn(wrong.to_owned()),
                _ => Verdict::good(),
            })
        },
    },
    Check {
        id: "clock",
        why: "what ends at a time ends by this clock; codes need it right to seconds",
        advice: "timedatectl set-ntp true; timedatectl status",
        mend: None,
        look: |facts| {
            of(facts, |status| {
                behind(status.newest_signed_time_ms - facts.now)
            })
        },
    },
    Check {
        id: "time-synchronised",
        why: "a clock that nobody sets goes wrong by seconds a week",
        advice: "timedatectl set-ntp true, or install chrony",
        mend: None,
        look: |facts| match &facts.time_synchronised {
            Some(Ok(said)) if said == "yes" => Verdict::good(),
            Some(Ok(_)) => Verdict::Warn("nobody synchronises the clock".to_owned()),
            Some(Err(_)) | None => Verdict::Good("cannot be told here".to_owned()),
        },
    },
    Check {
        id: "events-waiting",
        why: "events that are not sent yet are missing in the directory's log",
        advice: LOOK,
        mend: None,
        look: |facts| {
            of(facts, |status| match status.events_waiting {
                few if few < EVENTS_REMARKABLE => Verdict::good(),
                many => Verdict::Warn(format!("{many} events wait to be sent")),
            })
        },
    },
    Check {
        id: "disk-space",
        why: "mirror and events need room; a full disk keeps news away",
        advice: "df -h /var/lib/cloudid; make room",
        mend: None,
        look: |_| match rustix::fs::statvfs(STATE) {
            Ok(disk) => room(disk.f_bavail.saturating_mul(disk.f_frsize)),
            Err(error) => Verdict::Fail(format!("{STATE}: {error}")),
        },
    },
];

pub(super) fn of(facts: &Facts, judge: impl FnOnce(&HostStatus) -> Verdict) -> Verdict {
    match &facts.status {
        Ok(status) => judge(status),
        Err(_) => Verdict::Warn("the cacher does not tell".to_owned()),
    }
}

fn age(age: i64) -> Verdict {
    let hours = age / HOUR;
    match age {
        old if old > AGE_MAX => Verdict::Fail(format!("nothing from the directory for {hours} h")),
        old if old > AGE_REMARKABLE => {
            Verdict::Warn(format!("nothing from the directory for {hours} h"))
        }
        _ => Verdict::good(),
    }
}

fn behind(behind: i64) -> Verdict {
    let told = format!("the clock is {} s behind the directory's", behind / SECOND);
    match behind {
        far if far > BEHIND_MAX => Verdict::Fail(told),
        near if near > BEHIND_REMARKABLE => Verdict::Warn(told),
        _ => Verdict::good(),
    }
}

fn room(bytes: u64) -> Verdict {
    let told = format!("{} MiB are free for {STATE}", bytes / (1024 * 1024));
    match bytes {
        none if none < ROOM_MIN => Verdict::Fail(told),
        little if little < ROOM_REMARKABLE => Verdict::Warn(told),
        _ => Verdict::good(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_behind_is_told_and_then_a_fault() {
        assert_eq!(behind(-HOUR), Verdict::good());
        assert_eq!(behind(5 * SECOND), Verdict::good());
        assert!(matches!(behind(6 * SECOND), Verdict::Warn(_)));
        assert!(matches!(behind(31 * SECOND), Verdict::Fail(_)));
    }

    #[test]
    fn an_old_mirror_is_told_before_it_is_too_old() {
        assert_eq!(age(HOUR), Verdict::good());
        assert!(matches!(age(HOUR + 1), Verdict::Warn(_)));
        assert!(matches!(age(AGE_MAX + 1), Verdict::Fail(_)));
    }

    #[test]
    fn little_room_is_told_before_there_is_none() {
        assert_eq!(room(ROOM_REMARKABLE), Verdict::good());
        assert!(matches!(room(ROOM_MIN), Verdict::Warn(_)));
        assert!(matches!(room(0), Verdict::Fail(_)));
    }
}
