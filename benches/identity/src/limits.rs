//! What cloudid has to reach, as ratios within one run where another figure is there to compare
//! with: the *must*, without which the run fails, and the *aim*.

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
        let said = |what: &str| format!("{what}, {} users", measured.users);
        let limits = |what: &str, unit, must, aim, figure| Verdict {
            what: said(what),
            unit,
            must,
            aim,
            measured: figure,
            more_is_better: false,
        };
        verdicts.extend(of_lookups(measured, limits));
        verdicts.extend(of_lists(measured, limits));
        verdicts.push(Verdict {
            more_is_better: true,
            ..limits("two threads against one", "x", 1.7, 1.95, threads(measured))
        });
        verdicts.extend(of_processes(measured, limits));
        verdicts.extend(of_the_host(measured, limits));
    }
    verdicts
}

type Limits<'a> = &'a dyn Fn(&str, &'static str, f64, f64, Option<f64>) -> Verdict;

fn of_lookups(
    measured: &Measured,
    limits: impl Fn(&str, &'static str, f64, f64, Option<f64>) -> Verdict,
) -> Vec<Verdict> {
    let limits: Limits<'_> = &limits;
    let hits = |than| worst(measured, &HITS, than);
    let large = measured.users > 10_000;
    let (floor, sssd) = if large {
        ((1.6, 1.4), 0.9)
    } else {
        ((1.15, 1.10), 0.7)
    };
    let own = measured.value(Row::OwnCost, Competitor::Cloudid);
    let mut verdicts = vec![
        limits(
            "hits against the floor",
            "x",
            floor.0,
            floor.1,
            hits(Competitor::Floor),
        ),
        limits(
            "hits against SSSD, warm",
            "x",
            sssd,
            sssd,
            hits(Competitor::Sssd),
        ),
        limits("own cost, glibc's stat off", "ns", 80.0, 45.0, own),
    ];
    let misses = worst(measured, &MISSES, Competitor::Floor);
    verdicts.push(limits("misses against the floor", "x", 1.15, 1.05, misses));
    let beyond = measured
        .value(Row::SecondLookup, Competitor::Cloudid)
        .zip(measured.value(Row::SecondLookup, Competitor::Floor))
        .map(|(ours, floor)| (ours - floor) / 1e3);
    verdicts.push(limits(
        "early lookup beyond the floor",
        "us",
        5.0,
        3.5,
        beyond,
    ));
    verdicts
}

fn of_lists(
    measured: &Measured,
    limits: impl Fn(&str, &'static str, f64, f64, Option<f64>) -> Verdict,
) -> Vec<Verdict> {
    let lists = worst(measured, &INITGROUPS, Competitor::Floor);
    let value = |row| measured.value(row, Competitor::Cloudid);
    let large = value(Row::LargeGroup).filter(|_| measured.users >= 5_000);
    let each = value(Row::AllUsers).map(|all| all / count(measured.users));
    vec![
        limits("initgroups against the floor", "x", 1.2, 1.1, lists),
        limits(
            "group of 5,000",
            "us",
            4.0,
            3.0,
            large.map(|figure| figure / 1e3),
        ),
        limits("enumeration, each user", "ns", 50.0, 25.0, each),
    ]
}

fn of_processes(
    measured: &Measured,
    limits: impl Fn(&str, &'static str, f64, f64, Option<f64>) -> Verdict,
) -> Vec<Verdict> {
    let ratio = |row| {
        let ours = measured.value(row, Competitor::Cloudid)?;
        Some(ours / measured.value(row, Competitor::TwoUsers)?)
    };
    vec![
        limits(
            "getent against two users in files",
            "x",
            1.15,
            1.10,
            ratio(Row::Getent),
        ),
        limits(
            "id against two users in files",
            "x",
            1.25,
            1.15,
            ratio(Row::Id),
        ),
    ]
}

fn of_the_host(
    measured: &Measured,
    limits: impl Fn(&str, &'static str, f64, f64, Option<f64>) -> Verdict,
) -> Vec<Verdict> {
    let host = &measured.host;
    let bytes = |bytes: u64| f64::from(u32::try_from(bytes).unwrap_or(u32::MAX));
    let each = bytes(host.map_bytes) / count(measured.users);
    let memory = if measured.users > 10_000 {
        (100.0, 40.0)
    } else {
        (30.0, 15.0)
    };
    let cacher = bytes(host.cacher_bytes) / MEBIBYTE;
    vec![
        limits("map, each user", "bytes", 300.0, 240.0, Some(each)),
        limits("cacher's memory", "MiB", memory.0, memory.1, Some(cacher)),
        limits(
            "question to the cacher against an echo",
            "x",
            1.5,
            1.2,
            Some(host.owner / host.echo),
        ),
        limits(
            "key command against an empty program",
            "x",
            1.5,
            1.2,
            Some(host.key_command / host.empty_program),
        ),
    ]
}

/// The worst ratio of our module to another, or nothing where one of the rows is missing.
fn worst(measured: &Measured, rows: &[Row], than: Competitor) -> Option<f64> {
    let ratios = rows.iter().map(|row| {
        let ours = measured.value(*row, Competitor::Cloudid)?;
        Some(ours / measured.value(*row, than)?)
    });
    ratios
        .collect::<Option<Vec<f64>>>()
        .map(|ratios| ratios.into_iter().fold(0.0, f64::max))
}

fn threads(measured: &Measured) -> Option<f64> {
    let one = measured.value(Row::OneThread, Competitor::Cloudid)?;
    Some(measured.value(Row::TwoThreads, Competitor::Cloudid)? / one)
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
}
