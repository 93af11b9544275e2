//! `cloudid doctor`: looks at everything that a host of cloudid depends on, says what is wrong and the
//! command that mends it, and with `--fix` mends what is ours. What is the site's it only explains.

mod accounts;
mod codes;
mod daemons;
mod facts;
mod files;
mod mend;
mod mirror;
mod names;
mod neighbours;
mod ssh;
mod stacks;

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::must_be_root;
use super::places::IDENTITY;
use crate::arguments::Format;
use crate::context::Context;
use crate::error::{Failure, Kind};
use crate::output::{Column, Output};
use facts::Facts;
use mend::Mend;

const COLUMNS: &[Column] = &[
    ("STATE", "/state"),
    ("CHECK", "/check"),
    ("FOUND", "/found"),
    ("DO", "/do"),
];

/// Look for what is wrong with this host (root)
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    /// Mend what is ours; what is the site's is only explained
    #[arg(long)]
    fix: bool,
    /// The same as -o json
    #[arg(long)]
    json: bool,
}

/// What a check finds.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    /// As it should be; perhaps with a remark.
    Good(String),
    /// Works, but somebody should know.
    Warn(String),
    /// Somebody who should get in is kept out, or will be; or the other way round.
    Fail(String),
}

impl Verdict {
    fn good() -> Self {
        Self::Good(String::new())
    }

    /// Good when there is nothing to complain of.
    fn unless(complaints: &[String]) -> Self {
        match complaints {
            [] => Self::good(),
            some => Self::Fail(some.join("; ")),
        }
    }

    /// The same where it only should be known.
    fn remark(complaints: &[String]) -> Self {
        match Self::unless(complaints) {
            Self::Fail(text) => Self::Warn(text),
            good @ (Self::Good(_) | Self::Warn(_)) => good,
        }
    }
}

/// One thing to look at.
struct Check {
    /// Its name: a promise to scripts.
    id: &'static str,
    /// Why it matters, in a sentence.
    why: &'static str,
    /// What a person would type.
    advice: &'static str,
    /// What `--fix` does, where it is ours to mend.
    mend: Option<Mend>,
    look: fn(&Facts) -> Verdict,
}

pub(crate) async fn run(arguments: &DoctorArguments, context: &Context) -> Result<(), Failure> {
    must_be_root("doctor")?;
    if !Path::new(IDENTITY).exists() {
        return Err(Failure::new(Kind::NotFound, "this host is not enrolled")
            .because("nothing of it depends on cloudid")
            .next("cloudid enroll"));
    }
    let now = context.now.timestamp().as_millisecond();
    let mut found = look(&Facts::gather(now).await);
    if arguments.fix && !context.options.dry_run {
        for (check, verdict) in &found {
            if let (Some(mend), Verdict::Fail(_) | Verdict::Warn(_)) = (&check.mend, verdict) {
                context.output.say(&format!("mending {}", check.id));
                if let Err(failure) = mend.run().await {
                    context.output.warn(&failure.to_string());
                }
            }
        }
        found = look(&Facts::gather(now).await);
    }
    tell(&found, arguments.json, context)?;
    let failed = found
        .iter()
        .filter(|(_, verdict)| matches!(verdict, Verdict::Fail(_)))
        .count();
    match failed {
        0 => Ok(()),
        count => Err(Failure::failed(format!("{count} checks failed"))
            .next("do what the last column says; cloudid doctor --fix mends what is ours")),
    }
}

/// All checks, grouped by what they look at.
fn checks() -> impl Iterator<Item = Check> {
    files::CHECKS
        .into_iter()
        .chain(accounts::CHECKS)
        .chain(names::CHECKS)
        .chain(stacks::CHECKS)
        .chain(ssh::CHECKS)
        .chain(daemons::CHECKS)
        .chain(mirror::CHECKS)
        .chain(codes::CHECKS)
        .chain(neighbours::CHECKS)
}

fn look(facts: &Facts) -> Vec<(Check, Verdict)> {
    checks()
        .map(|check| {
            let verdict = (check.look)(facts);
            (check, verdict)
        })
        .collect()
}

fn tell(found: &[(Check, Verdict)], as_json: bool, context: &Context) -> Result<(), Failure> {
    let objects: Vec<Value> = found.iter().map(object).collect();
    let format = match as_json {
        true => Some(Format::Json),
        false => context.output.format,
    };
    let output = Output {
        format,
        ..context.output
    };
    output.list(COLUMNS, &objects)
}

fn object((check, verdict): &(Check, Verdict)) -> Value {
    let (state, found) = match verdict {
        Verdict::Good(remark) => ("ok", remark),
        Verdict::Warn(what) => ("warn", what),
        Verdict::Fail(what) => ("fail", what),
    };
    let advice = match verdict {
        Verdict::Good(_) => "",
        Verdict::Warn(_) | Verdict::Fail(_) => check.advice,
    };
    json!({
        "state": state,
        "check": check.id,
        "found": found,
        "do": advice,
        "why": check.why,
        "mended_by_fix": check.mend.is_some(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_check_has_a_name_of_its_own_and_says_why_and_what_to_do() {
        let mut names: Vec<_> = checks().map(|check| check.id).collect();
        let count = names.len();
        assert!(count >= 40, "{count} checks");
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "two checks of one name");
        for check in checks() {
            assert!(
                !check.why.is_empty() && !check.advice.is_empty(),
                "{}",
                check.id
            );
            let plain = |letter: char| letter.is_ascii_lowercase() || letter == '-';
            assert!(check.id.chars().all(plain), "{}", check.id);
        }
    }

    #[test]
    fn what_is_right_comes_without_advice() {
        let Some(check) = checks().next() else {
            panic!("no checks");
        };
        let told = object(&(check, Verdict::good()));
        assert_eq!(told.get("state"), Some(&json!("ok")));
        assert_eq!(told.get("do"), Some(&json!("")));
    }
}
