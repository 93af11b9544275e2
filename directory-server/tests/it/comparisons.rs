//! The time of a comparison does not tell how much of a guess is right: guesses that share all but
//! their last letter with the secret against random ones, in an order that is drawn, by Welch's
//! t-test (as `dudect` does it). A comparison that stops at the first difference is told at once.

#![expect(clippy::disallowed_methods, reason = "the claim is about time")]

use std::hint::black_box;
use std::time::Instant;

use directory_api::rest::same;

/// Long, so that what there is to see is large.
const LENGTH: usize = 256;
/// Beyond this the two classes are told apart with certainty.
const LEAKS: f64 = 4.5;
/// A sound comparison is unlucky now and then, and a machine has hiccups; a leak is always there.
const RUNS: u64 = 3;
/// How much is measured.
#[derive(Clone, Copy)]
struct Samples {
    count: usize,
    /// Comparisons within one sample, so that few samples see a small difference.
    repeated: usize,
}

const BRIEF: Samples = Samples {
    count: 20_000,
    repeated: 8,
};
const LONG: Samples = Samples {
    count: 10_000_000,
    repeated: 1,
};

/// Slower samples are those during which something else ran.
const KEPT_PERCENT: usize = 90;

type Comparison = fn(&str, &str) -> bool;

/// Stops where the guess is wrong.
fn naive(left: &str, right: &str) -> bool {
    left.len() == right.len() && left.bytes().zip(right.bytes()).all(|(a, b)| a == b)
}

/// Numbers that look random, the same in each run (xorshift).
struct Drawn(u64);

impl Drawn {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }

    fn text(&mut self) -> String {
        (0..LENGTH)
            .map(|_| char::from(b'a' + self.byte() % 16))
            .collect()
    }
}

/// Mean and variance, kept up sample by sample (Welford).
#[derive(Default)]
struct Moments {
    count: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1.0;
        let before = value - self.mean;
        self.mean += before / self.count;
        self.squares += before * (value - self.mean);
    }

    fn variance_of_mean(&self) -> f64 {
        self.squares / (self.count - 1.0) / self.count
    }
}

/// Welch's t of two samples of times, without their slowest ones.
fn welch(times: &[(bool, u32)]) -> f64 {
    let mut sorted: Vec<u32> = times.iter().map(|(_, time)| *time).collect();
    sorted.sort_unstable();
    let cut = sorted[sorted.len() * KEPT_PERCENT / 100];
    let (mut near, mut far) = (Moments::default(), Moments::default());
    for (is_near, time) in times.iter().filter(|(_, time)| *time <= cut) {
        let class = if *is_near { &mut near } else { &mut far };
        class.add(f64::from(*time));
    }
    let spread = near.variance_of_mean() + far.variance_of_mean();
    if spread == 0.0 {
        // A clock too coarse to see any difference saw none.
        return if near.mean == far.mean {
            0.0
        } else {
            f64::INFINITY
        };
    }
    (near.mean - far.mean) / spread.sqrt()
}

/// What `samples` comparisons of each kind say about this one.
fn t_of(comparison: Comparison, samples: Samples, seed: u64) -> f64 {
    let mut drawn = Drawn(seed);
    let secret = drawn.text();
    let mut near = secret.clone();
    near.replace_range(LENGTH - 1.., "-");
    let mut times = Vec::with_capacity(samples.count);
    let mut guess = String::with_capacity(LENGTH);
    let far: Vec<String> = (0..64).map(|_| drawn.text()).collect();
    let nears = vec![near; far.len()];
    for _ in 0..samples.count {
        let is_near = drawn.byte() < 128;
        let pool = if is_near { &nears } else { &far };
        // Both kinds are copied to one and the same place before they are compared.
        guess.clear();
        guess.push_str(&pool[usize::from(drawn.byte()) % pool.len()]);
        let started = Instant::now();
        for _ in 0..samples.repeated {
            black_box(comparison(black_box(&secret), black_box(&guess)));
        }
        let time = started.elapsed().as_nanos();
        times.push((is_near, u32::try_from(time).unwrap_or(u32::MAX)));
    }
    welch(&times)
}

/// The least of a few independent runs.
fn least_t(comparison: Comparison, samples: Samples) -> f64 {
    let mut least = f64::INFINITY;
    for run in 1..=RUNS {
        let t = t_of(comparison, samples, 0x9e37_79b9_7f4a_7c15 ^ run).abs();
        least = least.min(t);
        if least < LEAKS {
            break;
        }
    }
    least
}

#[test]
fn mfa_15_the_time_of_a_comparison_does_not_tell_how_much_of_a_guess_is_right() {
    let t = least_t(same, BRIEF);
    assert!(t < LEAKS, "the comparison leaks: |t| = {t:.1}");
}

#[test]
fn mfa_15_a_comparison_that_stops_at_the_first_difference_is_seen() {
    let t = least_t(naive, BRIEF);
    assert!(t > LEAKS, "the test is blind: |t| = {t:.1}");
}

#[test]
fn mfa_15_a_token_is_hashed_in_the_same_time_whatever_it_is_like() {
    let hashed: Comparison = |_, token| directory_server::http::token_hash(token).is_empty();
    let t = least_t(hashed, BRIEF);
    assert!(t < LEAKS, "the look-up leaks: |t| = {t:.1}");
}

#[test]
#[ignore = "takes minutes; `cargo xtask soak` runs it, the gate a shorter one"]
fn soak_mfa_15_ten_million_comparisons_do_not_tell_how_much_of_a_guess_is_right() {
    let t = least_t(same, LONG);
    assert!(t < LEAKS, "the comparison leaks: |t| = {t:.1}");
}
