//! Measures all competitors side by side: for each row, round after round, each has its turn, so
//! that whatever else happens on the machine happens to all of them. Figures are medians.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
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
    competitors: Vec<Competitor>,
    stages: BTreeMap<Competitor, Stage>,
}

impl Contest {
    /// Starts the competitors. Our own is first: it writes the map that others read.
    pub(crate) fn start(
        root: &Path,
        work: &Path,
        competitors: &[Competitor],
        users: usize,
    ) -> Result<Self, Failure> {
        let mut contest = Self {
            users,
            competitors: competitors.to_vec(),
            stages: BTreeMap::new(),
        };
        contest.competitors.push(Competitor::TwoUsers);
        let ours = Stage::start(root, work, Competitor::Cloudid, users)?;
        let map = work.join(users.to_string()).join("identity.map");
        std::fs::copy(ours.path(PUBLISHED_MAP), map)?;
        contest.stages.insert(Competitor::Cloudid, ours);
        for competitor in contest.competitors.iter().map(|one| one.stage()) {
            if let Entry::Vacant(place) = contest.stages.entry(competitor) {
                say(&format!("{users}: starting {competitor}"));
                place.insert(Stage::start(root, work, competitor, users)?);
            }
        }
        Ok(contest)
    }

    /// The stage of our own module beside a cacher.
    pub(crate) fn ours(&self) -> Result<&Stage, Failure> {
        self.stage_of(Competitor::Cloudid)
    }

    fn stage_of(&self, competitor: Competitor) -> Result<&Stage, Failure> {
        let stage = self.stages.get(&competitor.stage());
        stage.ok_or_else(|| format!("{competitor} was not started").into())
    }

    /// Asks those who remember for everything once.
    pub(crate) fn warm_up(&self, effort: Effort) -> Result<(), Failure> {
        for (competitor, stage) in self.stages.iter().filter(|(who, _)| who.remembers()) {
            for row in Row::ALL.into_iter().filter(|row| row.is_remembered()) {
                let words = row.words_to_remember(*competitor, self.users, effort);
                let asked = stage.measure(*competitor, &words)?.calls;
                let (users, what) = (self.users, row.title());
                say(&format!(
                    "{users}: {competitor} was asked {asked} times: {what}"
                ));
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
                let concerned = self.competitors.iter().filter(|who| row.concerns(**who));
                for competitor in concerned {
                    let words = row.words(*competitor, self.users, effort);
                    let outcome = self.stage_of(*competitor)?.measure(*competitor, &words)?;
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
