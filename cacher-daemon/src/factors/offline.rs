//! A code is checked while the directory is away: by ten bits of each coming code, for the current
//! step and one beside it, later than every step taken before and later than this boot.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use signed_bundle::{CheckBits, STEP_SECONDS};

/// A snapshot put back begins with a boot: what was typed around it is not taken again.
const AFTER_BOOT: SignedDuration = SignedDuration::from_secs(60);

/// The steps that count at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    current: u64,
    /// The last step that is too close to the boot.
    booted: u64,
}

/// One device of a person.
#[derive(Debug, Clone)]
pub struct Device {
    /// `mfa_…`
    pub id: String,
    /// Bits of its coming codes.
    pub bits: CheckBits,
    /// The last step taken, on any host as far as known here.
    pub last_step: Option<u64>,
}

impl Steps {
    /// The steps at a moment of a host that booted so long ago.
    #[must_use]
    pub fn at(now: Timestamp, since_boot: Duration) -> Self {
        let since_boot = SignedDuration::try_from(since_boot).unwrap_or(SignedDuration::MAX);
        let boot = now.checked_sub(since_boot).unwrap_or(Timestamp::MIN);
        Self {
            current: step_of(now),
            booted: boot.checked_add(AFTER_BOOT).map_or(u64::MAX, step_of),
        }
    }

    /// The step of the code and the device that shows it, when the bits fit. Where several steps
    /// fit, the last: it burns most.
    #[must_use]
    pub fn matching<'a>(
        self,
        user: &str,
        code: &str,
        devices: &'a [Device],
    ) -> Option<(&'a Device, u64)> {
        self.fitting(user, code, devices)
            .rfind(|(device, step)| device.last_step.is_none_or(|last| *step > last))
    }

    /// Whether the code would count if it had not been taken before, or a later one.
    #[must_use]
    pub fn were_taken(self, user: &str, code: &str, devices: &[Device]) -> bool {
        let mut fits = self.fitting(user, code, devices);
        fits.any(|(device, step)| device.last_step.is_some_and(|last| step <= last))
    }

    fn fitting<'a>(
        self,
        user: &str,
        code: &str,
        devices: &'a [Device],
    ) -> impl DoubleEndedIterator<Item = (&'a Device, u64)> {
        let tolerated = self.current.saturating_sub(1)..=self.current.saturating_add(1);
        let all = tolerated.flat_map(|step| devices.iter().map(move |device| (device, step)));
        all.filter(move |(device, step)| {
            device.bits.at(*step) == Some(CheckBits::of_code(user, *step, code))
                && *step > self.booted
        })
    }
}

/// The step a moment lies in.
#[must_use]
pub fn step_of(time: Timestamp) -> u64 {
    u64::try_from(time.as_second()).unwrap_or(0) / STEP_SECONDS
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: &str = "usr_1";
    const LONG_UP: Duration = Duration::from_secs(86_400);

    fn noon() -> Timestamp {
        "2026-11-21T12:00:00Z".parse().unwrap()
    }

    fn code_at(step: u64) -> String {
        format!("{:06}", step % 1_000_000)
    }

    fn device(last_step: Option<u64>) -> Device {
        let first = step_of(noon()) - 10;
        let codes: Vec<String> = (first..first + 40).map(code_at).collect();
        Device {
            id: "mfa_1".to_owned(),
            bits: CheckBits::of_codes(USER, first, codes.iter().map(String::as_str)),
            last_step,
        }
    }

    fn found(device: Device, step: u64, since_boot: Duration) -> Option<u64> {
        let devices = [device];
        let steps = Steps::at(noon(), since_boot);
        let found = steps.matching(USER, &code_at(step), &devices);
        found.map(|(_, step)| step)
    }

    #[test]
    fn mfa_02_only_the_current_step_and_one_beside_it_count() {
        let now = step_of(noon());
        for (away, counts) in [(3, false), (2, false), (1, true), (0, true)] {
            for step in [now - away, now + away] {
                let taken = found(device(None), step, LONG_UP);
                assert_eq!(taken, counts.then_some(step), "{away}");
            }
        }
    }

    #[test]
    fn mfa_02_a_step_at_or_before_the_last_one_never_counts() {
        let now = step_of(noon());
        for step in [now - 1, now, now + 1] {
            for last in [now - 1, now, now + 1] {
                let taken = found(device(Some(last)), step, LONG_UP);
                assert_eq!(taken, (step > last).then_some(step), "{step} after {last}");
            }
        }
    }

    #[test]
    fn mfa_20_steps_around_the_boot_never_count() {
        let now = step_of(noon());
        for seconds in [0, 30, 59, 89] {
            let up = Duration::from_secs(seconds);
            assert_eq!(found(device(None), now - 1, up), None, "{seconds}");
            assert_eq!(found(device(None), now, Duration::from_secs(59)), None);
        }
        assert!(found(device(None), now, Duration::from_secs(120)).is_some());
        assert!(found(device(None), now, Duration::MAX).is_some());
    }

    #[test]
    fn mfa_12_the_code_of_somebody_else_does_not_fit() {
        let now = step_of(noon());
        let steps = Steps::at(noon(), LONG_UP);
        let codes: Vec<String> = (now - 1..now + 2).map(code_at).collect();
        let devices: Vec<Device> = (0..64)
            .map(|number| Device {
                id: format!("mfa_{number}"),
                bits: CheckBits::of_codes(
                    &format!("usr_{number}x"),
                    now - 1,
                    codes.iter().map(String::as_str),
                ),
                last_step: None,
            })
            .collect();
        // Each has a chance of 3 in 1,024 to fit by accident.
        let fitting = devices
            .iter()
            .filter(|device| {
                let one = std::slice::from_ref(*device);
                steps.matching(USER, &code_at(now), one).is_some()
            })
            .count();
        assert!(fitting < 4, "{fitting}");
    }

    #[test]
    fn mfa_19_beyond_the_stock_nothing_fits() {
        let first = step_of(noon()) - 10;
        let codes: Vec<String> = (first..first + 5).map(code_at).collect();
        let ended = Device {
            bits: CheckBits::of_codes(USER, first, codes.iter().map(String::as_str)),
            ..device(None)
        };
        assert_eq!(found(ended, step_of(noon()), LONG_UP), None);
    }
}
