//! The spool: nothing that was written is lost, nothing arrives twice in effect.

use std::collections::BTreeMap;
use std::sync::Arc;

use cacher_daemon::disk::HostDisk;
use cacher_daemon::events::Event;
use cacher_daemon::events::deliver::deliver_all;
use cacher_daemon::events::spool::{Limits, Spool};
use cacher_daemon::mirror::store::hex;
use directory_api::agent::{EventsStored, HostEvent};
use sha2::{Digest, Sha256};

use crate::directory::FakeDirectory;
use crate::disks::{Broken, PowerCut};
use crate::world::*;

const LIMITS: Limits = Limits {
    events: 10_000,
    reserve: 4096,
};

fn event(number: usize) -> Event {
    Event::new("auth.login", "success")
        .user(&format!("user{number}"))
        .detail("number", number)
}

fn stored(batch: &[HostEvent]) -> EventsStored {
    let last = batch.last().unwrap();
    EventsStored {
        boot: last.boot.clone(),
        sequence: last.sequence,
    }
}

fn verify_chain(events: &[HostEvent]) {
    let mut previous = events
        .first()
        .map(|first| first.previous_hash.clone())
        .unwrap_or_default();
    for event in events {
        assert_eq!(event.previous_hash, previous);
        let digest: [u8; 32] = Sha256::digest(event.hashed_bytes()).into();
        assert_eq!(event.hash, hex(&digest));
        previous.clone_from(&event.hash);
    }
}

#[test]
fn aud_01_every_event_that_was_written_arrives_once_in_order_whenever_the_power_goes() {
    for step in 0.. {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events");
        let disk = Arc::new(PowerCut::after(step));
        let mut promised = Vec::new();
        let mut far_end: BTreeMap<(String, u64), HostEvent> = BTreeMap::new();
        if let Ok(mut spool) = Spool::open(path.clone(), disk.clone(), LIMITS, "boot-1".to_owned())
        {
            for number in 0..12 {
                if spool.append(&event(number), 0).is_ok() {
                    promised.push(format!("user{number}"));
                }
                if number % 4 == 3 {
                    let batch = spool.oldest(3).unwrap_or_default();
                    far_end.extend(
                        batch
                            .iter()
                            .map(|one| ((one.boot.clone(), one.sequence), one.clone())),
                    );
                    if !batch.is_empty() {
                        let _ = spool.stored(&batch, &stored(&batch));
                    }
                }
            }
        }
        // Another boot: everything that is left is delivered.
        let mut spool = Spool::open(path, Arc::new(HostDisk), LIMITS, "boot-2".to_owned()).unwrap();
        spool.append(&event(99), 0).unwrap();
        promised.push("user99".to_owned());
        loop {
            let batch = spool.oldest(5).unwrap();
            if batch.is_empty() {
                break;
            }
            verify_chain(&batch);
            far_end.extend(
                batch
                    .iter()
                    .map(|one| ((one.boot.clone(), one.sequence), one.clone())),
            );
            assert!(spool.stored(&batch, &stored(&batch)).unwrap());
        }
        let arrived: Vec<String> = far_end.values().map(|one| one.user.clone()).collect();
        let arrived_promised: Vec<String> = arrived
            .iter()
            .filter(|user| promised.contains(user))
            .cloned()
            .collect();
        assert_eq!(arrived_promised, promised, "step {step}");
        verify_chain(&far_end.values().cloned().collect::<Vec<_>>());
        assert_eq!(spool.waiting(), 0);
        if !disk.happened() {
            return;
        }
    }
}

#[test]
fn aud_06_an_answer_that_says_something_else_takes_nothing_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let mut spool = Spool::open(path, Arc::new(HostDisk), LIMITS, "boot-1".to_owned()).unwrap();
    for number in 0..5 {
        spool.append(&event(number), 0).unwrap();
    }
    let batch = spool.oldest(3).unwrap();
    for (boot, sequence) in [("boot-0", 3), ("boot-1", 0)] {
        let answer = EventsStored {
            boot: boot.to_owned(),
            sequence,
        };
        assert!(!spool.stored(&batch, &answer).unwrap());
        assert_eq!(spool.oldest(3).unwrap(), batch);
    }
    // An answer beyond the batch counts for the batch only.
    let answer = EventsStored {
        boot: "boot-1".to_owned(),
        sequence: 1000,
    };
    assert!(spool.stored(&batch, &answer).unwrap());
    let left: Vec<u64> = spool
        .oldest(10)
        .unwrap()
        .iter()
        .map(|one| one.sequence)
        .collect();
    assert_eq!(left, [4, 5]);
}

