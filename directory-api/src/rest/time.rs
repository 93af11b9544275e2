//! Moments and lengths of time as the API writes them: `2026-03-02T14:01:07.412Z` and `10m`.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
const LIFETIME_DAYS_MAX: i64 = 3650;

/// RFC 3339 in UTC, always with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, ToSchema)]
#[schema(value_type = String, format = DateTime, examples("2026-03-02T14:01:07.412Z"))]
pub struct Time(pub Timestamp);

impl Time {
    /// Milliseconds since 1970.
    #[must_use]
    pub fn as_millisecond(self) -> i64 {
        self.0.as_millisecond()
    }
}

impl From<Timestamp> for Time {
    fn from(moment: Timestamp) -> Self {
        Self(moment)
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A length of time with one unit: `90s`, `10m`, `8h`, `90d`. Never zero, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, pattern = "^[1-9][0-9]{0,8}[smhd]$", examples("10m"))]
pub struct Lifetime(i64);

/// Why a length of time was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{shown}\" is not a length of time: write a number and one of s, m, h, d, such as 10m; \
     at most {LIFETIME_DAYS_MAX}d",
    shown = .0.escape_default()
)]
pub struct BadLifetime(pub String);

impl Lifetime {
    /// Reads `90s`, `10m`, `8h` or `90d`.
    ///
    /// # Errors
    /// The text has another form, is zero, or is longer than ten years.
    pub fn parse(text: &str) -> Result<Self, BadLifetime> {
        let seconds = text
            .split_at_checked(text.len().saturating_sub(1))
            .and_then(|(number, unit)| {
                let unit = match unit {
                    "s" => 1,
                    "m" => MINUTE,
                    "h" => HOUR,
                    "d" => DAY,
                    _ => return None,
                };
                let plain = number.bytes().all(|byte| byte.is_ascii_digit());
                let number: i64 = number.parse().ok().filter(|_| plain)?;
                number.checked_mul(unit)
            });
        match seconds {
            Some(seconds) if (1..=LIFETIME_DAYS_MAX * DAY).contains(&seconds) => Ok(Self(seconds)),
            Some(_) | None => Err(BadLifetime(text.to_owned())),
        }
    }

    /// The length in seconds.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0
    }

    /// The length for arithmetic with moments.
    #[must_use]
    pub fn duration(self) -> SignedDuration {
        SignedDuration::from_secs(self.0)
    }
}

impl TryFrom<String> for Lifetime {
    type Error = BadLifetime;
    fn try_from(text: String) -> Result<Self, BadLifetime> {
        Self::parse(&text)
    }
}

impl From<Lifetime> for String {
    fn from(lifetime: Lifetime) -> Self {
        lifetime.to_string()
    }
}

impl std::fmt::Display for Lifetime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let units = [(DAY, 'd'), (HOUR, 'h'), (MINUTE, 'm')];
        match units.into_iter().find(|(unit, _)| self.0 % unit == 0) {
            Some((unit, letter)) => write!(f, "{}{letter}", self.0 / unit),
            None => write!(f, "{}s", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written_back() {
        for text in ["90s", "10m", "8h", "90d"] {
            assert_eq!(Lifetime::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn lengths_that_mean_nothing_or_for_ever_are_refused() {
        for text in [
            "", "0s", "-1m", "+1m", "10", "m", "1w", "9999999d", "1.5h", "1 m", "१d",
        ] {
            assert!(Lifetime::parse(text).is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn moments_always_carry_milliseconds() {
        let whole: Time = serde_json::from_str("\"2026-03-02T14:01:07Z\"").unwrap();
        assert_eq!(
            serde_json::to_string(&whole).unwrap(),
            "\"2026-03-02T14:01:07.000Z\""
        );
    }
}
