//! The order of a decision: host, person, deny rules, allow rules with their conditions. The first
//! step that says no is the answer; only the last can say yes. Deny wins; no rule means no.

use jiff::{SignedDuration, Timestamp};

use crate::fit::Fit;
use crate::sentence::Sentences;
use crate::trace::Trace;
use crate::{
    AccessRule, Decision, Effect, HostState, Question, ReasonCode, UnreadableRule, UserState, until,
};

/// May this person do this, by rules that could all be read?
pub fn decide(question: &Question<'_>, rules: &[AccessRule]) -> Decision {
    decide_with_unreadable(question, rules, &[])
}

/// The same where some rules could not be read: such a rule allows nothing, and refuses everybody
/// whom it might have denied (see [`UnreadableRule`]). The caller raises the alarm.
pub fn decide_with_unreadable(
    question: &Question<'_>,
    rules: &[AccessRule],
    unreadable: &[UnreadableRule],
) -> Decision {
    let mut trace = Trace::default();
    let verdict = host_refuses(question, &mut trace)
        .or_else(|| person_refused(question, &mut trace))
        .or_else(|| denied(question, rules, &mut trace))
        .or_else(|| possibly_denied(question, unreadable, &mut trace))
        .unwrap_or_else(|| allowed_or_not(question, rules, &mut trace));
    Decision {
        allowed: verdict.reason == ReasonCode::Allowed,
        reason: verdict.reason,
        sentence: verdict.sentence,
        rule_ids: verdict.rule_ids,
        until: verdict.until,
        trace: trace.into_steps(),
    }
}

/// An answer before its trace is known.
struct Verdict {
    reason: ReasonCode,
    sentence: String,
    rule_ids: Vec<String>,
    until: Option<Timestamp>,
}

impl Verdict {
    /// A no that no rule is the reason of, and that time alone does not end.
    fn refusal(reason: ReasonCode, sentence: String) -> Self {
        Self {
            reason,
            sentence,
            rule_ids: Vec::new(),
            until: None,
        }
    }
}

fn host_refuses(question: &Question<'_>, trace: &mut Trace) -> Option<Verdict> {
    let host = question.host;
    let sentences = Sentences::new(question);
    let state = match host.state {
        HostState::Pending => "pending",
        HostState::Active => "active",
        HostState::Quarantined => "quarantined",
        HostState::Retired => "retired",
    };
    if host.state != HostState::Active {
        trace.step("host", state, String::new());
        let sentence = sentences.host_takes_none(host.state);
        return Some(Verdict::refusal(ReasonCode::HostQuarantined, sentence));
    }
    let limit = host.mirror_age_max;
    let age = host.mirror_age.unwrap_or(SignedDuration::ZERO);
    let ages = host.mirror_age.map_or_else(String::new, |age| {
        format!(
            "mirror {} s old, limit {} s",
            age.as_secs(),
            limit.as_secs()
        )
    });
    if host.mirror_age.is_some() && age > limit {
        trace.step("host", "mirror too old", ages);
        let sentence = sentences.mirror_too_old(question.now.checked_sub(age).ok());
        return Some(Verdict::refusal(ReasonCode::MirrorTooOld, sentence));
    }
    trace.step("host", state, ages);
    None
}

fn person_refused(question: &Question<'_>, trace: &mut Trace) -> Option<Verdict> {
    let person = question.person;
    let sentences = Sentences::new(question);
    let state = match person.state {
        UserState::Staged => "staged",
        UserState::Active => "active",
        UserState::Suspended => "suspended",
        UserState::Deleted => "deleted",
    };
    if person.state != UserState::Active {
        trace.step("user", state, String::new());
        let sentence = sentences.account(person.state);
        return Some(Verdict::refusal(ReasonCode::UserSuspended, sentence));
    }
    if let Some(end) = person.expires_at.filter(|end| *end <= question.now) {
        trace.step("user", "expired", String::new());
        let sentence = sentences.account_ended(end);
        return Some(Verdict::refusal(ReasonCode::UserExpired, sentence));
    }
    trace.step("user", state, String::new());
    None
}

