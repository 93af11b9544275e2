//! What many measurements amount to.

use std::time::Duration;

use serde_json::json;

/// Measurements of one thing.
#[derive(Default)]
pub(crate) struct Figures(Vec<Duration>);

impl Figures {
    /// Adds a measurement.
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time within which the given share of measurements lies (nearest rank).
    pub(crate) fn within(&self, of_a_hundred: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * of_a_hundred).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }

    /// The figures for programs.
    pub(crate) fn json(&self, what: &str) -> serde_json::Value {
        json!({
            "what": what,
            "count": self.count(),
            "p50_ms": milliseconds(self.within(50)),
            "p99_ms": milliseconds(self.within(99)),
            "max_ms": milliseconds(self.within(100)),
        })
    }
}

/// Milliseconds with a fraction.
pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut figures = Figures::default();
        for ms in (1..=100).rev() {
            figures.add(Duration::from_millis(ms));
        }
        assert_eq!(figures.within(50), Duration::from_millis(50));
        assert_eq!(figures.within(99), Duration::from_millis(99));
        assert_eq!(figures.within(100), Duration::from_millis(100));
    }
}
