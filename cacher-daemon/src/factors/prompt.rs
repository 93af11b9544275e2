//! What is said when a code is asked for. It depends on the host alone, never on who asks: whether
//! the directory is away, and until when codes count without it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use policy::{Factors, OfflineCodes};
use signed_bundle::{CheckBits, STEP_SECONDS};

use super::elevates;
use crate::cacher::Cacher;
use crate::config::ClockBehind;
use crate::time::skew;

/// Whether time-based codes count while the directory is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfflineCode {
    /// Until then.
    Until(Timestamp),
    /// They did, until then.
    RanOut(Timestamp),
    /// The clock of this host is behind signed time: it cannot tell old codes from new ones.
    ClockBehind,
    /// Not by policy, not here, or not for this service.
    Never,
}

impl Cacher {
    /// Whether time-based codes count now, if the directory does not answer.
    pub(crate) fn offline_code(&self, factors: &Factors, elevating: bool) -> OfflineCode {
        let offline = self.config().offline.clone();
        let off = factors.offline_codes == OfflineCodes::Deny || !offline.check_bits;
        if elevating || off {
            return OfflineCode::Never;
        }
        if self.clock_behind().is_some() && offline.clock_behind == ClockBehind::Deny {
            return OfflineCode::ClockBehind;
        }
        let horizon = factors
            .offline_horizon_seconds
            .min(offline.horizon.as_secs());
        let horizon = SignedDuration::from_secs(i64::try_from(horizon).unwrap_or(i64::MAX));
        let by_policy = self.newest_signed().checked_add(horizon);
        let by_policy = by_policy.unwrap_or(Timestamp::MAX);
        match self.stock_ends() {
            None => OfflineCode::Never,
            Some(stock) if stock.min(by_policy) <= self.now() => {
                OfflineCode::RanOut(stock.min(by_policy))
            }
            Some(stock) => OfflineCode::Until(stock.min(by_policy)),
        }
    }

    /// How far this host's clock is behind signed time, where that is more than tolerated.
    pub(crate) fn clock_behind(&self) -> Option<Duration> {
        skew(self.wall(), self.newest_signed())
    }

    /// The end of the stock of coming codes: all are made at the same time.
    pub(crate) fn stock_ends(&self) -> Option<Timestamp> {
        let tables = self.tables();
        let stock = CheckBits::read(tables.any_check_bits()?)?;
        let second = i64::try_from(stock.end().saturating_mul(STEP_SECONDS)).ok()?;
        Timestamp::from_second(second).ok()
    }

    /// Asks for a code, understandable alone.
    pub(crate) fn code_prompt(&self, factors: &Factors, service: &str) -> String {
        if self.online() {
            return self.config().pam.otp_prompt.clone();
        }
        let code = self.offline_code(factors, elevates(service));
        away(code, self.offline_backup_codes(factors))
    }
}

fn away(code: OfflineCode, backup_codes: bool) -> String {
    let backup = if backup_codes { "Backup code" } else { "Code" };
    match code {
        OfflineCode::Until(end) => {
            let or_backup = if backup_codes { " or backup code" } else { "" };
            let end = moment(end);
            format!(
                "Verification code{or_backup} (directory unreachable, codes count until {end}): "
            )
        }
        OfflineCode::RanOut(end) => format!(
            "{backup} (directory unreachable, verification codes counted until {}): ",
            moment(end)
        ),
        OfflineCode::ClockBehind => format!(
            "{backup} (directory unreachable, and this host's clock is wrong: verification codes \
             do not count): "
        ),
        OfflineCode::Never => format!(
            "{backup} (directory unreachable, verification codes do not count here meanwhile): "
        ),
    }
}

fn moment(time: Timestamp) -> String {
    time.strftime("%-d %B %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mfa_19_the_prompt_alone_says_what_counts_and_until_when() {
        let end = "2026-11-22T10:41:00Z".parse().unwrap();
        let until = away(OfflineCode::Until(end), true);
        assert!(until.contains("Verification code or backup code"));
        assert!(until.contains("until 22 November 10:41 UTC"), "{until}");
        let over = away(OfflineCode::RanOut(end), true);
        assert!(over.starts_with("Backup code"), "{over}");
        assert!(over.contains("counted until 22 November 10:41 UTC"));
        assert!(!away(OfflineCode::Never, false).contains("Backup"));
        assert!(away(OfflineCode::ClockBehind, true).contains("clock is wrong"));
    }
}
