//! How one rule that concerns the person and the host fits the moment and the place.

use std::net::IpAddr;

use ipnet::{IpNet, Ipv4Net};

use crate::sentence::moment;
use crate::{AccessRule, Effect, Question};

/// A rule held against a question, condition by condition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fit<'a> {
    pub(crate) rule: &'a AccessRule,
    pub(crate) valid: bool,
    pub(crate) in_schedule: bool,
    pub(crate) from_source: bool,
}

impl<'a> Fit<'a> {
    /// All rules of an effect that concern the person and the host.
    pub(crate) fn all(
        question: &Question<'_>,
        rules: &'a [AccessRule],
        effect: Effect,
    ) -> Vec<Self> {
        let person = question.person;
        rules
            .iter()
            .filter(|rule| rule.effect == effect)
            .filter(|rule| rule.concerns_person(&person.id, &person.groups))
            .filter(|rule| rule.concerns_host(question.host))
            .map(|rule| Self::of(question, rule))
            .collect()
    }

    fn of(question: &Question<'_>, rule: &'a AccessRule) -> Self {
        let now = question.now;
        Self {
            rule,
            valid: rule.valid_from.is_none_or(|from| from <= now)
                && rule.valid_until.is_none_or(|until| now < until),
            in_schedule: rule
                .schedule
                .as_ref()
                .is_none_or(|schedule| schedule.contains(now)),
            from_source: is_from(&rule.sources, question.source),
        }
    }

    /// Whether the rule applies here and now.
    pub(crate) fn applies(&self) -> bool {
        self.valid && self.in_schedule && self.from_source
    }

    /// Whether the time of the week is all that is missing.
    pub(crate) fn only_schedule_missing(&self) -> bool {
        self.valid && self.from_source && !self.in_schedule
    }

    /// Whether the place is all that is missing.
    pub(crate) fn only_source_missing(&self) -> bool {
        self.valid && self.in_schedule && !self.from_source
    }

    /// Why the rule does not apply; empty when it does.
    pub(crate) fn why_not(&self) -> String {
        let mut reasons = Vec::new();
        if !self.valid {
            let from = self
                .rule
                .valid_from
                .map(|from| format!("from {}", moment(from)));
            let until = self
                .rule
                .valid_until
                .map(|until| format!("until {}", moment(until)));
            let bounds: Vec<String> = from.into_iter().chain(until).collect();
            reasons.push(format!("valid only {}", bounds.join(" ")));
        }
        if let (false, Some(schedule)) = (self.in_schedule, &self.rule.schedule) {
            reasons.push(format!("only at {schedule}"));
        }
        if !self.from_source {
            reasons.push(String::from("only from other networks"));
        }
        reasons.join("; ")
    }
}

/// No networks means anywhere. A console is in no network.
fn is_from(networks: &[IpNet], source: Option<IpAddr>) -> bool {
    let source = source.map(|address| address.to_canonical());
    networks.is_empty()
        || source.is_some_and(|address| {
            networks
                .iter()
                .any(|network| canonical(*network).contains(&address))
        })
}

/// `::ffff:10.0.0.0/104` is `10.0.0.0/8`: one address has one form, whatever the socket says.
fn canonical(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V4(_) => None,
        IpNet::V6(v6) => v6
            .network()
            .to_ipv4_mapped()
            .zip(v6.prefix_len().checked_sub(96)),
    };
    mapped
        .and_then(|(address, prefix)| Ipv4Net::new(address, prefix).ok())
        .map_or(network, IpNet::V4)
}
