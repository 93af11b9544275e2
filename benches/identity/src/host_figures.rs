//! What only a host with cloudid has: its cacher's memory, its socket, its key command, its map.

use identity_bench::{Outcome, median};
use serde::Serialize;

use crate::Failure;
use crate::bundle;
use crate::competitor::Competitor;
use crate::population::Population;
use crate::rounds::PUBLISHED_MAP;
use crate::row::Effort;
use crate::say;
use crate::stage::Stage;

/// An id of the directory's ranges that nobody has.
const NOBODY: u32 = 99_999;
const KEY_COMMAND: &str = "/bench/bin/cloudid-authorized-keys";

/// Figures of our own host; times are nanoseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct HostFigures {
    /// Of the published map.
    pub(crate) map_bytes: u64,
    /// Proportional memory of the cacher.
    pub(crate) cacher_bytes: u64,
    /// Asking the cacher for an owner.
    pub(crate) owner: f64,
    /// The same exchange with a peer that only echoes.
    pub(crate) echo: f64,
    /// The whole key command.
    pub(crate) key_command: f64,
    /// The whole of a program that does nothing.
    pub(crate) empty_program: f64,
}

/// Measures, turn by turn.
pub(crate) fn measure(
    ours: &Stage,
    population: &Population,
    effort: Effort,
) -> Result<HostFigures, Failure> {
    let users = population.users.len();
    say(&format!("{users}: socket, key command, map and memory"));
    let time = format!("--milliseconds={}", effort.milliseconds);
    let owner = format!("--id={NOBODY}");
    let keys = [
        format!("--keys=/bench/{users}/names"),
        format!("--count={}", effort.programs),
        format!("--milliseconds={}", effort.milliseconds * 10),
    ];
    let program = |program: &[&str]| {
        let mut words = vec!["programs", "--processor=1"];
        words.extend(keys.iter().map(String::as_str));
        words.push("--");
        words.extend(program);
        owned(&words)
    };
    let name = population.users.first().map_or("", |user| &user.name);
    let key = bundle::key_of(0).line;
    let (key_type, key) = key.split_once(' ').ok_or("a key has a type")?;
    let turns = [
        owned(&["owner", &owner, &time]),
        owned(&["echo", &time]),
        program(&[KEY_COMMAND, name, key_type, key]),
        program(&["/bench/bin/empty-program"]),
    ];
    let mut samples = [const { Vec::new() }; 4];
    for _ in 0..effort.rounds {
        for (words, samples) in turns.iter().zip(&mut samples) {
            samples.push(right(ours.measure(Competitor::Cloudid, words)?)?);
        }
    }
    let [owner, echo, key_command, empty_program] = samples.map(|mut samples| median(&mut samples));
    Ok(HostFigures {
        map_bytes: std::fs::metadata(ours.path(PUBLISHED_MAP))?.len(),
        cacher_bytes: ours.memory_of("cloudid-cacher")?,
        owner,
        echo,
        key_command,
        empty_program,
    })
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// A figure made of refusals is none.
fn right(outcome: Outcome) -> Result<f64, Failure> {
    if outcome.wrong == 0 {
        Ok(outcome.nanoseconds)
    } else {
        Err(format!("{} of {} answers were wrong", outcome.wrong, outcome.calls).into())
    }
}
