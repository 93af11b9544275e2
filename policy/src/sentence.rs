//! What the person reads: what happened, and what to do next. One harmless line each.

use jiff::Timestamp;
use posix_names::clean_line;

use crate::fit::Fit;
use crate::{HostState, Question, UserState};

const SENTENCE_BYTES_MAX: usize = 1000;

/// How many rules or networks a sentence names before it says *and others*.
const NAMED_MAX: usize = 3;

/// Texts of one question.
pub(crate) struct Sentences<'a> {
    question: &'a Question<'a>,
}

impl<'a> Sentences<'a> {
    pub(crate) fn new(question: &'a Question<'a>) -> Self {
        Self { question }
    }

    pub(crate) fn allowed(&self, rules: &[String], until: Option<Timestamp>) -> String {
        let end = until.map_or_else(String::new, |until| {
            format!(" until {} at least", moment(until))
        });
        Self::line(&format!(
            "{} may {}{end} (rule {}).",
            self.who(),
            self.act(),
            listed(rules)
        ))
    }

    pub(crate) fn host_takes_none(&self, state: HostState) -> String {
        let (why, next) = match state {
            HostState::Pending => ("waits for approval", "Ask an admin to approve the host."),
            HostState::Active => ("is active", ""),
            HostState::Quarantined => (
                "is quarantined",
                "Open sessions stay. Ask an admin of its project.",
            ),
            HostState::Retired => ("is retired", "Use another host."),
        };
        Self::line(&format!(
            "{} takes no new logins: it {why}. {next} Local accounts still work.",
            self.question.host.name
        ))
    }

    pub(crate) fn mirror_too_old(&self, heard: Option<Timestamp>) -> String {
        let since = heard.map_or_else(String::new, |heard| format!(" since {}", moment(heard)));
        Self::line(&format!(
            "{} takes no new logins: it has not heard from the directory{since}. Ask whoever runs \
             it to mend its connection. Local accounts still work.",
            self.question.host.name
        ))
    }

    pub(crate) fn account(&self, state: UserState) -> String {
        let (why, next) = match state {
            UserState::Staged => (
                "is not active yet",
                "Ask an admin of the directory to activate it.",
            ),
            UserState::Active => ("is active", ""),
            UserState::Suspended => ("is suspended", "Ask an admin of the directory."),
            UserState::Deleted => ("has been deleted", "Ask an admin of the directory."),
        };
        Self::line(&format!("The account {} {why}. {next}", self.who()))
    }

    pub(crate) fn account_ended(&self, end: Timestamp) -> String {
        Self::line(&format!(
            "The account {} ended at {}. Ask an admin of the directory for a later end.",
            self.who(),
            moment(end)
        ))
    }

    pub(crate) fn unreadable(&self, rules: &[String]) -> String {
        Self::line(&format!(
            "cloudid could not decide whether {} may {}: rule {} cannot be read here. Nothing was \
             granted. Ask an admin to look at that rule and at the version of this host.",
            self.who(),
            self.act(),
            listed(rules)
        ))
    }

    pub(crate) fn denied(&self, rules: &[String], until: Option<Timestamp>) -> String {
        let end = until.map_or_else(String::new, |until| format!(" until {}", moment(until)));
        Self::line(&format!(
            "{} may not {}: rule {} forbids it{end}. Ask an admin who manages access here.",
            self.who(),
            self.act(),
            listed(rules)
        ))
    }

    pub(crate) fn outside_schedule(&self, fits: &[&Fit<'_>], again: Option<Timestamp>) -> String {
        let hours: Vec<String> = fits
            .iter()
            .filter_map(|fit| fit.rule.schedule.as_ref())
            .map(ToString::to_string)
            .collect();
        let next = again.map_or_else(
            || String::from("Ask an admin for other hours."),
            |again| format!("Try again at {}.", moment(again)),
        );
        Self::line(&format!(
            "{} may {} only {}. {next}",
            self.who(),
            self.act(),
            listed(&hours)
        ))
    }

    pub(crate) fn source_not_allowed(&self, fits: &[&Fit<'_>]) -> String {
        let networks: Vec<String> = fits
            .iter()
            .flat_map(|fit| &fit.rule.sources)
            .map(ToString::to_string)
            .collect();
        let here = self.question.source.map_or_else(
            || String::from("this host itself"),
            |address| address.to_canonical().to_string(),
        );
        Self::line(&format!(
            "{} may {} only from {}, not from {here}. Connect from there, or ask an admin.",
            self.who(),
            self.act(),
            listed(&networks)
        ))
    }

    pub(crate) fn no_rule(&self, begins: Option<Timestamp>) -> String {
        let next = begins.map_or_else(
            || String::from("Ask an admin for access"),
            |begins| format!("One begins at {}", moment(begins)),
        );
        Self::line(&format!(
            "No rule lets {} {} now. {next}.",
            self.who(),
            self.act()
        ))
    }

    fn who(&self) -> &str {
        &self.question.person.username
    }

    fn act(&self) -> String {
        let host = &self.question.host.name;
        match self.question.service {
            "sshd" | "login" => format!("log in to {host}"),
            "cron" => format!("run cron jobs on {host}"),
            service => format!("use {service} on {host}"),
        }
    }

    fn line(text: &str) -> String {
        clean_line(text, SENTENCE_BYTES_MAX)
    }
}

/// A moment as people read it.
pub(crate) fn moment(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn listed(names: &[String]) -> String {
    let shown: Vec<&str> = names.iter().take(NAMED_MAX).map(String::as_str).collect();
    let others = if names.len() > NAMED_MAX {
        " and others"
    } else {
        ""
    };
    shown.join(", ") + others
}
