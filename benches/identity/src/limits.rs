//! What cloudid has to reach: the *must*, without which the run fails, and the *aim*. Most are ratios
//! within one run. A few were promised as times, measured on one machine; those are judged twice, as
//! the time they are and as the ratio that the same measurement gave there (`AS_MEASURED`): a
//! machine that is three times as slow, or busy, cannot reach the one and has to reach the other.
//! docs/decisions/0004 says more.

use serde::Serialize;

use crate::competitor::Competitor;
use crate::report::Measured;
use crate::row::Row;

/// Hits on which a process spends most of its lookups.
const HITS: [Row; 4] = [
    Row::UserByName,
    Row::UserById,
    Row::SmallGroupByName,
    Row::SmallGroupById,
];
const MISSES: [Row; 2] = [Row::NoSuchName, Row::NoSuchId];
const INITGROUPS: [Row; 2] = [Row::FiveGroups, Row::FiftyGroups];
const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// What those with whom we compare took on the machine on which the times were promised.
struct AsMeasured {
    /// A lookup through the floor, without glibc's stat and with it, in nanoseconds.
    floor_without_stat: f64,
    floor: f64,
    /// nscd and a group of 5,000, microseconds.
    large_group_of_nscd: f64,
    /// extrausers and each user of a listing, nanoseconds.
    listed_by_extrausers: f64,
    /// The floor with two threads against one.
    threads_of_floor: f64,
}

const AS_MEASURED: AsMeasured = AsMeasured {
    floor_without_stat: 30.0,
    floor: 800.0,
    large_group_of_nscd: 3.25,
    listed_by_extrausers: 92.0,
    threads_of_floor: 1.79,
};

/// How a promise was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Basis {
    /// As it stands.
    Given,
    /// As it stands, but of the machine it was given on: told, and the next one counts.
    OfOneMachine,
    /// The ratio behind the one before.
    BehindIt,
}

/// One promise, and what came of it.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Verdict {
    pub(crate) what: String,
    pub(crate) unit: &'static str,
    pub(crate) must: f64,
    pub(crate) aim: f64,
    /// Nothing where it was not measured in this run.
    pub(crate) measured: Option<f64>,
    /// The figure is at least the limit, not at most.
    pub(crate) more_is_better: bool,
    pub(crate) basis: Basis,
}

impl Verdict {
    fn reaches(&self, limit: f64) -> bool {
        self.measured.is_some_and(|measured| {
            if self.more_is_better {
                measured >= limit
            } else {
                measured <= limit
            }
        })
    }

    pub(crate) fn is_missed(&self) -> bool {
        self.measured.is_some() && !self.reaches(self.must)
    }

    /// Whether the run fails for it.
    pub(crate) fn fails(&self) -> bool {
        self.is_missed() && self.basis != Basis::OfOneMachine
    }

    /// For the table.
    pub(crate) fn words(&self) -> &'static str {
        match self.measured {
            None => "not measured",
            Some(_) if self.reaches(self.aim) => "aim reached",
            Some(_) if self.reaches(self.must) => "must reached",
            Some(_) => "MUST MISSED",
        }
    }
}

/// Everything promised of lookups.
pub(crate) fn verdicts(all: &[Measured]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for measured in all {
        let mut of_size = of_hits(measured);
        of_size.extend(of_single_lookups(measured));
        of_size.extend(of_lists(measured));
        of_size.extend(of_threads(measured));
        of_size.extend(of_processes(measured));
        of_size.extend(of_the_host(measured));
        for verdict in &mut of_size {
            verdict.what = format!("{}, {} users", verdict.what, measured.users);
        }
        verdicts.extend(of_size);
    }
    verdicts
}

/// A must and an aim, at most.
fn at_most(
    what: &str,
    unit: &'static str,
    (must, aim): (f64, f64),
    measured: Option<f64>,
) -> Verdict {
    Verdict {
        what: what.to_owned(),
        unit,
        must,
        aim,
        measured,
        more_is_better: false,
        basis: Basis::Given,
    }
}

