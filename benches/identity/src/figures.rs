//! What was measured with one number of users, round by round. Two figures are compared within each
//! round, where the machine was the same for both, and the middle one of these ratios is told.

use std::collections::BTreeMap;

use identity_bench::{Outcome, median};

use crate::competitor::Competitor;
use crate::row::Row;

/// A row of the table and who is measured.
pub(crate) type Who = (Row, Competitor);

/// The figures of one number of users: nanoseconds, or calls in a second.
#[derive(Debug, Default)]
pub(crate) struct Figures(BTreeMap<Who, Series>);

/// What one competitor reached in one row.
#[derive(Debug, Default)]
struct Series {
    /// Of each round, in which it had its turn.
    rounds: BTreeMap<usize, f64>,
    /// Answers that were not the expected ones.
    wrong: u32,
}

impl Series {
    fn middle(&self) -> f64 {
        median(&mut self.rounds.values().copied().collect::<Vec<_>>())
    }
}

impl Figures {
    pub(crate) fn add(&mut self, who: Who, round: usize, outcome: Outcome) {
        let (row, _) = who;
        let value = if row.is_counted() {
            outcome.per_second
        } else {
            outcome.nanoseconds
        };
        let series = self.0.entry(who).or_default();
        series.rounds.insert(round, value);
        series.wrong += outcome.wrong;
    }

    /// The middle of all rounds, and whether all answers were right.
    pub(crate) fn told(&self, who: Who) -> Option<(f64, bool)> {
        let series = self.0.get(&who)?;
        Some((series.middle(), series.wrong == 0))
    }

    /// The same where all answers were right.
    pub(crate) fn value(&self, who: Who) -> Option<f64> {
        self.told(who).filter(|told| told.1).map(|told| told.0)
    }

    /// The middle of what one took of the other in each round that both were in.
    pub(crate) fn ratio(&self, one: Who, other: Who) -> Option<f64> {
        let (one, other) = (self.0.get(&one)?, self.0.get(&other)?);
        let both = one.rounds.iter().filter_map(|(round, value)| {
            let other = other.rounds.get(round)?;
            Some(value / other)
        });
        let mut ratios: Vec<f64> = both.collect();
        let told = one.wrong == 0 && other.wrong == 0 && !ratios.is_empty();
        told.then(|| median(&mut ratios))
    }

    pub(crate) fn has(&self, competitor: Competitor) -> bool {
        self.0.keys().any(|(_, other)| *other == competitor)
    }

    /// For programs.
    pub(crate) fn json(&self) -> Vec<serde_json::Value> {
        let all = self.0.iter().map(|((row, who), series)| {
            let (value, rounds) = (series.middle(), series.rounds.len());
            serde_json::json!({"row": row, "who": who, "value": value, "rounds": rounds,
                "wrong": series.wrong})
        });
        all.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_the_middle_of_those_of_each_round_and_drift_cancels() {
        let (ours, floor) = (
            (Row::UserById, Competitor::Cloudid),
            (Row::UserById, Competitor::Floor),
        );
        let mut figures = Figures::default();
        for (round, slowness) in [1.0, 3.0, 2.0, 1.0].into_iter().enumerate() {
            let took = |nanoseconds| Outcome {
                nanoseconds,
                calls: 1,
                ..Outcome::default()
            };
            figures.add(floor, round, took(100.0 * slowness));
            if round != 3 {
                figures.add(ours, round, took(110.0 * slowness));
            }
        }
        assert_eq!(figures.value(floor), Some(200.0));
        let ratio = figures.ratio(ours, floor).unwrap();
        assert!((ratio - 1.1).abs() < 1e-9, "{ratio}");
        let wrong = Outcome {
            wrong: 1,
            ..Outcome::default()
        };
        figures.add(floor, 4, wrong);
        assert_eq!(figures.ratio(ours, floor), None);
    }
}
