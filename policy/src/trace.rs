//! The way to an answer, step by step, for `explain` and the log. Bounded, so that an answer always
//! fits the frame it travels in.

use crate::TraceStep;

/// Most steps that are told one by one.
const STEPS_MAX: usize = 100;

#[derive(Debug, Default)]
pub(crate) struct Trace {
    steps: Vec<TraceStep>,
    left_out: usize,
}

impl Trace {
    /// A step that no single rule decides.
    pub(crate) fn step(&mut self, step: &str, result: &str, because: String) {
        self.push(step, result, None, because);
    }

    /// What one rule contributed to a step.
    pub(crate) fn rule(&mut self, step: &str, result: &str, rule: &str, because: String) {
        self.push(step, result, Some(rule.to_owned()), because);
    }

    pub(crate) fn into_steps(mut self) -> Vec<TraceStep> {
        if self.left_out > 0 {
            self.steps.push(TraceStep {
                step: String::from("left-out"),
                result: self.left_out.to_string(),
                rule: None,
                because: Some(String::from("more rules were looked at than are told here")),
            });
        }
        self.steps
    }

    fn push(&mut self, step: &str, result: &str, rule: Option<String>, because: String) {
        if self.steps.len() >= STEPS_MAX {
            self.left_out += 1;
            return;
        }
        self.steps.push(TraceStep {
            step: step.to_owned(),
            result: result.to_owned(),
            rule,
            because: (!because.is_empty()).then_some(because),
        });
    }
}
