//! What is measured: the rows of the table, and the words the load generator needs for each.

use std::time::Duration;

use serde::Serialize;

use crate::competitor::Competitor;

/// A row. Figures are nanoseconds, or calls in a second where they are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Row {
    UserByName,
    UserById,
    NoSuchName,
    NoSuchId,
    SmallGroupByName,
    SmallGroupById,
    LargeGroup,
    FiveGroups,
    FiftyGroups,
    AllUsers,
    OwnCost,
    SecondLookup,
    OneThread,
    TwoThreads,
    TwoProcesses,
    Getent,
    Id,
}

/// How much is measured at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Effort {
    /// Times each competitor has its turn.
    pub(crate) rounds: usize,
    /// How long a turn takes.
    pub(crate) milliseconds: u64,
    /// Whoever has measured for so long in a row has no more turns in it.
    pub(crate) time_for_a_row: Duration,
    /// Users that SSSD is to remember.
    pub(crate) users_remembered: usize,
    /// Groups, and users with their groups; each costs it many milliseconds.
    pub(crate) groups_remembered: usize,
    /// Longest time of one lesson.
    pub(crate) lesson_seconds: u64,
}

/// All rows; those that are compared with each other are measured in the same rounds.
pub(crate) const HEATS: [&[Row]; 15] = [
    &[Row::UserByName],
    &[Row::UserById],
    &[Row::NoSuchName],
    &[Row::NoSuchId],
    &[Row::SmallGroupByName],
    &[Row::SmallGroupById],
    &[Row::LargeGroup],
    &[Row::FiveGroups],
    &[Row::FiftyGroups],
    &[Row::AllUsers],
    &[Row::OwnCost],
    &[Row::SecondLookup],
    &[Row::OneThread, Row::TwoThreads, Row::TwoProcesses],
    &[Row::Getent],
    &[Row::Id],
];

/// Each is answered from what it remembers of the one before.
const NAMES_OF_NOBODY: usize = 64;

impl Row {
    pub(crate) const ALL: [Self; 17] = [
        Self::UserByName,
        Self::UserById,
        Self::NoSuchName,
        Self::NoSuchId,
        Self::SmallGroupByName,
        Self::SmallGroupById,
        Self::LargeGroup,
        Self::FiveGroups,
        Self::FiftyGroups,
        Self::AllUsers,
        Self::OwnCost,
        Self::SecondLookup,
        Self::OneThread,
        Self::TwoThreads,
        Self::TwoProcesses,
        Self::Getent,
        Self::Id,
    ];