/// A promise of one machine, and the ratio to something else of which it had so much there.
fn twice(
    of_one_machine: Verdict,
    than: &str,
    as_measured: f64,
    ratio: Option<f64>,
) -> [Verdict; 2] {
    let behind = Verdict {
        what: format!("  as a ratio to {than}"),
        unit: "x",
        must: of_one_machine.must / as_measured,
        aim: of_one_machine.aim / as_measured,
        measured: ratio,
        basis: Basis::BehindIt,
        more_is_better: of_one_machine.more_is_better,
    };
    let of_one_machine = Verdict {
        basis: Basis::OfOneMachine,
        ..of_one_machine
    };
    [of_one_machine, behind]
}

fn of_hits(measured: &Measured) -> Vec<Verdict> {
    let hits = |than| worst(measured, &HITS, than);
    let (floor, sssd) = if measured.users > 10_000 {
        ((1.6, 1.4), (0.9, 0.9))
    } else {
        ((1.15, 1.10), (0.7, 0.7))
    };
    let misses = worst(measured, &MISSES, Competitor::Floor);
    vec![
        at_most(
            "hits against the floor",
            "x",
            floor,
            hits(Competitor::Floor),
        ),
        at_most("hits against SSSD, warm", "x", sssd, hits(Competitor::Sssd)),
        at_most("misses against the floor", "x", (1.15, 1.05), misses),
    ]
}

fn of_single_lookups(measured: &Measured) -> Vec<Verdict> {
    let value = |row, who| measured.value(row, who);
    let own = value(Row::OwnCost, Competitor::Cloudid);
    let own = at_most("own cost, glibc's stat off", "ns", (80.0, 45.0), own);
    let than_floor = measured.ratio(Row::OwnCost, Competitor::Floor);
    let beyond = value(Row::SecondLookup, Competitor::Cloudid)
        .zip(value(Row::SecondLookup, Competitor::Floor))
        .map(|(ours, floor)| ours - floor);
    let usual = value(Row::UserByName, Competitor::Floor);
    let of_usual = beyond.zip(usual).map(|(beyond, usual)| beyond / usual);
    let early = at_most(
        "early lookup beyond the floor",
        "ns",
        (5_000.0, 3_500.0),
        beyond,
    );
    let own = twice(
        own,
        "the floor's",
        AS_MEASURED.floor_without_stat,
        than_floor,
    );
    let early = twice(early, "the floor's usual call", AS_MEASURED.floor, of_usual);
    own.into_iter().chain(early).collect()
}

fn of_lists(measured: &Measured) -> Vec<Verdict> {
    let lists = worst(measured, &INITGROUPS, Competitor::Floor);
    let lists = at_most("initgroups against the floor", "x", (1.2, 1.1), lists);
    let is_large = measured.users >= 5_000;
    let large = measured.value(Row::LargeGroup, Competitor::Cloudid);
    let large = large.filter(|_| is_large).map(|figure| figure / 1e3);
    let large = at_most("group of 5,000", "us", (4.0, 3.0), large);
    let than_nscd = measured.ratio(Row::LargeGroup, Competitor::Nscd);
    let each = measured.value(Row::AllUsers, Competitor::Cloudid);
    let each = each.map(|all| all / count(measured.users));
    let each = at_most("enumeration, each user", "ns", (50.0, 25.0), each);
    let than_extrausers = measured.ratio(Row::AllUsers, Competitor::Extrausers);
    let large = twice(
        large,
        "nscd",
        AS_MEASURED.large_group_of_nscd,
        than_nscd.filter(|_| is_large),
    );
    let each = twice(
        each,
        "extrausers",
        AS_MEASURED.listed_by_extrausers,
        than_extrausers,
    );
    [lists].into_iter().chain(large).chain(each).collect()
}

