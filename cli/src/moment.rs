//! Moments as people write them: absolute, `+2h`, `tomorrow 09:00`, `18:00`.

use directory_api::rest::{Lifetime, Time};
use jiff::civil::{Date, DateTime, Time as ClockTime};
use jiff::{Timestamp, Zoned};

use crate::context::Context;
use crate::error::Failure;

/// Reads a moment and tells the person what was understood.
pub(crate) fn read(context: &Context, option: &str, text: &str) -> Result<Time, Failure> {
    let moment = parse(&context.now, text).ok_or_else(|| {
        Failure::usage(format!("{option} \"{text}\" is no moment")).next(
            "write 2026-12-24T18:00:00Z, \"2026-12-24 18:00\", 2026-12-24, +2h, 18:00, \
             or \"tomorrow 09:00\"",
        )
    })?;
    let shown = moment.strftime("%Y-%m-%d %H:%M:%S %Z (%:z)");
    context.output.say(&format!("{option} {shown}"));
    Ok(Time(moment.timestamp()))
}

fn parse(now: &Zoned, text: &str) -> Option<Zoned> {
    let text = text.trim();
    let zone = now.time_zone().clone();
    if let Some(later) = text.strip_prefix('+') {
        return now
            .checked_add(Lifetime::parse(later).ok()?.duration())
            .ok();
    }
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment.to_zoned(zone));
    }
    let (day, clock) = match text.split_once(' ') {
        Some((day, clock)) => (day, clock.trim()),
        None if text.contains(':') && !text.contains('T') => ("today", text),
        None => (text, "00:00"),
    };
    let date = match day {
        "today" => now.date(),
        "tomorrow" => now.date().tomorrow().ok()?,
        other if other.contains('T') => return other.parse::<DateTime>().ok()?.to_zoned(zone).ok(),
        other => other.parse::<Date>().ok()?,
    };
    let clock = ClockTime::strptime("%H:%M:%S", clock)
        .or_else(|_| ClockTime::strptime("%H:%M", clock))
        .ok()?;
    date.to_datetime(clock).to_zoned(zone).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn understood(text: &str) -> Option<String> {
        let now: Zoned = "2026-03-02T15:00:00+01:00[Europe/Berlin]".parse().unwrap();
        parse(&now, text).map(|moment| moment.timestamp().to_string())
    }

    #[test]
    fn moments_of_every_form_are_understood_in_the_persons_zone() {
        let forms = [
            ("+2h", "2026-03-02T16:00:00Z"),
            ("tomorrow 09:00", "2026-03-03T08:00:00Z"),
            ("today 18:30", "2026-03-02T17:30:00Z"),
            ("18:30:05", "2026-03-02T17:30:05Z"),
            ("2026-07-01", "2026-06-30T22:00:00Z"),
            ("2026-07-01 08:00", "2026-07-01T06:00:00Z"),
            ("2026-07-01T08:00:00", "2026-07-01T06:00:00Z"),
            ("2026-07-01T08:00:00Z", "2026-07-01T08:00:00Z"),
            ("2026-07-01T08:00:00+09:00", "2026-06-30T23:00:00Z"),
        ];
        for (text, meant) in forms {
            assert_eq!(understood(text).as_deref(), Some(meant), "{text}");
        }
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "",
            "+",
            "+2",
            "-2h",
            "soon",
            "25:00",
            "2026-13-01",
            "tomorrow 9",
            "+9999999d",
        ] {
            assert_eq!(understood(text), None, "{text}");
        }
    }
}
