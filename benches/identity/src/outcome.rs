//! What a measurement amounts to.

use serde::{Deserialize, Serialize};

/// Told to whoever started the measurement, as one line of JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Median time of one call; 0 where calls were counted instead.
    pub nanoseconds: f64,
    /// Calls of all threads or processes in a second; 0 where each was timed.
    pub per_second: f64,
    /// How many calls there were.
    pub calls: u32,
    /// How many had another answer than the expected one.
    pub wrong: u32,
}

impl Outcome {
    /// Counts one call.
    pub fn count(&mut self, right: bool) {
        self.calls += 1;
        self.wrong += u32::from(!right);
    }

    /// Both together, at the same time.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            nanoseconds: self.nanoseconds.max(other.nanoseconds),
            per_second: self.per_second + other.per_second,
            calls: self.calls + other.calls,
            wrong: self.wrong + other.wrong,
        }
    }
}

/// The middle one.
#[must_use]
pub fn median(samples: &mut [f64]) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or_default()
}
