//! Times calls of this process: each by itself, or how many threads make in a time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::Failure;
use crate::clock::now;
use crate::ffi::Room;
use crate::question::Questions;
use identity_bench::{Outcome, keep_to, median};

/// Calls that are timed together, so that reading the clock does not count.
const BATCH: u32 = 16;
/// Calls of a process before it counts as one that makes many.
const EARLY: usize = 256;
/// Calls longer than this are timed one by one.
const LONG: Duration = Duration::from_micros(2);

/// Asks at random, and times it.
pub(crate) struct Caller {
    questions: Questions,
    room: Room,
    dice: Dice,
    /// Calls that are timed together; known after those that do not count.
    batch: Option<u32>,
}

impl Caller {
    pub(crate) fn new(questions: Questions) -> Self {
        Self {
            questions,
            room: Room::new(),
            dice: Dice(0x9e37_79b9_7f4a_7c15),
            batch: None,
        }
    }

    /// The median time of a call. What the first ones take does not count.
    pub(crate) fn latency(&mut self, time: Duration) -> Outcome {
        let mut outcome = Outcome::default();
        let batch = match self.batch {
            Some(batch) => batch,
            None => self.warmed(time * 2, &mut outcome),
        };
        // What others left in the processor's caches goes first.
        let again = now() + time / 4;
        while batch > 1 && now() < again {
            outcome.count(self.ask());
        }
        let mut samples = Vec::new();
        let until = now() + time;
        loop {
            let begun = now();
            for _ in 0..batch {
                outcome.count(self.ask());
            }
            let took = begun.elapsed();
            samples.push(took.as_secs_f64() * 1e9 / f64::from(batch));
            if begun + took > until {
                break;
            }
        }
        outcome.nanoseconds = median(&mut samples);
        outcome
    }

    fn warmed(&mut self, time: Duration, outcome: &mut Outcome) -> u32 {
        let until = now() + time;
        let mut usual = Duration::MAX;
        while now() < until || outcome.calls == 0 {
            let begun = now();
            outcome.count(self.ask());
            usual = usual.min(begun.elapsed());
        }
        let batch = if usual < LONG { BATCH } else { 1 };
        self.batch = Some(batch);
        batch
    }

    fn ask(&mut self) -> bool {
        let number = self.dice.below(self.questions.len());
        self.questions.ask(number, &mut self.room)
    }
}

/// Each question once, in turn, for whoever answers to remember it; as many as fit into the time.
pub(crate) fn each_once(questions: &Questions, time: Duration) -> Outcome {
    let mut room = Room::new();
    let mut outcome = Outcome::default();
    let mut samples = Vec::with_capacity(questions.len());
    let until = now() + time;
    for number in 0..questions.len() {
        let begun = now();
        outcome.count(questions.ask(number, &mut room));
        samples.push(begun.elapsed().as_secs_f64() * 1e9);
        if begun > until {
            break;
        }
    }
    outcome.nanoseconds = median(&mut samples);
    outcome
}

/// The second lookup of a young process: the first has loaded the module.
pub(crate) fn second_lookup(questions: &Questions) -> Outcome {
    let mut room = Room::new();
    let mut outcome = Outcome::default();
    outcome.count(questions.ask(0, &mut room));
    let begun = now();
    outcome.count(questions.ask(1 % questions.len(), &mut room));
    outcome.nanoseconds = begun.elapsed().as_secs_f64() * 1e9;
    outcome
}

/// How many calls so many threads make in this time, each on a processor of its own.
pub(crate) fn throughput(
    questions: &Questions,
    threads: usize,
    time: Duration,
) -> Result<Outcome, Failure> {
    let over = AtomicBool::new(false);
    let work = |number: usize| {
        keep_to(None, number)?;
        let mut room = Room::new();
        let mut dice = Dice(0x1234_5678 + number as u64);
        for _ in 0..EARLY {
            questions.ask(dice.below(questions.len()), &mut room);
        }
        let mut outcome = Outcome::default();
        let begun = now();
        while !over.load(Ordering::Relaxed) && begun.elapsed() < time {
            for _ in 0..BATCH {
                outcome.count(questions.ask(dice.below(questions.len()), &mut room));
            }
        }
        over.store(true, Ordering::Relaxed);
        outcome.per_second = f64::from(outcome.calls) / begun.elapsed().as_secs_f64();
        Ok::<_, Failure>(outcome)
    };
    let all = thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = (0..threads)
            .map(|number| scope.spawn(move || work(number)))
            .collect();
        let ended = threads.into_iter().map(thread::ScopedJoinHandle::join);
        ended
            .map(|one| one.map_err(|_| Failure::from("a thread ended early"))?)
            .collect::<Result<Vec<_>, _>>()
    })?;
    Ok(all.into_iter().fold(Outcome::default(), Outcome::and))
}

/// xorshift: the same questions in every run, in no order a processor could guess.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).unwrap_or(0)
    }
}
