//! Time-based one-time codes (RFC 6238): six digits, thirty seconds, HMAC-SHA-1, which is what every
//! authenticator app speaks. A code is good one step early and one step late.

use directory_api::rest::same;
use totp_rs::{Builder, Totp};
use zeroize::Zeroizing;

use crate::clock::Random;
use crate::http::Refused;

/// Length of a seed: 160 bits.
pub(super) const SEED_BYTES: usize = 20;
/// Steps before and after the present one of which codes are good.
const SKEW_STEPS: u64 = 1;
const STEP_SECONDS: u64 = signed_bundle::STEP_SECONDS;

/// One device's codes.
pub(crate) struct Codes(Totp);

impl Codes {
    /// Of a seed. `account` and `issuer` are only for display in an app.
    pub(super) fn of(seed: &[u8], issuer: &str, account: &str) -> Result<Self, Refused> {
        Builder::new()
            .with_secret(seed)
            .with_issuer(Some(shown(issuer)))
            .with_account_name(shown(account))
            .build()
            .map(Self)
            .map_err(|error| {
                tracing::error!(%error, "a seed makes no codes");
                Refused::conflict("The stored seed of this device is unusable; enrol it again.")
            })
    }

    /// What an authenticator app reads from a QR code.
    pub(super) fn url(&self) -> Result<Zeroizing<String>, Refused> {
        self.0.to_url().map(Zeroizing::new).map_err(|error| {
            tracing::error!(%error, "a seed has no address");
            Refused::conflict("The name of this organisation or user fits into no QR code.")
        })
    }

    /// The step at which the device shows this code, if that is now, one before or one after, and
    /// later than `last_step`.
    pub(super) fn step_of(&self, code: &str, now_s: u64, last_step: u64) -> Option<u64> {
        let now = now_s / STEP_SECONDS;
        let window = now.saturating_sub(SKEW_STEPS)..=now.saturating_add(SKEW_STEPS);
        // All three are compared, so that the time does not tell which one it was. The same code may
        // stand at two steps: the later one counts, so that none of them is good afterwards.
        window.fold(None, |found, step| {
            let fits = self.shows(code, step);
            if fits && step > last_step {
                Some(step)
            } else {
                found
            }
        })
    }

    /// Whether the code stands in the window at all, used or not.
    pub(super) fn knows(&self, code: &str, now_s: u64) -> bool {
        let now = now_s / STEP_SECONDS;
        (now.saturating_sub(SKEW_STEPS)..=now.saturating_add(SKEW_STEPS))
            .any(|step| self.shows(code, step))
    }

    /// By how many seconds a clock is off that shows this code, if not by more than `most` steps.
    pub(super) fn seconds_off(&self, code: &str, now_s: u64, most: u64) -> Option<u64> {
        let now = now_s / STEP_SECONDS;
        let near = now.saturating_sub(most)..=now.saturating_add(most);
        let step = near.into_iter().find(|step| self.shows(code, *step))?;
        Some(step.abs_diff(now).saturating_mul(STEP_SECONDS))
    }

    fn shows(&self, code: &str, step: u64) -> bool {
        same(&self.at(step), code)
    }

    /// The code of a step.
    pub(crate) fn at(&self, step: u64) -> Zeroizing<String> {
        let code = self.0.generate(step.saturating_mul(STEP_SECONDS));
        Zeroizing::new(code.to_string())
    }
}

pub(super) fn new_seed(random: &Random) -> Result<Zeroizing<[u8; SEED_BYTES]>, Refused> {
    Ok(Zeroizing::new(random.bytes()?))
}

/// A colon parts issuer and account in an app's address.
fn shown(name: &str) -> String {
    name.replace(':', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const RFC_SEED: &[u8] = b"12345678901234567890";

    fn codes() -> Codes {
        Codes::of(RFC_SEED, "Example: Inc", "ada").unwrap()
    }

    /// RFC 6238, appendix B: the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_standard() {
        for (second, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(*codes().at(second / 30), code);
            assert_eq!(codes().step_of(code, second, 0), Some(second / 30));
        }
    }

    #[test]
    fn mfa_02_only_the_step_before_this_one_and_the_next_count_and_only_after_the_last() {
        let codes = codes();
        let (now_s, now) = (1_800_000_015, 60_000_000);
        for offset in -3_i64..=3 {
            let step = now + offset.unsigned_abs() * u64::from(offset > 0)
                - offset.unsigned_abs() * u64::from(offset < 0);
            let code = codes.at(step);
            let expected = (offset.abs() <= 1).then_some(step);
            assert_eq!(codes.step_of(&code, now_s, 0), expected, "{offset}");
            assert_eq!(codes.step_of(&code, now_s, step), None, "{offset}");
            assert_eq!(codes.step_of(&code, now_s, step + 1), None, "{offset}");
        }
    }

    #[test]
    fn the_address_names_issuer_and_account_and_holds_the_seed() {
        let url = codes().url().unwrap();
        assert!(url.starts_with("otpauth://totp/Example"), "{}", *url);
        assert!(url.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"));
        assert!(url.contains("issuer=Example"));
    }
}