    /// How the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::UserByName => "user by name",
            Self::UserById => "user by id",
            Self::NoSuchName => "no such name",
            Self::NoSuchId => "no such id",
            Self::SmallGroupByName => "small group by name",
            Self::SmallGroupById => "small group by id",
            Self::LargeGroup => "group of 5,000",
            Self::FiveGroups => "initgroups, 5 groups",
            Self::FiftyGroups => "initgroups, 50 groups",
            Self::AllUsers => "enumeration, all users",
            Self::OwnCost => "user by name, glibc's stat off",
            Self::SecondLookup => "second lookup of a process",
            Self::OneThread => "1 thread, calls per s",
            Self::TwoThreads => "2 threads, calls per s",
            Self::TwoProcesses => "2 processes, calls per s",
            Self::Getent => "process: getent passwd NAME",
            Self::Id => "process: id NAME (50 groups)",
        }
    }

    /// Whether calls are counted instead of timed.
    pub(crate) fn is_counted(self) -> bool {
        matches!(
            self,
            Self::OneThread | Self::TwoThreads | Self::TwoProcesses
        )
    }

    /// Whether it asks for something that others do not, of those who remember answers.
    pub(crate) fn is_remembered(self) -> bool {
        matches!(
            self,
            Self::UserByName
                | Self::UserById
                | Self::NoSuchName
                | Self::NoSuchId
                | Self::SmallGroupByName
                | Self::SmallGroupById
                | Self::LargeGroup
                | Self::FiveGroups
                | Self::FiftyGroups
        )
    }

    /// Whether it makes sense for this competitor.
    pub(crate) fn concerns(self, competitor: Competitor) -> bool {
        use Competitor::{Cloudid, Copier, Floor, Stateless, TwoUsers};
        if competitor == Copier {
            return matches!(self, Self::UserByName | Self::OwnCost);
        }
        if matches!(self, Self::Getent | Self::Id) {
            return true;
        }
        let cannot = (self == Self::AllUsers && !competitor.enumerates())
            || (self == Self::LargeGroup && competitor == Floor)
            || (self == Self::OwnCost && !matches!(competitor, Floor | Cloudid | Stateless));
        competitor != TwoUsers && !cannot
    }

    /// The words for the load generator.
    pub(crate) fn words(self, competitor: Competitor, users: usize, effort: Effort) -> Vec<String> {
        let time = format!("--milliseconds={}", effort.milliseconds);
        let longer = format!("--milliseconds={}", effort.milliseconds * 2);
        let asked = self.asked(competitor, users, effort);
        let joined = |words: &[&str], more: &[String]| {
            let words = words.iter().map(|word| (*word).to_owned());
            words.chain(more.iter().cloned()).collect()
        };
        match self {
            Self::Getent => programs("names", "getent passwd @", competitor, users),
            Self::Id => programs("in-50-groups", "id @", competitor, users),
            Self::OneThread => joined(&["throughput", "--threads=1", &longer], &asked),
            Self::TwoThreads => joined(&["throughput", "--threads=2", &longer], &asked),
            Self::TwoProcesses => {
                let each = Self::OneThread.words(competitor, users, effort);
                joined(&["at-once", "--processes=2", "--"], &each)
            }
            Self::SecondLookup => {
                let young = [
                    "one-by-one",
                    &longer,
                    "--processor=1",
                    "--",
                    "second-lookup",
                ];
                joined(&young, &asked)
            }
            Self::UserByName
            | Self::UserById
            | Self::NoSuchName
            | Self::NoSuchId
            | Self::SmallGroupByName
            | Self::SmallGroupById
            | Self::LargeGroup
            | Self::FiveGroups
            | Self::FiftyGroups
            | Self::AllUsers
            | Self::OwnCost => joined(&["latency", "--processor=1", &time], &asked),
        }
    }

    /// The words that have a competitor asked all that this row asks once.
    pub(crate) fn words_to_remember(
        self,
        competitor: Competitor,
        users: usize,
        effort: Effort,
    ) -> Vec<String> {
        let mut words = vec!["each-once".to_owned()];
        words.extend(self.asked(competitor, users, effort));
        words.push(format!("--milliseconds={}", effort.lesson_seconds * 1000));
        words
    }

    fn asked(self, competitor: Competitor, users: usize, effort: Effort) -> Vec<String> {
        let (operation, keys) = match self {
            Self::UserById => ("user-by-id", "ids"),
            Self::NoSuchName => ("user-by-name", "no-names"),
            Self::NoSuchId => ("user-by-id", "no-ids"),
            Self::SmallGroupByName => ("group-by-name", "group-names"),
            Self::SmallGroupById => ("group-by-id", "group-ids"),
            Self::LargeGroup => ("group-by-name", "large-group"),
            Self::FiveGroups => ("groups-of-user", "in-5-groups"),
            Self::FiftyGroups => ("groups-of-user", "in-50-groups"),
            Self::AllUsers => ("all-users", "names"),
            Self::UserByName
            | Self::OwnCost
            | Self::SecondLookup
            | Self::OneThread
            | Self::TwoThreads
            | Self::TwoProcesses
            | Self::Getent
            | Self::Id => ("user-by-name", "names"),
        };
        let mut words = vec![
            format!("--operation={operation}"),
            format!("--keys=/bench/{users}/{keys}"),
            format!("--limit={}", self.limit(competitor, effort)),
        ];
        if matches!(self, Self::NoSuchName | Self::NoSuchId) {
            words.push("--nobody".to_owned());
        }
        if self == Self::AllUsers {
            words.push(format!("--users={users}"));
        }
        if self == Self::OwnCost {
            words.push(format!("--service={}", competitor.service()));
        }
        words
    }

    /// How many names are asked for in turn.
    fn limit(self, competitor: Competitor, effort: Effort) -> usize {
        if matches!(self, Self::NoSuchName | Self::NoSuchId) {
            return NAMES_OF_NOBODY;
        }
        if !matches!(competitor, Competitor::Sssd | Competitor::SssdUncached) {
            return usize::MAX;
        }
        let of_groups = matches!(
            self,
            Self::SmallGroupByName | Self::SmallGroupById | Self::FiveGroups | Self::FiftyGroups
        );
        if of_groups {
            effort.groups_remembered
        } else {
            effort.users_remembered
        }
    }
}

/// One program a turn.
fn programs(keys: &str, command: &str, competitor: Competitor, users: usize) -> Vec<String> {
    let keys = if competitor == Competitor::TwoUsers {
        "/bench/two-users".to_owned()
    } else {
        format!("/bench/{users}/{keys}")
    };
    let mut words = vec![
        "programs".to_owned(),
        "--processor=1".to_owned(),
        format!("--keys={keys}"),
        "--milliseconds=0".to_owned(),
        "--".to_owned(),
    ];
    words.extend(command.split(' ').map(str::to_owned));
    words
}
