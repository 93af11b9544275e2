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
/// Processors: of whoever asks, and another one.
const ASKING: usize = 1;
const ELSEWHERE: usize = 0;
const CACHER: &str = "cloudid-cacher";
const KEY_COMMAND: &str = "/bench/bin/cloudid-authorized-keys";

/// Figures of our own host; times are nanoseconds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct HostFigures {
    /// Of the published map.
    pub(crate) map_bytes: u64,
    /// Proportional memory of the cacher.
    pub(crate) cacher_bytes: u64,
    /// Asking the cacher for an owner, beside a peer that only echoes; both answer on the processor
    /// of whoever asks.
    pub(crate) owner: Beside,
    /// The same, and both answer on another processor.
    pub(crate) owner_across: Beside,
    /// The whole key command, beside a program that does nothing; the cacher answers on the processor
    /// of whoever asks.
    pub(crate) key_command: Beside,
    /// The same, and the cacher answers on another processor.
    pub(crate) key_command_across: Beside,
}

/// Something of ours and what it is compared with, in turns.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Beside {
    pub(crate) ours: f64,
    pub(crate) other: f64,
    /// The middle of the ratios of all rounds.
    pub(crate) ratio: f64,
}

/// Measures, turn by turn.
pub(crate) fn measure(
    ours: &Stage,
    population: &Population,
    effort: Effort,
) -> Result<HostFigures, Failure> {
    let users = population.users.len();
    say(&format!("{users}: socket, key command, map and memory"));
    let (keys, asking) = (format!("--keys=/bench/{users}/names"), processor(ASKING));
    let program = |program: &[&str]| {
        let mut words = vec!["programs", &asking, &keys, "--milliseconds=0", "--"];
        words.extend(program);
        owned(&words)
    };
    let name = population.users.first().map_or("", |user| &user.name);
    let key = bundle::key_of(0).line;
    let (key_type, key) = key.split_once(' ').ok_or("a key has a type")?;
    let programs = [
        program(&[KEY_COMMAND, name, key_type, key]),
        program(&["/bench/bin/empty-program"]),
    ];
    Ok(HostFigures {
        owner: question(ours, ASKING, effort)?,
        owner_across: question(ours, ELSEWHERE, effort)?,
        key_command: answering(ours, ASKING, &programs, effort)?,
        key_command_across: answering(ours, ELSEWHERE, &programs, effort)?,
        map_bytes: std::fs::metadata(ours.path(PUBLISHED_MAP))?.len(),
        cacher_bytes: ours.memory_of(CACHER)?,
    })
}

/// A question to the cacher and one to the echo, both kept to one processor: where the kernel puts
/// them by itself changes from run to run, and an answer from another processor takes longer than
/// all the work for it.
fn question(stage: &Stage, answering: usize, effort: Effort) -> Result<Beside, Failure> {
    let (time, asking) = (
        format!("--milliseconds={}", effort.milliseconds),
        processor(ASKING),
    );
    let asked = [
        owned(&["owner", &format!("--id={NOBODY}"), &asking, &time]),
        owned(&["echo", &asking, &time]),
    ];
    let echo = owned(&["serve-echo", &processor(answering)]);
    let _answers = stage.servant(Competitor::Cloudid, &echo)?;
    self::answering(stage, answering, &asked, effort)
}

/// Both, while the cacher is kept to one processor.
fn answering(
    stage: &Stage,
    processor: usize,
    words: &[Vec<String>; 2],
    effort: Effort,
) -> Result<Beside, Failure> {
    stage.keep_to(CACHER, Some(processor))?;
    let measured = beside(stage, words, effort);
    stage.keep_to(CACHER, None)?;
    measured
}

fn processor(number: usize) -> String {
    format!("--processor={number}")
}

fn beside(stage: &Stage, words: &[Vec<String>; 2], effort: Effort) -> Result<Beside, Failure> {
    let [one, other] = words;
    let mut players = [
        stage.player(Competitor::Cloudid, one)?,
        stage.player(Competitor::Cloudid, other)?,
    ];
    for player in &mut players {
        player.warm_up(effort.time_for_a_row)?;
    }
    let [mut ones, mut others, mut ratios] = [const { Vec::new() }; 3];
    let [one, other] = &mut players;
    for _ in 0..effort.rounds {
        let (took, beside) = (right(one.turn()?)?, right(other.turn()?)?);
        ones.push(took);
        others.push(beside);
        ratios.push(took / beside);
    }
    Ok(Beside {
        ours: median(&mut ones),
        other: median(&mut others),
        ratio: median(&mut ratios),
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
