//! Small random worlds: a person in nested groups, a host with tags, rules of every shape. Kept in
//! plain data for the oracle, and turned into the engine's types through its text forms.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use jiff::{SignedDuration, Timestamp};
use policy::{
    AccessRule, Effect, Host, HostState, Person, Schedule, ScheduleText, Subject, UnreadableRule,
    UserState,
};

pub(crate) const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const ZONES: [&str; 7] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "Africa/Casablanca",
    "America/St_Johns",
];
const KEYS: [&str; 3] = ["env", "role", "project"];
const VALUES: [&str; 4] = ["prod", "dev", "web", "pay"];
const WORDS: [&str; 4] = ["legacy", "host:legacy", "pci", "auto:vm"];
const NAMES: [&str; 4] = ["web-1", "web-22", "db-1", "WEB-x"];
const PATTERNS: [&str; 7] = ["*", "web-*", "*-1", "w*b-*", "*b-*2", "db*", "*-*-*"];
/// Moments at which clocks in these zones change, in seconds.
const CLOCK_CHANGES: [i64; 6] = [
    1_711_846_800,
    1_729_990_800,
    1_710_054_000,
    1_730_613_600,
    1_728_142_200,
    1_712_415_600,
];

/// SplitMix64: the same seed gives the same world everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    pub(crate) fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }

    pub(crate) fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below(high.abs_diff(low)).cast_signed()
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        let place = self.below(from.len() as u64);
        from[usize::try_from(place).unwrap()]
    }

    fn some_of<T: Copy>(&mut self, from: &[T], one_in: u64) -> Vec<T> {
        from.iter()
            .copied()
            .filter(|_| self.one_in(one_in))
            .collect()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) user: usize,
    pub(crate) user_state: UserState,
    pub(crate) expires_at: Option<i64>,
    /// Group n holds these users and these groups of a higher number.
    pub(crate) groups: Vec<(Vec<usize>, Vec<usize>)>,
    pub(crate) host_name: &'static str,
    pub(crate) host_state: HostState,
    pub(crate) project: &'static str,
    pub(crate) tags: BTreeSet<String>,
    pub(crate) mirror_age: Option<i64>,
    pub(crate) mirror_age_max: i64,
    pub(crate) now: i64,
    pub(crate) source: Option<IpAddr>,
    pub(crate) rules: Vec<PlainRule>,
}

#[derive(Debug, Clone)]
pub(crate) struct PlainRule {
    pub(crate) id: String,
    pub(crate) deny: bool,
    pub(crate) users: Vec<usize>,
    pub(crate) groups: Vec<usize>,
    pub(crate) terms: Vec<PlainTerm>,
    pub(crate) valid_from: Option<i64>,
    pub(crate) valid_until: Option<i64>,
    pub(crate) hours: Option<PlainHours>,
    /// Address as a number of 32 bits, and length of the prefix.
    pub(crate) networks: Vec<(u32, u32)>,
    pub(crate) damage: Option<Damage>,
}

/// What of a rule cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Damage {
    Effect,
    Subjects,
    Hosts,
    UnknownField,
}

#[derive(Debug, Clone)]
pub(crate) struct PlainTerm {
    pub(crate) negated: bool,
    /// The key, `tag` for bare words, `name` for patterns.
    pub(crate) key: &'static str,
    pub(crate) values: Vec<&'static str>,
}

#[derive(Debug, Clone)]
pub(crate) struct PlainHours {
    pub(crate) days: Vec<usize>,
    /// Minutes of the day; `until` may be 1440, and smaller than `from`.
    pub(crate) from: i64,
    pub(crate) until: i64,
    pub(crate) zone: &'static str,
}

impl World {
    pub(crate) fn random(seed: u64) -> Self {
        let dice = &mut Dice(seed.wrapping_mul(0x5851_f42d_4c95_7f2d));
        let now = if dice.one_in(3) {
            dice.pick(&CLOCK_CHANGES) + dice.between(-90_000, 90_000)
        } else {
            dice.between(1_704_067_200, 1_798_761_600)
        };
        let rules = dice.below(7);
        Self {
            user: 0,
            user_state: match dice.below(40) {
                0 => UserState::Staged,
                1 => UserState::Suspended,
                2 => UserState::Deleted,
                _ => UserState::Active,
            },
            expires_at: dice.one_in(4).then(|| now + around(dice)),
            groups: (0..4).map(|group| random_group(dice, group)).collect(),
            host_name: dice.pick(&NAMES),
            host_state: match dice.below(40) {
                0 => HostState::Pending,
                1 => HostState::Quarantined,
                2 => HostState::Retired,
                _ => HostState::Active,
            },
            project: dice.pick(&VALUES),
            tags: random_tags(dice),
            mirror_age: dice.one_in(2).then(|| dice.between(-10, 600)),
            mirror_age_max: dice.pick(&[0, 500, 500, 500]) + dice.between(0, 100),
            now,
            source: (!dice.one_in(4)).then(|| random_address(dice)),
            rules: (0..rules)
                .map(|number| PlainRule::random(dice, number, now))
                .collect(),
        }
    }

