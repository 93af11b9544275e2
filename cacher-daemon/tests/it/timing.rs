//! The time of an answer tells nothing about a name: what many tries took, known names against one
//! that does not exist, compared as two samples of one distribution.

#![expect(clippy::disallowed_methods, reason = "the claim is about time")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use argon2::{Argon2, PasswordHasher};
use cacher_daemon::cacher::{Cacher, Parts};
use cacher_daemon::conversation::verifier::compare;
use cacher_daemon::disk::HostDisk;
use cacher_daemon::time::Clock;
use local_protocol::Outcome;
use policy::{FactorFields, Unenrolled, UserState};
use sha2::{Digest, Sha256};

use crate::factors::asking;
use crate::logins::{Heard, begin, talk};
use crate::world::*;

/// With an authenticator, without any factor, suspended, and a name that nobody has.
const NAMES: [(&str, bool); 4] = [
    ("user1", true),
    ("user2", true),
    ("user3", true),
    ("user9", false),
];
/// A healthy build is unlucky once in a hundred comparisons; nobody is three times running.
const ROUNDS: u32 = 3;

/// Everybody's verifier costs what the directory's own cost.
async fn world(tries: u32) -> (TestHost, Arc<Cacher>) {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let mut config = host.config();
    config.pam.fail_delay = Duration::ZERO;
    config.offline.password_tries = tries;
    let (cacher, _) = Cacher::start(Parts {
        paths: host.paths.clone(),
        config,
        clock: Arc::clone(&host.clock) as Arc<dyn Clock>,
        disk: Arc::new(HostDisk),
        boot: host.boot.clone(),
        run: new_run(),
    })
    .unwrap();
    let mut slice = asking(FactorFields {
        unenrolled: Some(Unenrolled::Deny),
        ..FactorFields::default()
    });
    slice.host.policy.password_tries = tries;
    slice.people.push(person(3));
    slice.people[2].state = UserState::Suspended;
    let mut third = slice.credentials[0].clone();
    third.user = "usr_3".to_owned();
    slice.credentials.push(third);
    let verifier = Argon2::default().hash_password(PASSWORD.as_bytes());
    let verifier = verifier.unwrap().to_string();
    for credential in &mut slice.credentials {
        credential.password_verifier.clone_from(&verifier);
    }
    give(&cacher, &organisation.bundle(1, &slice))
        .await
        .unwrap();
    (host, cacher)
}

/// A wrong password and a wrong code.
async fn try_in(cacher: &Cacher, (name, known): (&str, bool)) -> (Heard, Duration) {
    let begin = begin(name, known);
    let started = Instant::now();
    let heard = talk(cacher, &begin, &[b"wrong", b"000001"]).await;
    (heard, started.elapsed())
}

/// What the tries of each name took; in each turn every name once, in an order that is drawn.
async fn times(host: &TestHost, cacher: &Cacher, turns: u64) -> [Vec<Duration>; 4] {
    let mut times = [const { Vec::new() }; 4];
    for turn in 0..turns {
        let drawn = Sha256::digest(turn.to_le_bytes());
        let mut order = [0, 1, 2, 3];
        order.sort_by_key(|index| drawn[*index]);
        for index in order {
            let ((_, outcome), time) = try_in(cacher, NAMES[index]).await;
            assert_eq!(outcome, Some(Outcome::WrongAnswer));
            times[index].push(time);
        }
        if turn % 50 == 49 {
            // Quiet for as long as a lock lasts: the counts begin anew.
            host.clock.pass(Duration::from_secs(901));
        }
    }
    times
}

/// How likely two samples of one distribution lie at least as far apart (Kolmogorov, Smirnov).
fn likelihood(left: &[Duration], right: &[Duration]) -> f64 {
    let share = |sample: &[Duration], at: Duration| {
        let below = sample.iter().filter(|time| **time <= at).count();
        number(below) / number(sample.len())
    };
    let distance = left
        .iter()
        .chain(right)
        .map(|at| (share(left, *at) - share(right, *at)).abs())
        .fold(0.0, f64::max);
    let size = number(left.len()) * number(right.len()) / number(left.len() + right.len());
    let root = size.sqrt();
    let x = (root + 0.12 + 0.11 / root) * distance;
    if x < 0.3 {
        return 1.0;
    }
    let term = |k: u32| {
        let k = f64::from(k);
        (-2.0 * k * k * x * x).exp() * if k % 2.0 == 0.0 { -1.0 } else { 1.0 }
    };
    (2.0 * (1..=100).map(term).sum::<f64>()).clamp(0.0, 1.0)
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap())
}

async fn cannot_be_told_apart(turns: u64) {
    let (host, cacher) = world(100).await;
    let mut seen = Vec::new();
    for _ in 0..ROUNDS {
        let [enrolled, bare, suspended, unknown] = times(&host, &cacher, turns).await;
        let found = [enrolled, bare, suspended].map(|known| likelihood(&known, &unknown));
        seen.push(found);
        // Each name needs one round in which it looked like the unknown one.
        if (0..found.len()).all(|name| seen.iter().any(|found| found[name] > 0.01)) {
            return;
        }
    }
    panic!("the time tells who exists: {seen:?}");
}

#[tokio::test]
async fn mfa_14_the_time_of_an_answer_does_not_tell_known_names_from_unknown_ones() {
    cannot_be_told_apart(100).await;
}

#[tokio::test]
#[ignore = "takes minutes; `cargo xtask soak` runs it, the gate a shorter one"]
async fn soak_mfa_14_two_thousand_tries_do_not_tell_known_names_from_unknown_ones() {
    cannot_be_told_apart(500).await;
}

#[tokio::test]
async fn mfa_14_every_name_hears_the_same_and_costs_a_slow_hash_until_it_is_locked() {
    let (_host, cacher) = world(8).await;
    let verifier = Argon2::default().hash_password(b"another").unwrap();
    let verifier = verifier.to_string();
    let mut fastest = [Duration::MAX; 4];
    let mut hash = Duration::MAX;
    let mut heard = Vec::new();
    for _ in 0..5 {
        let started = Instant::now();
        let _ = compare(Some(&verifier), b"wrong");
        hash = hash.min(started.elapsed());
        for (index, name) in NAMES.into_iter().enumerate() {
            let (words, time) = try_in(&cacher, name).await;
            fastest[index] = fastest[index].min(time);
            heard.push(words);
        }
    }
    assert!(heard.iter().all(|words| *words == heard[0]), "{heard:?}");
    assert!(
        fastest.iter().all(|time| *time > hash / 2),
        "{fastest:?}, a hash takes {hash:?}"
    );
    for name in NAMES {
        while try_in(&cacher, name).await.0.1 != Some(Outcome::TooManyTries) {}
    }
    let mut locked = Vec::new();
    for name in NAMES {
        locked.push(try_in(&cacher, name).await.0);
    }
    assert!(locked.iter().all(|words| *words == locked[0]), "{locked:?}");
}

#[test]
fn the_comparison_knows_one_distribution_from_two() {
    let sample = |from: u64| -> Vec<Duration> {
        (0..200)
            .map(|index| Duration::from_nanos(from + index * 7919 % 1000))
            .collect()
    };
    assert!(likelihood(&sample(0), &sample(20)) > 0.5);
    assert!(likelihood(&sample(0), &sample(300)) < 1e-6);
}
