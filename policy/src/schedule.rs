//! Times of the week at which a rule applies, in a named time zone, as a clock on a wall there
//! shows them: an hour that is skipped in spring does not occur, one repeated in autumn counts twice.

use jiff::civil::{DateTime, Time, Weekday};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

const DAY_MINUTES: u16 = 24 * 60;
const DAY_NAMES: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// After so many changes of the zone's offset without a change of ours there will be none.
const OFFSET_CHANGES_MAX: usize = 4;

/// Hours on days of the week; cannot be made wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ScheduleText", into = "ScheduleText")]
pub struct Schedule {
    days: [bool; 7],
    from_minute: u16,
    until_minute: u16,
    zone: TimeZone,
}

/// A schedule as it is written:
/// `{"days":["mon","tue"],"from":"08:00","until":"18:00","time_zone":"Europe/Berlin"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleText {
    /// `mon` to `sun`.
    pub days: Vec<String>,
    /// Local time `HH:MM` at which it begins.
    pub from: String,
    /// Local time `HH:MM` at which it ends, `24:00` for the end of the day; earlier than `from`
    /// means past midnight, into the day after one of `days`.
    pub until: String,
    /// Name in the IANA time zone database.
    pub time_zone: String,
}

/// Why a schedule was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadSchedule {
    /// No day at all.
    #[error("schedule: days is empty; name at least one of mon, tue, wed, thu, fri, sat, sun")]
    NoDays,
    /// A day that is none, or is named twice.
    #[error(
        "schedule: \"{0}\" in days is none of mon, tue, wed, thu, fri, sat, sun, or is there twice"
    )]
    Day(String),
    /// Not `HH:MM`.
    #[error(
        "schedule: \"{0}\" is not a time; write HH:MM from 00:00 to 23:59 (until may be 24:00)"
    )]
    Time(String),
    /// Begins when it ends.
    #[error("schedule: from and until are both {0}; for whole days write 00:00 and 24:00")]
    Empty(String),
    /// No such zone.
    #[error("schedule: no time zone is called \"{0}\"; write a name such as Europe/Berlin or UTC")]
    Zone(String),
}

impl Schedule {
    /// Whether it is such a time now.
    #[must_use]
    pub fn contains(&self, moment: Timestamp) -> bool {
        self.open_at(self.zone.to_datetime(moment))
    }

    /// The first moment after this one at which [`contains`](Self::contains) answers otherwise;
    /// `None` when that never happens.
    #[must_use]
    pub fn next_change(&self, moment: Timestamp) -> Option<Timestamp> {
        let open = self.contains(moment);
        let mut cursor = moment;
        for _ in 0..OFFSET_CHANGES_MAX {
            let offset = self.zone.to_offset(cursor);
            let change = self
                .next_wall_change(offset.to_datetime(cursor), open)
                .and_then(|wall| offset.to_timestamp(wall).ok());
            let offset_change = self
                .zone
                .following(cursor)
                .next()
                .map(|next| next.timestamp());
            match (change, offset_change) {
                (Some(change), Some(jump)) if change < jump => return Some(change),
                (_, Some(jump)) if self.contains(jump) != open => return Some(jump),
                (_, Some(jump)) => cursor = jump,
                (change, None) => return change,
            }
        }
        None
    }

    /// The same on a clock that is never put forward or back.
    fn next_wall_change(&self, now: DateTime, open: bool) -> Option<DateTime> {
        let today = now.date();
        (0_i64..=8)
            .filter_map(|days| today.checked_add(days.days()).ok())
            .flat_map(|date| self.edges().map(move |edge| date.to_datetime(edge)))
            .find(|edge| *edge > now && self.open_at(*edge) != open)
    }

    /// Times of day, ascending, at which something may change: the day's own beginning too.
    fn edges(&self) -> impl Iterator<Item = Time> + use<> {
        let mut minutes = [0, self.from_minute, self.until_minute % DAY_MINUTES];
        minutes.sort_unstable();
        minutes.into_iter().filter_map(time_of_day)
    }

    fn open_at(&self, wall: DateTime) -> bool {
        let minute =
            u16::from(wall.hour().unsigned_abs()) * 60 + u16::from(wall.minute().unsigned_abs());
        let today = self.has_day(wall.weekday());
        if self.from_minute < self.until_minute {
            return today && (self.from_minute..self.until_minute).contains(&minute);
        }
        let since_yesterday = self.has_day(wall.weekday().previous());
        (today && minute >= self.from_minute) || (since_yesterday && minute < self.until_minute)
    }

    fn has_day(&self, day: Weekday) -> bool {
        let place = usize::from(day.to_monday_zero_offset().unsigned_abs());
        self.days.get(place).copied().unwrap_or(false)
    }
}

impl TryFrom<ScheduleText> for Schedule {
    type Error = BadSchedule;
    fn try_from(text: ScheduleText) -> Result<Self, BadSchedule> {
        let from_minute = minute_of(&text.from).filter(|minute| *minute < DAY_MINUTES);
        let from_minute = from_minute.ok_or_else(|| BadSchedule::Time(text.from.clone()))?;
        let until_minute = minute_of(&text.until).ok_or(BadSchedule::Time(text.until))?;
        if from_minute == until_minute {
            return Err(BadSchedule::Empty(text.from));
        }
        let zone = TimeZoneDatabase::bundled()
            .get(&text.time_zone)
            .ok()
            .filter(|zone| zone.iana_name().is_some())
            .ok_or(BadSchedule::Zone(text.time_zone))?;
        Ok(Self {
            days: parse_days(&text.days)?,
            from_minute,
            until_minute,
            zone,
        })
    }
}

impl From<Schedule> for ScheduleText {
    fn from(schedule: Schedule) -> Self {
        let named = DAY_NAMES.iter().zip(schedule.days);
        Self {
            days: named
                .filter(|(_, on)| *on)
                .map(|(name, _)| (*name).to_owned())
                .collect(),
            from: clock_text(schedule.from_minute),
            until: clock_text(schedule.until_minute),
            time_zone: schedule.zone.iana_name().unwrap_or("UTC").to_owned(),
        }
    }
}

/// `mon, tue 08:00-18:00 (Europe/Berlin)`
impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = ScheduleText::from(self.clone());
        let days = text.days.join(", ");
        write!(
            f,
            "{days} {}-{} ({})",
            text.from, text.until, text.time_zone
        )
    }
}

fn parse_days(names: &[String]) -> Result<[bool; 7], BadSchedule> {
    let mut days = [false; 7];
    for name in names {
        let place = DAY_NAMES.iter().position(|known| known == name);
        let day = place
            .and_then(|place| days.get_mut(place))
            .filter(|day| !**day);
        *day.ok_or_else(|| BadSchedule::Day(name.clone()))? = true;
    }
    if names.is_empty() {
        Err(BadSchedule::NoDays)
    } else {
        Ok(days)
    }
}

/// Exactly `HH:MM`, up to and with `24:00`.
fn minute_of(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let two_digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !two_digits(hours) || !two_digits(minutes) {
        return None;
    }
    let (hour, minute): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    let of_day = hour * 60 + minute;
    (minute < 60 && of_day <= DAY_MINUTES).then_some(of_day)
}

fn clock_text(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

fn time_of_day(minute: u16) -> Option<Time> {
    let hour = i8::try_from(minute / 60).ok()?;
    let minute = i8::try_from(minute % 60).ok()?;
    Time::new(hour, minute, 0, 0).ok()
}