/// On a machine whose two processors share something, nobody reaches twice as much.
fn of_threads(measured: &Measured) -> [Verdict; 2] {
    let scaling = |who| {
        let (two, one) = ((Row::TwoThreads, who), (Row::OneThread, who));
        measured.figures.ratio(two, one)
    };
    let (ours, floor) = (scaling(Competitor::Cloudid), scaling(Competitor::Floor));
    let told = Verdict {
        more_is_better: true,
        ..at_most("two threads against one", "x", (1.7, 1.95), ours)
    };
    let than = floor.map_or_else(
        || "the floor".to_owned(),
        |floor| format!("the floor's ({floor:.2})"),
    );
    let ratio = ours.zip(floor).map(|(ours, floor)| ours / floor);
    twice(told, &than, AS_MEASURED.threads_of_floor, ratio)
}

fn of_processes(measured: &Measured) -> [Verdict; 2] {
    let ratio = |row| measured.ratio(row, Competitor::TwoUsers);
    [
        at_most(
            "getent against two users in files",
            "x",
            (1.15, 1.10),
            ratio(Row::Getent),
        ),
        at_most(
            "id against two users in files",
            "x",
            (1.25, 1.15),
            ratio(Row::Id),
        ),
    ]
}

fn of_the_host(measured: &Measured) -> [Verdict; 5] {
    let host = &measured.host;
    let bytes = |bytes: u64| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
    let each = bytes(host.map_bytes) / count(measured.users);
    let memory = if measured.users > 10_000 {
        (100.0, 40.0)
    } else {
        (30.0, 15.0)
    };
    let cacher = bytes(host.cacher_bytes) / MEBIBYTE;
    [
        at_most("map, each user", "bytes", (300.0, 240.0), Some(each)),
        at_most("cacher's memory", "MiB", memory, Some(cacher)),
        at_most(
            "question to the cacher against an echo",
            "x",
            (1.5, 1.2),
            Some(host.owner.ratio),
        ),
        at_most(
            "  from another processor",
            "x",
            (1.5, 1.2),
            Some(host.owner_across.ratio),
        ),
        at_most(
            "key command against an empty program",
            "x",
            (1.5, 1.2),
            Some(host.key_command.ratio),
        ),
    ]
}

/// The worst ratio of our module to another, or nothing where one of the rows is missing.
fn worst(measured: &Measured, rows: &[Row], than: Competitor) -> Option<f64> {
    let ratios = rows.iter().map(|row| measured.ratio(*row, than));
    ratios
        .collect::<Option<Vec<f64>>>()
        .map(|ratios| ratios.into_iter().fold(0.0, f64::max))
}

fn count(users: usize) -> f64 {
    f64::from(u32::try_from(users).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(measured: Option<f64>) -> Verdict {
        Verdict {
            what: String::new(),
            unit: "x",
            must: 1.5,
            aim: 1.2,
            measured,
            more_is_better: false,
            basis: Basis::Given,
        }
    }

    #[test]
    fn a_figure_above_the_must_misses_it_and_one_not_measured_does_not() {
        assert!(verdict(Some(1.51)).is_missed());
        assert!(!verdict(Some(1.5)).is_missed());
        assert!(!verdict(None).is_missed());
        assert_eq!(verdict(Some(1.2)).words(), "aim reached");
    }

    #[test]
    fn where_more_is_better_less_misses() {
        let verdict = Verdict {
            more_is_better: true,
            ..verdict(Some(1.3))
        };
        assert!(verdict.is_missed());
    }

    #[test]
    fn a_time_of_another_machine_is_told_and_the_ratio_behind_it_decides() {
        let of_basis = |basis| Verdict {
            basis,
            ..verdict(Some(9.9))
        };
        assert!(of_basis(Basis::OfOneMachine).is_missed());
        assert!(!of_basis(Basis::OfOneMachine).fails());
        assert!(of_basis(Basis::BehindIt).fails() && of_basis(Basis::Given).fails());
    }
}
