//! Measures all competitors side by side: for each row, round after round, each has its turn, so
//! that whatever else happens on the machine happens to all of them. Figures are medians.

use std::collections::BTreeMap;
use std::path::Path;

use identity_bench::{Outcome, median};

use crate::competitor::Competitor;
use crate::row::{Effort, Row};
use crate::stage::Stage;
use crate::{Failure, say};

/// Where the cacher puts the map.
pub(crate) const PUBLISHED_MAP: &str = "/run/cloudid/identity.map";

/// What one competitor reached in one row.
#[derive(Debug, Clone, Copy, serde::Serialize)]
pub(crate) struct Figure {
    /// Nanoseconds, or calls in a second.
    pub(crate) value: f64,
    /// Answers that were not the expected ones.
    pub(crate) wrong: u32,
}

/// The figures of one number of users.
pub(crate) type Figures = BTreeMap<(Row, Competitor), Figure>;

/// Everybody, answering.
pub(crate) struct Contest {
    users: usize,
    stages: Vec<(Competitor, Stage)>,
}

impl Contest {
    /// Starts the competitors. Our own is first: it writes the map that others read.
    pub(crate) fn start(
        root: &Path,
        work: &Path,
        competitors: &[Competitor],
        users: usize,
    ) -> Result<Self, Failure> {
        let ours = Stage::start(root, work, Competitor::Cloudid, users)?;
        let map = ours.path(PUBLISHED_MAP);
        std::fs::copy(map, work.join(users.to_string()).join("identity.map"))?;
        let mut stages = vec![(Competitor::Cloudid, ours)];
        let others = competitors
            .iter()
            .filter(|competitor| **competitor != Competitor::Cloudid);
        for competitor in others.chain([&Competitor::TwoUsers]) {
            let stage = Stage::start(root, work, *competitor, users)?;
            stages.push((*competitor, stage));
        }
        stages.sort_by_key(|(competitor, _)| *competitor);
        Ok(Self { users, stages })
    }

    /// The stage of our own module beside a cacher.
    pub(crate) fn ours(&self) -> Result<&Stage, Failure> {
        let mut stages = self.stages.iter();
        let found = stages.find(|(competitor, _)| *competitor == Competitor::Cloudid);
        Ok(&found.ok_or("our own stage is missing")?.1)
    }

    /// Asks those who remember for everything once.
    pub(crate) fn warm_up(&self, effort: Effort) -> Result<(), Failure> {
        let remembering = self
            .stages
            .iter()
            .filter(|(competitor, _)| competitor.remembers());
        for (competitor, stage) in remembering {
            say(&format!("{}: {competitor} learns the people", self.users));
            for row in Row::ALL.into_iter().filter(|row| row.is_remembered()) {
                let words = row.words_to_remember(*competitor, self.users, effort);
                stage.measure(*competitor, &words)?;
            }
        }
        Ok(())
    }

    /// Measures every row.
    pub(crate) fn measure(&self, effort: Effort) -> Result<Figures, Failure> {
        let mut figures = Figures::new();
        for row in Row::ALL {
            say(&format!("{}: {}", self.users, row.title()));
            let mut samples: BTreeMap<Competitor, Vec<Outcome>> = BTreeMap::new();
            for _ in 0..effort.rounds {
                let stages = self.stages.iter();
                for (competitor, stage) in stages.filter(|(who, _)| row.concerns(*who)) {
                    let words = row.words(*competitor, self.users, effort);
                    let outcome = stage.measure(*competitor, &words)?;
                    samples.entry(*competitor).or_default().push(outcome);
                }
            }
            for (competitor, outcomes) in samples {
                figures.insert((row, competitor), middle(row, &outcomes));
            }
        }
        Ok(figures)
    }
}

fn middle(row: Row, outcomes: &[Outcome]) -> Figure {
    let value = |outcome: &Outcome| {
        if row.is_counted() {
            outcome.per_second
        } else {
            outcome.nanoseconds
        }
    };
    let mut values: Vec<f64> = outcomes.iter().map(value).collect();
    Figure {
        value: median(&mut values),
        wrong: outcomes.iter().map(|outcome| outcome.wrong).sum(),
    }
}