    pub(crate) fn person(&self) -> Person {
        let mut groups = BTreeSet::new();
        for (number, (users, inner)) in self.groups.iter().enumerate().rev() {
            let inside = inner.iter().any(|inner| groups.contains(&group_id(*inner)));
            if inside || users.contains(&self.user) {
                groups.insert(group_id(number));
            }
        }
        Person {
            id: user_id(self.user),
            username: String::from("alice"),
            state: self.user_state,
            expires_at: self.expires_at.map(moment),
            locked_until: None,
            groups,
        }
    }

    pub(crate) fn host(&self) -> Host {
        Host {
            id: String::from("hst_1"),
            name: self.host_name.to_owned(),
            state: self.host_state,
            project: self.project.to_owned(),
            tags: self.tags.clone(),
            mirror_age: self.mirror_age.map(SignedDuration::from_secs),
            mirror_age_max: SignedDuration::from_secs(self.mirror_age_max),
        }
    }

    /// The same world so many seconds later.
    pub(crate) fn later(&self, seconds: i64) -> Self {
        Self {
            now: self.now + seconds,
            mirror_age: self.mirror_age.map(|age| age + seconds),
            ..self.clone()
        }
    }
}

impl PlainRule {
    pub(crate) fn random(dice: &mut Dice, number: u64, now: i64) -> Self {
        let with_hours = dice.one_in(2);
        let with_networks = dice.one_in(3);
        Self {
            id: format!("acc_{number}"),
            deny: dice.one_in(5),
            users: dice.some_of(&[0, 1, 2], 3),
            groups: dice.some_of(&[0, 1, 2, 3], 3),
            terms: (0..=dice.below(2))
                .map(|_| PlainTerm::random(dice))
                .collect(),
            valid_from: dice.one_in(5).then(|| now + around(dice)),
            valid_until: dice.one_in(4).then(|| now + around(dice)),
            hours: with_hours.then(|| PlainHours::random(dice)),
            networks: (0..if with_networks { 2 } else { 0 })
                .map(|_| (random_number(dice), dice.pick(&[0, 8, 16, 31, 32])))
                .collect(),
            damage: dice.one_in(25).then(|| {
                dice.pick(&[
                    Damage::Effect,
                    Damage::Subjects,
                    Damage::Hosts,
                    Damage::UnknownField,
                ])
            }),
        }
    }

    pub(crate) fn subjects(&self) -> BTreeSet<Subject> {
        let users = self.users.iter().map(|user| Subject::User(user_id(*user)));
        let groups = self
            .groups
            .iter()
            .map(|group| Subject::Group(group_id(*group)));
        users.chain(groups).collect()
    }

    pub(crate) fn readable(&self) -> AccessRule {
        AccessRule {
            id: self.id.clone(),
            effect: if self.deny {
                Effect::Deny
            } else {
                Effect::Allow
            },
            subjects: self.subjects(),
            hosts: selector_text(&self.terms).parse().unwrap(),
            valid_from: self.valid_from.map(moment),
            valid_until: self.valid_until.map(moment),
            schedule: self.hours.as_ref().map(PlainHours::schedule),
            sources: self
                .networks
                .iter()
                .map(|(number, length)| network(*number, *length))
                .collect(),
        }
    }

    /// The rule's text with one field spoilt, read as what is left of it.
    fn unreadable(&self, damage: Damage) -> UnreadableRule {
        let mut text = serde_json::to_value(self.readable()).unwrap();
        match damage {
            Damage::Effect => text["effect"] = "perhaps".into(),
            Damage::Subjects => {
                let subjects = text["subjects"].as_array_mut().unwrap();
                subjects.push(serde_json::json!({"machine": "x"}));
            }
            Damage::Hosts => text["hosts"] = "".into(),
            Damage::UnknownField => text["accounts"] = serde_json::json!(["deploy"]),
        }
        assert!(
            serde_json::from_value::<AccessRule>(text.clone()).is_err(),
            "{text}"
        );
        serde_json::from_value(text).unwrap()
    }
}

