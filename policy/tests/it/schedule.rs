//! Hours of the week, through the year.

use jiff::Timestamp;
use policy::Schedule;

use crate::oracle::wall_clock_inside;
use crate::worlds::{Dice, PlainRule, moment};

fn schedule(text: &str) -> Schedule {
    serde_json::from_str(text).unwrap()
}

fn berlin(days: &str, from: &str, until: &str) -> Schedule {
    schedule(&format!(
        r#"{{"days":[{days}],"from":"{from}","until":"{until}","time_zone":"Europe/Berlin"}}"#
    ))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn office_hours_begin_and_end_to_the_second() {
    let office = berlin(r#""mon","fri""#, "08:00", "18:00");
    assert!(!office.contains(at("2026-01-05T06:59:59Z")));
    assert!(office.contains(at("2026-01-05T07:00:00Z")));
    assert!(office.contains(at("2026-01-05T16:59:59Z")));
    assert!(!office.contains(at("2026-01-05T17:00:00Z")));
    assert!(!office.contains(at("2026-01-06T09:00:00Z")), "a Tuesday");
    assert_eq!(
        office.next_change(at("2026-01-05T09:00:00Z")),
        Some(at("2026-01-05T17:00:00Z"))
    );
    assert_eq!(
        office.next_change(at("2026-01-05T17:00:00Z")),
        Some(at("2026-01-09T07:00:00Z"))
    );
}

#[test]
fn a_night_shift_belongs_to_the_day_it_begins_on() {
    let night = berlin(r#""fri""#, "22:00", "02:00");
    assert!(night.contains(at("2026-01-09T21:00:00Z")), "Friday 22:00");
    assert!(
        night.contains(at("2026-01-10T00:59:59Z")),
        "Saturday 01:59:59"
    );
    assert!(
        !night.contains(at("2026-01-10T01:00:00Z")),
        "Saturday 02:00"
    );
    assert!(!night.contains(at("2026-01-09T00:30:00Z")), "Friday 01:30");
    assert!(
        !night.contains(at("2026-01-10T22:00:00Z")),
        "Saturday 23:00"
    );
    assert_eq!(
        night.next_change(at("2026-01-09T22:30:00Z")),
        Some(at("2026-01-10T01:00:00Z"))
    );
}

#[test]
fn hours_follow_the_clock_on_the_wall_when_it_is_put_forward_and_back() {
    let night = berlin(r#""sun""#, "02:30", "03:15");
    // 2026-03-29: 02:00 becomes 03:00. The half hour before 03:00 does not occur.
    assert!(!night.contains(at("2026-03-29T00:59:59Z")));
    assert!(
        night.contains(at("2026-03-29T01:00:00Z")),
        "03:00 summer time"
    );
    assert_eq!(
        night.next_change(at("2026-03-29T00:00:00Z")),
        Some(at("2026-03-29T01:00:00Z"))
    );
    // 2026-10-25: 03:00 becomes 02:00. The half hour before 03:00 occurs twice.
    assert!(
        night.contains(at("2026-10-25T00:45:00Z")),
        "02:45 summer time"
    );
    assert!(
        !night.contains(at("2026-10-25T01:15:00Z")),
        "02:15 winter time"
    );
    assert!(
        night.contains(at("2026-10-25T01:45:00Z")),
        "02:45 winter time"
    );
    assert_eq!(
        night.next_change(at("2026-10-25T00:45:00Z")),
        Some(at("2026-10-25T01:00:00Z"))
    );
}

#[test]
fn a_window_that_falls_into_the_skipped_hour_comes_back_a_week_later() {
    let gone = berlin(r#""sun""#, "02:10", "02:50");
    assert_eq!(
        gone.next_change(at("2026-03-28T12:00:00Z")),
        Some(at("2026-04-05T00:10:00Z"))
    );
}

#[test]
fn whole_weeks_never_end() {
    let all = r#""mon","tue","wed","thu","fri","sat","sun""#;
    let always = berlin(all, "00:00", "24:00");
    assert!(always.contains(at("2026-03-29T01:00:00Z")));
    assert_eq!(always.next_change(at("2026-03-29T01:00:00Z")), None);
    let weekend = berlin(r#""sat","sun""#, "00:00", "24:00");
    assert_eq!(
        weekend.next_change(at("2026-01-10T12:00:00Z")),
        Some(at("2026-01-11T23:00:00Z"))
    );
}

#[test]
fn a_schedule_that_is_wrong_is_refused_and_the_error_says_what_to_write() {
    let refused = |days: &str, from: &str, until: &str, zone: &str| {
        let text = format!(
            r#"{{"days":[{days}],"from":"{from}","until":"{until}","time_zone":"{zone}"}}"#
        );
        serde_json::from_str::<Schedule>(&text)
            .expect_err(&text)
            .to_string()
    };
    let mon = r#""mon""#;
    assert!(refused("", "08:00", "18:00", "UTC").contains("days is empty"));
    assert!(refused(r#""Mon""#, "08:00", "18:00", "UTC").contains("\"Mon\""));
    assert!(refused(r#""mon","mon""#, "08:00", "18:00", "UTC").contains("twice"));
    for time in [
        "8:00",
        "08:60",
        "24:00",
        "25:00",
        "08-00",
        "",
        "08:00:00",
        "+8:00",
        "٠٨:٠٠",
    ] {
        assert!(
            refused(mon, time, "18:00", "UTC").contains("is not a time"),
            "{time}"
        );
    }
    assert!(refused(mon, "08:00", "24:01", "UTC").contains("is not a time"));
    assert!(refused(mon, "08:00", "08:00", "UTC").contains("both 08:00"));
    for zone in [
        "Mars/Olympus",
        "",
        "../../etc/passwd",
        "Etc/Unknown",
        "CET+1",
    ] {
        assert!(
            refused(mon, "08:00", "18:00", zone).contains("no time zone"),
            "{zone}"
        );
    }
    let extra = r#"{"days":["mon"],"from":"08:00","until":"18:00","time_zone":"UTC","x":1}"#;
    assert!(serde_json::from_str::<Schedule>(extra).is_err());
}

#[test]
fn a_schedule_is_stored_as_it_was_written() {
    let text =
        r#"{"days":["mon","fri"],"from":"22:00","until":"24:00","time_zone":"Europe/Berlin"}"#;
    assert_eq!(serde_json::to_string(&schedule(text)).unwrap(), text);
    assert_eq!(
        schedule(text).to_string(),
        "mon, fri 22:00-24:00 (Europe/Berlin)"
    );
}

#[test]
fn the_next_change_is_the_first_change() {
    let mut looked_at = 0;
    for seed in 0..3000 {
        let mut dice = Dice(seed);
        let now = dice.pick(&[1_711_846_800, 1_729_990_800, 1_728_142_200, 1_750_000_000])
            + dice.between(-90_000, 90_000);
        let Some(hours) = PlainRule::random(&mut dice, 0, now).hours else {
            continue;
        };
        let schedule = hours.schedule();
        let open = wall_clock_inside(&hours, now);
        assert_eq!(schedule.contains(moment(now)), open, "{hours:?} at {now}");
        let Some(change) = schedule.next_change(moment(now)) else {
            continue;
        };
        let change = change.as_second();
        assert!(change > now);
        assert_ne!(
            wall_clock_inside(&hours, change),
            open,
            "{hours:?} at {now}: no change {change}"
        );
        assert_eq!(
            wall_clock_inside(&hours, change - 1),
            open,
            "{hours:?} at {now}: late {change}"
        );
        for _ in 0..20 {
            let between = dice.between(now, change);
            assert_eq!(
                wall_clock_inside(&hours, between),
                open,
                "{hours:?}: missed {between}"
            );
        }
        looked_at += 1;
    }
    assert!(looked_at > 1000, "{looked_at}");
}
