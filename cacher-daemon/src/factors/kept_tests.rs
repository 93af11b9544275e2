//! Tests of what is kept about second factors: counts, locks, steps and spent codes, across restarts.

use super::*;
use crate::disk::HostDisk;

const STRICT: CodeStrictness = CodeStrictness {
    tries: 3,
    lock_ms: 900_000,
};
const COUNTED: CodePermit = CodePermit::Counted { locks_before: None };

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

struct Scene(tempfile::TempDir);

impl Scene {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    /// As after a restart.
    fn ledger(&self) -> Ledger {
        Ledger::open(self.0.path().join("factors")).unwrap()
    }
}

fn begin(ledger: &Ledger, second: i64) -> CodePermit {
    let begun = ledger.begin(&HostDisk, "usr_1", STRICT, at(second));
    begun.unwrap()
}

/// Guesses so often, until the lock, and says when it ends.
fn guess_until_locked(ledger: &Ledger, from: i64, tries: i64) -> i64 {
    for second in from..from + tries {
        assert_ne!(begin(ledger, second), CodePermit::Locked, "{second}");
    }
    assert_eq!(begin(ledger, from + tries), CodePermit::Locked);
    let until = ledger.of("usr_1").unwrap().locked_until_ms;
    until / 1000 - 1_800_000_000
}

#[test]
fn mfa_03_each_lock_lasts_twice_as_long_as_the_one_before_up_to_a_day() {
    let scene = Scene::new();
    let ledger = scene.ledger();
    let mut from = guess_until_locked(&ledger, 0, 3);
    assert_eq!(from - 2, 900);
    for expected in [1800, 3600, 7200, 14_400, 28_800, 57_600, 86_400, 86_400] {
        let until = guess_until_locked(&ledger, from, 1);
        assert_eq!(until - from, expected);
        from = until;
    }
}

#[test]
fn mfa_13_a_cut_off_host_takes_nine_guesses_a_day_and_fewer_from_the_patient() {
    let scene = Scene::new();
    let ledger = scene.ledger();
    let day = 0..86_400;
    let fast = day
        .step_by(10)
        .filter(|second| begin(&ledger, *second) != CodePermit::Locked);
    assert_eq!(fast.count(), 9);

    let patient = Scene::new();
    let ledger = patient.ledger();
    for second in [0, 1, 28_900, 28_901, 57_900, 57_901] {
        assert_eq!(begin(&ledger, second), COUNTED, "{second}");
    }
    assert_ne!(
        begin(&ledger, 60_000),
        COUNTED,
        "the third within eight hours"
    );
}

#[test]
fn mfa_03_a_quiet_day_takes_one_step_back_and_a_right_code_none() {
    let scene = Scene::new();
    let ledger = scene.ledger();
    let first = guess_until_locked(&ledger, 0, 3);
    assert_ne!(begin(&ledger, first), CodePermit::Locked);
    assert!(ledger.take_step(&HostDisk, "usr_1", "mfa_1", 7).unwrap());
    let from = first + 10;
    let second = guess_until_locked(&ledger, from, 1);
    assert_eq!(second - from, 1800, "the right code did not help");
    let from = second + 2 * 86_400;
    let third = guess_until_locked(&ledger, from, 3);
    assert_eq!(third - (from + 2), 900);
}

#[test]
fn mfa_03_no_tries_means_that_nothing_is_ever_compared() {
    let scene = Scene::new();
    let none = CodeStrictness { tries: 0, ..STRICT };
    let permit = scene.ledger().begin(&HostDisk, "usr_1", none, at(0));
    assert_eq!(permit.unwrap(), CodePermit::Locked);
}

#[test]
fn mfa_05_tries_are_on_disk_before_anything_is_compared() {
    let scene = Scene::new();
    for second in 0..3 {
        begin(&scene.ledger(), second);
    }
    assert_eq!(begin(&scene.ledger(), 3), CodePermit::Locked);
}

#[test]
fn mfa_05_damaged_counters_refuse() {
    let scene = Scene::new();
    begin(&scene.ledger(), 0);
    let ledger = scene.ledger();
    std::fs::write(ledger.file("usr_1"), b"{\"wrong\":").unwrap();
    assert!(ledger.begin(&HostDisk, "usr_1", STRICT, at(1)).is_err());
    assert!(ledger.take_step(&HostDisk, "usr_1", "mfa_1", 1).is_err());
}

#[test]
fn mfa_01_a_step_is_taken_once_however_many_try() {
    let scene = Scene::new();
    let ledger = scene.ledger();
    let taken = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..100)
            .map(|_| scope.spawn(|| ledger.take_step(&HostDisk, "usr_1", "mfa_1", 9)))
            .collect();
        let taken = tries.into_iter().map(|one| one.join().unwrap().unwrap());
        taken.filter(|taken| *taken).count()
    });
    assert_eq!(taken, 1);
}

#[test]
fn mfa_20_a_step_stays_taken_after_a_restart() {
    let scene = Scene::new();
    let take = |step| scene.ledger().take_step(&HostDisk, "usr_1", "mfa_1", step);
    assert!(take(9).unwrap());
    assert!(!take(9).unwrap());
    assert!(!take(8).unwrap());
    assert!(take(10).unwrap());
}

#[test]
fn mfa_09_a_backup_code_is_spent_once_also_across_restarts() {
    let scene = Scene::new();
    let spend = || scene.ledger().spend(&HostDisk, "usr_1", "bkc_1").unwrap();
    assert!(spend());
    assert!(!spend());
}

#[test]
fn mfa_09_backup_codes_of_many_years_fill_nothing_up() {
    let mut kept = Kept::default();
    let mut spend = |number: usize| kept.spend(&format!("bkc_{number:032x}"));
    for number in 1..=ENTRIES_MAX + 40 {
        assert!(spend(number), "{number}");
        assert!(!spend(number), "{number}");
    }
    assert!(!spend(0), "older than all that are remembered");
    assert_eq!(kept.spent.len(), ENTRIES_MAX);
}

#[test]
fn a_try_that_nobody_could_judge_is_taken_back() {
    let scene = Scene::new();
    let ledger = scene.ledger();
    for second in 0..20 {
        assert_ne!(begin(&ledger, second), CodePermit::Locked);
        ledger.take_back(&HostDisk, "usr_1").unwrap();
    }
    assert_eq!(begin(&ledger, 21), COUNTED);
}

#[test]
fn mfa_16_a_lock_made_while_the_clock_was_ahead_ends_in_time() {
    let scene = Scene::new();
    let ledger = scene.ledger();
    let years_ahead = 80 * 365 * 86_400;
    for second in 0..3 {
        begin(&ledger, years_ahead + second);
    }
    assert_eq!(begin(&ledger, 10), CodePermit::Locked);
    assert_ne!(begin(&ledger, 10 + 901), CodePermit::Locked);
}