/// The rules as the engine takes them.
pub(crate) fn split(rules: &[PlainRule]) -> (Vec<AccessRule>, Vec<UnreadableRule>) {
    let whole = rules.iter().filter(|rule| rule.damage.is_none());
    let broken = rules
        .iter()
        .filter_map(|rule| Some(rule.unreadable(rule.damage?)));
    (whole.map(PlainRule::readable).collect(), broken.collect())
}

impl PlainTerm {
    fn random(dice: &mut Dice) -> Self {
        let negated = dice.one_in(4);
        let (key, values) = match dice.below(5) {
            0 | 1 => ("name", vec![dice.pick(&PATTERNS)]),
            2 => ("tag", vec![dice.pick(&WORDS)]),
            3 => (dice.pick(&KEYS), vec![dice.pick(&VALUES)]),
            _ => (
                dice.pick(&KEYS),
                vec![dice.pick(&VALUES), dice.pick(&VALUES), "other"],
            ),
        };
        Self {
            negated,
            key,
            values,
        }
    }
}

pub(crate) fn selector_text(terms: &[PlainTerm]) -> String {
    let written = terms.iter().map(|term| {
        let bare = term.key == "name" || term.key == "tag";
        let test = match (bare, term.values.as_slice()) {
            (true, [value]) => (*value).to_owned(),
            (false, [value]) => format!("{}={value}", term.key),
            (_, values) => format!("{} in ({})", term.key, values.join(", ")),
        };
        if term.negated {
            format!("!{test}")
        } else {
            test
        }
    });
    written.collect::<Vec<_>>().join(",")
}

impl PlainHours {
    fn random(dice: &mut Dice) -> Self {
        let from = dice.pick(&[0, 90, 120, 150, 480, 540, 1320, 1439]);
        let until = dice.pick(&[0, 60, 130, 150, 1080, 1439, 1440]);
        let first = usize::try_from(dice.below(7)).unwrap();
        let mut days = dice.some_of(&[0, 1, 2, 3, 4, 5, 6], 2);
        if !days.contains(&first) {
            days.push(first);
        }
        let until = if from == until { until + 1 } else { until };
        Self {
            days,
            from,
            until,
            zone: dice.pick(&ZONES),
        }
    }

    pub(crate) fn schedule(&self) -> Schedule {
        let clock = |minutes: i64| format!("{:02}:{:02}", minutes / 60, minutes % 60);
        let text = ScheduleText {
            days: self.days.iter().map(|day| DAYS[*day].to_owned()).collect(),
            from: clock(self.from),
            until: clock(self.until),
            time_zone: self.zone.to_owned(),
        };
        text.try_into().unwrap()
    }
}

pub(crate) fn moment(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

fn around(dice: &mut Dice) -> i64 {
    let far = dice.pick(&[1, 60, 86_400, 864_000]);
    dice.between(-far, far + 1)
}

fn random_group(dice: &mut Dice, number: usize) -> (Vec<usize>, Vec<usize>) {
    let inner: Vec<usize> = (number + 1..4).collect();
    (dice.some_of(&[0, 1, 2], 3), dice.some_of(&inner, 3))
}

fn random_tags(dice: &mut Dice) -> BTreeSet<String> {
    let mut tags: BTreeSet<String> = dice
        .some_of(&WORDS, 2)
        .into_iter()
        .map(str::to_owned)
        .collect();
    for key in ["env", "role"] {
        tags.insert(format!("{key}={}", dice.pick(&VALUES)));
    }
    tags
}

fn random_number(dice: &mut Dice) -> u32 {
    dice.pick(&[
        0x0a00_0001,
        0x0a00_0002,
        0x0a01_0000,
        0xc0a8_0101,
        0x0000_0000,
    ])
}

fn random_address(dice: &mut Dice) -> IpAddr {
    let v4 = Ipv4Addr::from(random_number(dice));
    if dice.one_in(3) {
        v4.to_ipv6_mapped().into()
    } else {
        v4.into()
    }
}

fn network(number: u32, length: u32) -> ipnet::IpNet {
    format!("{}/{length}", Ipv4Addr::from(number))
        .parse()
        .unwrap()
}

fn user_id(number: usize) -> String {
    format!("usr_{number}")
}

fn group_id(number: usize) -> String {
    format!("grp_{number}")
}