#[tokio::test]
async fn aud_06_lost_answers_and_repetitions_have_no_second_effect() {
    let organisation = Organisation::new();
    let host = TestHost::new(&organisation);
    let directory = FakeDirectory::start().await;
    directory.certify(&host.paths);
    let cacher = host.cacher();
    give(&cacher, &organisation.bundle(1, &slice(vec![person(1)])))
        .await
        .unwrap();
    for _ in 0..5 {
        let login = local_protocol::Login {
            user: "user1".to_owned(),
            ..Default::default()
        };
        cacher_daemon::account::decide(&cacher, &login).await;
    }
    let client = cacher.directory().unwrap();
    directory.change(|state| state.lose_event_answers = true);
    for _ in 0..3 {
        assert!(deliver_all(&cacher, &client).await.is_err());
    }
    assert!(cacher.events_waiting() > 0);
    directory.change(|state| state.lose_event_answers = false);
    deliver_all(&cacher, &client).await.unwrap();
    assert_eq!(cacher.events_waiting(), 0);
    let arrived = directory.change(|state| state.events.clone());
    let distinct: std::collections::BTreeSet<u64> = arrived
        .iter()
        .map(|one| one["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(distinct, (1..=5).collect());
    assert_eq!(arrived.len(), 20, "the same bytes were sent four times");
}

#[test]
fn aud_02_the_reserve_is_used_when_the_disk_is_full_and_a_failure_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let open = |disk| Spool::open(path.clone(), disk, LIMITS, "boot-1".to_owned()).unwrap();
    open(Arc::new(HostDisk)).append(&event(1), 0).unwrap();
    assert_eq!(std::fs::metadata(path.join("reserve")).unwrap().len(), 4096);
    let mut spool = open(Arc::new(Broken::below(path.join("000000000001"))));
    assert!(spool.append(&event(2), 0).is_err());
    assert!(
        !path.join("reserve").exists(),
        "given up before the failure is told"
    );
    let spool = open(Arc::new(HostDisk));
    assert_eq!(spool.oldest(10).unwrap().len(), 1);
}

#[test]
fn aud_03_a_damaged_line_is_a_gap_in_the_chain_and_hides_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let open = || {
        Spool::open(
            path.clone(),
            Arc::new(HostDisk),
            LIMITS,
            "boot-1".to_owned(),
        )
        .unwrap()
    };
    let mut spool = open();
    for number in 0..5 {
        spool.append(&event(number), 0).unwrap();
    }
    let segment = path.join("000000000001");
    let text = std::fs::read_to_string(&segment).unwrap();
    std::fs::write(
        &segment,
        text.replacen("\"sequence\":3", "\"sequence\":x", 1),
    )
    .unwrap();
    let left: Vec<u64> = open()
        .oldest(10)
        .unwrap()
        .iter()
        .map(|one| one.sequence)
        .collect();
    assert_eq!(left, [1, 2, 4, 5]);
}

#[test]
fn aud_08_texts_become_one_harmless_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events");
    let mut spool = Spool::open(
        path.clone(),
        Arc::new(HostDisk),
        LIMITS,
        "boot-1".to_owned(),
    )
    .unwrap();
    let hostile = "a\nb\u{1b}[31m\u{202e}\0";
    let event = Event::new("auth.failed", "failure")
        .user(hostile)
        .detail("remote", hostile);
    spool.append(&event, 0).unwrap();
    let text = std::fs::read_to_string(path.join("000000000001")).unwrap();
    assert_eq!(text.lines().count(), 1);
    assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}') && !text.contains("\\u001b"));
}

#[test]
fn a_full_spool_keeps_what_it_has_and_counts_what_it_could_not_take() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits {
        events: 3,
        reserve: 0,
    };
    let path = folder.path().join("events");
    let mut spool = Spool::open(path, Arc::new(HostDisk), limits, "boot-1".to_owned()).unwrap();
    let taken = (0..5)
        .filter(|number| spool.append(&event(*number), 0).is_ok())
        .count();
    assert_eq!(taken, 3);
    let batch = spool.oldest(10).unwrap();
    spool.stored(&batch, &stored(&batch)).unwrap();
    spool.append(&event(9), 0).unwrap();
    let after = spool.oldest(10).unwrap();
    assert_eq!(after[0].details["lost_before"], 2);
    assert_eq!(after[0].sequence, 4);
}
