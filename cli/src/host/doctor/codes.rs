//! Second factors while the directory is away: for how long codes of apps still count.

use super::mirror::{HOUR, of};
use super::{Check, Verdict};

/// As the cacher, which tells it as `user.mfa_horizon_low`.
const LITTLE: i64 = 8 * HOUR;

pub(super) const CHECKS: [Check; 1] = [Check {
    id: "codes-left",
    why: "without the directory a host knows the codes of apps for some hours ahead; then backup codes alone count",
    advice: "bring the directory back, or let people know; [offline] horizon",
    mend: None,
    look: |facts| {
        let Some(horizon) = facts.settings_in_force.as_deref().and_then(horizon) else {
            return Verdict::Good("codes of apps need the directory".to_owned());
        };
        of(facts, |status| match status.online {
            true => Verdict::good(),
            false => left(status.newest_signed_time_ms + horizon - facts.now),
        })
    },
}];

/// Milliseconds from the cacher's own words; nothing where such codes do not count at all.
fn horizon(settings: &str) -> Option<i64> {
    let settings: toml::Table = settings.parse().ok()?;
    let offline = settings.get("offline")?;
    if offline.get("mfa")?.as_str()? == "deny" {
        return None;
    }
    let horizon = offline.get("horizon")?.as_str()?;
    horizon.strip_suffix("ms")?.parse().ok()
}

/// A policy may be stricter than the host.
fn left(milliseconds: i64) -> Verdict {
    let hours = milliseconds / HOUR;
    match milliseconds {
        none if none <= 0 => Verdict::Fail("codes of apps count no longer".to_owned()),
        little if little < LITTLE => {
            Verdict::Warn(format!("codes of apps count for {hours} h more at most"))
        }
        _ => Verdict::Good(format!("codes of apps count for {hours} h more at most")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_that_run_low_are_told_before_none_counts() {
        assert!(matches!(left(LITTLE), Verdict::Good(_)));
        assert!(matches!(left(LITTLE - 1), Verdict::Warn(_)));
        assert!(matches!(left(1), Verdict::Warn(_)));
        assert!(matches!(left(0), Verdict::Fail(_)));
    }

    #[test]
    fn the_horizon_is_the_cachers_word_and_none_where_codes_need_the_directory() {
        let settings = "[offline]\nmfa = \"check-bits\"\nhorizon = \"86400000ms\"\n";
        assert_eq!(horizon(settings), Some(24 * HOUR));
        assert_eq!(horizon(&settings.replace("check-bits", "deny")), None);
        assert_eq!(horizon("nonsense"), None);
    }
}