fn denied(question: &Question<'_>, rules: &[AccessRule], trace: &mut Trace) -> Option<Verdict> {
    let denying = applying(question, rules, Effect::Deny, trace);
    if denying.is_empty() {
        return None;
    }
    let rule_ids = ids(&denying);
    let until = until::of_a_denial(question, &denying);
    Some(Verdict {
        reason: ReasonCode::DeniedByRule,
        sentence: Sentences::new(question).denied(&rule_ids, until),
        rule_ids,
        until,
    })
}

fn possibly_denied(
    question: &Question<'_>,
    unreadable: &[UnreadableRule],
    trace: &mut Trace,
) -> Option<Verdict> {
    let mut rule_ids = Vec::new();
    for rule in unreadable {
        if rule.might_deny(question.person, question.host) {
            trace.rule(
                "deny-rules",
                "unreadable",
                rule.id(),
                String::from("might be a deny"),
            );
            rule_ids.push(rule.id().to_owned());
        }
    }
    (!rule_ids.is_empty()).then(|| Verdict {
        reason: ReasonCode::RuleUnreadable,
        sentence: Sentences::new(question).unreadable(&rule_ids),
        rule_ids,
        until: None,
    })
}

fn allowed_or_not(question: &Question<'_>, rules: &[AccessRule], trace: &mut Trace) -> Verdict {
    let allowing = applying(question, rules, Effect::Allow, trace);
    if allowing.is_empty() {
        return lacking(question, &Fit::all(question, rules, Effect::Allow));
    }
    let rule_ids = ids(&allowing);
    let until = until::of_a_yes(question, &allowing, rules);
    Verdict {
        reason: ReasonCode::Allowed,
        sentence: Sentences::new(question).allowed(&rule_ids, until),
        rule_ids,
        until,
    }
}

/// The no for want of a rule, told as precisely as the rules that nearly fit permit.
fn lacking(question: &Question<'_>, fits: &[Fit<'_>]) -> Verdict {
    let sentences = Sentences::new(question);
    let until = until::of_a_lack(question, fits);
    let at_other_times: Vec<&Fit<'_>> = fits
        .iter()
        .filter(|fit| fit.only_schedule_missing())
        .collect();
    let from_elsewhere: Vec<&Fit<'_>> = fits
        .iter()
        .filter(|fit| fit.only_source_missing())
        .collect();
    let (reason, sentence, near) = if !at_other_times.is_empty() {
        let sentence = sentences.outside_schedule(&at_other_times, until);
        (ReasonCode::OutsideSchedule, sentence, at_other_times)
    } else if !from_elsewhere.is_empty() {
        let sentence = sentences.source_not_allowed(&from_elsewhere);
        (ReasonCode::SourceNotAllowed, sentence, from_elsewhere)
    } else {
        (
            ReasonCode::NoAccessRule,
            sentences.no_rule(until),
            Vec::new(),
        )
    };
    let rule_ids = near.iter().map(|fit| fit.rule.id.clone()).collect();
    Verdict {
        reason,
        sentence,
        rule_ids,
        until,
    }
}

/// The rules of an effect that apply here and now; each that concerns the person is traced.
fn applying<'a>(
    question: &Question<'_>,
    rules: &'a [AccessRule],
    effect: Effect,
    trace: &mut Trace,
) -> Vec<Fit<'a>> {
    let (step, verb) = match effect {
        Effect::Allow => ("access-rules", "allow"),
        Effect::Deny => ("deny-rules", "deny"),
    };
    let mut fits = Fit::all(question, rules, effect);
    for fit in &fits {
        let result = if fit.applies() { verb } else { "not now" };
        trace.rule(step, result, &fit.rule.id, fit.why_not());
    }
    if fits.is_empty() {
        trace.step(step, "none", String::new());
    }
    fits.retain(Fit::applies);
    fits
}

fn ids(fits: &[Fit<'_>]) -> Vec<String> {
    fits.iter().map(|fit| fit.rule.id.clone()).collect()
}
