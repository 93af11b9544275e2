//! A value is never dropped while somebody looks at it, and always when nobody does any more.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use nss_cloudid::exchange::Exchange;

/// Counts how many there are, and notices when it is looked at after its end.
struct Canary<'a> {
    alive: &'a AtomicUsize,
    whole: AtomicBool,
}

impl<'a> Canary<'a> {
    fn new(alive: &'a AtomicUsize) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        let whole = AtomicBool::new(true);
        Self { alive, whole }
    }
}

impl Drop for Canary<'_> {
    fn drop(&mut self) {
        assert!(self.whole.swap(false, Ordering::SeqCst), "dropped twice");
        self.alive.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_retired_value_lives_until_its_last_reader_leaves() {
    let alive = AtomicUsize::new(0);
    let exchange = Exchange::new();
    assert!(exchange.read().is_none());
    assert!(exchange.turn().unwrap().put(Canary::new(&alive)));
    let readers = [exchange.read().unwrap(), exchange.read().unwrap()];
    exchange.turn().unwrap().retire(readers[0].number());
    assert!(exchange.read().is_none());
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    let [one, other] = readers;
    drop(one);
    assert!(other.whole.load(Ordering::SeqCst));
    drop(other);
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}

#[test]
fn only_one_changes_and_nobody_waits() {
    let exchange = Exchange::new();
    let turn = exchange.turn().unwrap();
    assert!(exchange.turn().is_none());
    assert!(turn.put(1) && !turn.put(2), "a value is in its place");
    drop(turn);
    assert_eq!(exchange.read().as_deref(), Some(&1));
}

#[test]
fn a_late_retirement_does_not_hit_the_next_value() {
    let exchange = Exchange::new();
    exchange.turn().unwrap().put("first");
    let first = exchange.read().unwrap();
    let number = first.number();
    exchange.turn().unwrap().retire(number);
    exchange.turn().unwrap().put("second");
    exchange.turn().unwrap().retire(number);
    assert_eq!(*first, "first");
    assert_eq!(exchange.read().as_deref(), Some(&"second"));
}

#[test]
fn nss_04_at_most_two_values_are_alive_however_often_they_change() {
    stress(20_000);
}

#[test]
#[ignore = "takes minutes; `cargo xtask soak` runs it, the gate a shorter one"]
fn soak_values_change_under_many_readers() {
    stress(20_000_000);
}

/// Lets the readers go, also when an assertion fails.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn stress(changes: u32) {
    let alive = AtomicUsize::new(0);
    let exchange: Exchange<Canary<'_>> = Exchange::new();
    let done = AtomicBool::new(false);
    let seen = AtomicUsize::new(0);
    let look = || {
        while !done.load(Ordering::Relaxed) {
            if let Some(value) = exchange.read() {
                assert!(
                    value.whole.load(Ordering::SeqCst),
                    "looked at after its end"
                );
                seen.fetch_add(1, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        let _ended = Ended(&done);
        let readers = [0; 4].map(|_| scope.spawn(look));
        let (mut most, mut changed) = (0, 0);
        // On a busy machine the readers may come late.
        while changed < changes || seen.load(Ordering::Relaxed) == 0 {
            changed += 1;
            if let Some(value) = exchange.read() {
                let number = value.number();
                drop(value);
                // A reader that leaves may have the turn just now.
                if let Some(turn) = exchange.turn() {
                    turn.retire(number);
                }
            }
            if let Some(turn) = exchange.turn() {
                turn.put(Canary::new(&alive));
            }
            most = most.max(alive.load(Ordering::SeqCst));
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
        assert!(most <= 2, "{most} values were alive");
    });
    let last = exchange.read().map(|value| value.number());
    if let Some(number) = last {
        exchange.turn().unwrap().retire(number);
    }
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}
