//! Measures all competitors side by side: for each row, round after round, each has a turn of a few
//! milliseconds, so that whatever else happens on the machine happens to all of them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::path::Path;

use crate::competitor::Competitor;
use crate::figures::{Figures, Who};
use crate::row::{Effort, HEATS, Row};
use crate::stage::{Player, Stage};
use crate::{Failure, say};

/// Where the cacher puts the map.
pub(crate) const PUBLISHED_MAP: &str = "/run/cloudid/identity.map";

/// Whoever takes so many times as long as the quickest is slow: what it reads would be all that the
/// processor's caches hold when it is the turn of others.
const SLOW: f64 = 100.0;
/// The slow ones have a turn in one of so many rounds.
const ROUNDS_OF_THE_SLOW: usize = 8;

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
        let mut figures = Figures::default();
        for rows in HEATS {
            self.heat(rows, effort, &mut figures)?;
        }
        Ok(figures)
    }

    /// Rows whose figures are compared with each other: everybody in turn, again and again.
    fn heat(&self, rows: &[Row], effort: Effort, figures: &mut Figures) -> Result<(), Failure> {
        let mut players: Vec<(Who, Player)> = Vec::new();
        for row in rows {
            say(&format!("{}: {}", self.users, row.title()));
            for competitor in &self.competitors {
                if row.concerns(*competitor) {
                    let words = row.words(*competitor, self.users, effort);
                    let player = self.stage_of(*competitor)?.player(*competitor, &words)?;
                    players.push(((*row, *competitor), player));
                }
            }
        }
        for (_, player) in &mut players {
            player.warm_up(effort.time_for_a_row)?;
        }
        let quickest = players.iter().map(|(_, player)| player.usual_call());
        let slow = quickest.fold(f64::MAX, f64::min) * SLOW;
        for round in 0..effort.rounds {
            for (who, player) in &mut players {
                let is_slow = player.usual_call() > slow;
                let has_turn = !is_slow || round % ROUNDS_OF_THE_SLOW == 0;
                if has_turn && player.has_time(effort.time_for_a_row) {
                    figures.add(*who, round, player.turn()?);
                }
            }
        }
        Ok(())
    }
}
