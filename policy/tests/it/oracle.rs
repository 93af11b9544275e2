//! The same questions answered a second time, as plainly as possible and by other means: numbers,
//! masks, enumerated days, a table of objections. Nothing here calls the engine.

use jiff::ToSpan;
use jiff::tz::TimeZoneDatabase;
use policy::{HostState, ReasonCode, UserState};

use crate::worlds::{Damage, PlainHours, PlainRule, PlainTerm, World};

/// The first objection that holds, or none.
pub(crate) fn answer(world: &World) -> ReasonCode {
    let objections: [(ReasonCode, &dyn Fn() -> bool); 6] = [
        (ReasonCode::HostQuarantined, &|| {
            world.host_state != HostState::Active
        }),
        (ReasonCode::MirrorTooOld, &|| {
            world
                .mirror_age
                .is_some_and(|age| age > world.mirror_age_max)
        }),
        (ReasonCode::UserSuspended, &|| {
            world.user_state != UserState::Active
        }),
        (ReasonCode::UserExpired, &|| {
            world.expires_at.is_some_and(|end| world.now >= end)
        }),
        (ReasonCode::DeniedByRule, &|| {
            world
                .rules
                .iter()
                .any(|rule| rule.deny && full(world, rule))
        }),
        (ReasonCode::RuleUnreadable, &|| {
            world.rules.iter().any(|rule| suspicious(world, rule))
        }),
    ];
    for (reason, holds) in objections {
        if holds() {
            return reason;
        }
    }
    what_allow_rules_say(world)
}

fn what_allow_rules_say(world: &World) -> ReasonCode {
    let mut best = ReasonCode::NoAccessRule;
    for rule in &world.rules {
        if rule.deny || rule.damage.is_some() || !names(world, rule, true) {
            continue;
        }
        match (
            valid(world, rule),
            in_hours(world, rule),
            from_there(world, rule),
        ) {
            (true, true, true) => return ReasonCode::Allowed,
            (true, false, true) => best = ReasonCode::OutsideSchedule,
            (true, true, false) if best == ReasonCode::NoAccessRule => {
                best = ReasonCode::SourceNotAllowed;
            }
            _ => {}
        }
    }
    best
}

/// A rule that can be read and applies in every respect.
fn full(world: &World, rule: &PlainRule) -> bool {
    rule.damage.is_none()
        && names(world, rule, !rule.deny)
        && valid(world, rule)
        && in_hours(world, rule)
        && from_there(world, rule)
}

/// A rule that cannot be read and might have been a deny.
fn suspicious(world: &World, rule: &PlainRule) -> bool {
    let Some(damage) = rule.damage else {
        return false;
    };
    (rule.deny || damage == Damage::Effect)
        && (damage == Damage::Subjects || names_person(world, rule))
        && (damage == Damage::Hosts || names_host(world, rule, false))
}

fn names(world: &World, rule: &PlainRule, gives: bool) -> bool {
    names_person(world, rule) && names_host(world, rule, gives)
}

fn names_person(world: &World, rule: &PlainRule) -> bool {
    let member_of = |group: &usize| is_member(world, *group);
    rule.users.contains(&world.user) || rule.groups.iter().any(member_of)
}

fn is_member(world: &World, group: usize) -> bool {
    let (users, inner) = &world.groups[group];
    users.contains(&world.user) || inner.iter().any(|inner| is_member(world, *inner))
}

fn names_host(world: &World, rule: &PlainRule, gives: bool) -> bool {
    let mut all = true;
    for term in &rule.terms {
        all &= term_holds(world, term, gives) ^ term.negated;
    }
    all
}

fn term_holds(world: &World, term: &PlainTerm, gives: bool) -> bool {
    let mut any = false;
    for value in &term.values {
        any |= match term.key {
            "name" => glob(value.as_bytes(), world.host_name.to_lowercase().as_bytes()),
            "tag" => {
                !(gives && value.starts_with("host:")) && world.tags.iter().any(|tag| tag == value)
            }
            "project" => world.project == *value,
            key => world
                .tags
                .iter()
                .any(|tag| tag.split_once('=') == Some((key, *value))),
        };
    }
    any
}

/// By trying everything.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match pattern.split_first() {
        None => name.is_empty(),
        Some((b'*', rest)) => (0..=name.len()).any(|skip| glob(rest, &name[skip..])),
        Some((letter, rest)) => name.first() == Some(letter) && glob(rest, &name[1..]),
    }
}

fn valid(world: &World, rule: &PlainRule) -> bool {
    let first = rule.valid_from.unwrap_or(i64::MIN);
    let end = rule.valid_until.unwrap_or(i64::MAX);
    (first..end).contains(&world.now)
}

fn in_hours(world: &World, rule: &PlainRule) -> bool {
    rule.hours
        .as_ref()
        .is_none_or(|hours| wall_clock_inside(hours, world.now))
}

/// Lays out the windows that began yesterday and today and looks whether the wall clock is in one.
pub(crate) fn wall_clock_inside(hours: &PlainHours, now: i64) -> bool {
    let zone = TimeZoneDatabase::bundled().get(hours.zone).unwrap();
    let wall = crate::worlds::moment(now).to_zoned(zone).datetime();
    let length = (hours.until - hours.from).rem_euclid(1440);
    let length = if length == 0 { 1440 } else { length };
    [wall.date().yesterday().unwrap(), wall.date()]
        .into_iter()
        .any(|day| {
            let number = usize::try_from(day.weekday().to_monday_zero_offset()).unwrap();
            let begin = day.at(0, 0, 0, 0) + hours.from.minutes();
            hours.days.contains(&number) && begin <= wall && wall < begin + length.minutes()
        })
}

fn from_there(world: &World, rule: &PlainRule) -> bool {
    if rule.networks.is_empty() {
        return true;
    }
    let address = match world.source {
        Some(std::net::IpAddr::V4(v4)) => v4,
        Some(std::net::IpAddr::V6(v6)) => v6.to_ipv4_mapped().unwrap(),
        None => return false,
    };
    rule.networks.iter().any(|(network, length)| {
        let mask = u32::MAX.checked_shl(32 - length).unwrap_or(0);
        u32::from(address) & mask == network & mask
    })
}
