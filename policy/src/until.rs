//! When an answer may change. Never later than it really does; sooner only where the moments of
//! several rules meet.

use jiff::{SignedDuration, Timestamp};

use crate::fit::Fit;
use crate::{AccessRule, Effect, Question};

/// End of a yes: the account's end, the mirror's limit, the last allow rule's end, or the next deny
/// rule's beginning, whichever comes first.
pub(crate) fn of_a_yes(
    question: &Question<'_>,
    allowing: &[Fit<'_>],
    rules: &[AccessRule],
) -> Option<Timestamp> {
    let denials = Fit::all(question, rules, Effect::Deny);
    let next_denial = next_opening(question, &denials);
    [
        end_of_standing(question),
        last_end(question, allowing),
        next_denial,
    ]
    .into_iter()
    .flatten()
    .min()
}

/// End of a no by deny rules: when the last of them has ended.
pub(crate) fn of_a_denial(question: &Question<'_>, denying: &[Fit<'_>]) -> Option<Timestamp> {
    last_end(question, denying)
}

/// End of a no for want of a rule: when the first allow rule begins, if account and mirror last
/// until then.
pub(crate) fn of_a_lack(question: &Question<'_>, missing: &[Fit<'_>]) -> Option<Timestamp> {
    let opening = next_opening(question, missing)?;
    let in_time = end_of_standing(question).is_none_or(|end| opening < end);
    in_time.then_some(opening)
}

/// When account or mirror end by themselves.
fn end_of_standing(question: &Question<'_>) -> Option<Timestamp> {
    let host = question.host;
    let mirror_end = host.mirror_age.and_then(|age| {
        let left = host
            .mirror_age_max
            .checked_sub(age.max(SignedDuration::ZERO))?;
        question.now.checked_add(left).ok()
    });
    question
        .person
        .expires_at
        .into_iter()
        .chain(mirror_end)
        .min()
}

/// When the last of these rules, all in force now, ends; `None` when one never does.
fn last_end(question: &Question<'_>, fits: &[Fit<'_>]) -> Option<Timestamp> {
    let ends: Option<Vec<Timestamp>> = fits
        .iter()
        .map(|fit| closing(fit.rule, question.now))
        .collect();
    ends?.into_iter().max()
}

/// When the first of these rules, none in force now, begins.
fn next_opening(question: &Question<'_>, fits: &[Fit<'_>]) -> Option<Timestamp> {
    fits.iter()
        .filter(|fit| fit.from_source)
        .filter_map(|fit| opening(fit.rule, question.now))
        .min()
}

fn closing(rule: &AccessRule, now: Timestamp) -> Option<Timestamp> {
    let end_of_hours = rule
        .schedule
        .as_ref()
        .and_then(|schedule| schedule.next_change(now));
    rule.valid_until.into_iter().chain(end_of_hours).min()
}

fn opening(rule: &AccessRule, now: Timestamp) -> Option<Timestamp> {
    let valid_from = rule.valid_from.map_or(now, |from| from.max(now));
    let opening = match &rule.schedule {
        Some(schedule) if !schedule.contains(valid_from) => schedule.next_change(valid_from)?,
        _ => valid_from,
    };
    rule.valid_until
        .is_none_or(|until| opening < until)
        .then_some(opening)
}
