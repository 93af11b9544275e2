//! Events of hosts arrive at least once and are stored exactly once.

use axum::http::StatusCode;
use directory_api::agent::{EventBatch, EventsStored, HostEvent};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::agent_world::*;

const BOOT: &str = "3f1c1a5e-0000-4000-8000-000000000001";

/// Events `from..=to` of one boot, chained from `previous`.
fn chain(boot: &str, from: u64, to: u64, previous: &str) -> Vec<HostEvent> {
    let mut previous = previous.to_owned();
    (from..=to)
        .map(|sequence| {
            let mut event = HostEvent {
                boot: boot.to_owned(),
                sequence,
                time_ms: START_MS,
                kind: "auth.login".to_owned(),
                outcome: "success".to_owned(),
                user: "user1".to_owned(),
                details: json!({"service": "sshd"}),
                previous_hash: previous.clone(),
                hash: String::new(),
            };
            let digest = Sha256::digest(event.hashed_bytes());
            event.hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            previous = event.hash.clone();
            event
        })
        .collect()
}

pub(crate) async fn send(directory: &Directory, host: &Host, events: &[HostEvent]) -> EventsStored {
    let batch = EventBatch {
        boot: events[0].boot.clone(),
        events: events.to_vec(),
    };
    let response = directory.post(host, "events", &batch).await;
    assert_eq!(response.status(), StatusCode::OK);
    json(response).await
}

async fn logins(directory: &Directory) -> i64 {
    directory
        .count("SELECT COUNT(*) FROM events WHERE kind = 'auth.login'")
        .await
}

async fn alarms(directory: &Directory) -> i64 {
    let kinds = "SELECT COUNT(*) FROM events
                 WHERE kind IN ('events.gap', 'host.tamper_suspected')";
    directory.count(kinds).await
}

async fn directory_and_host() -> (Directory, Host) {
    let directory = Directory::new().await;
    directory.user(1, None).await;
    let host = directory.host("web-1", "[]").await;
    (directory, host)
}

#[tokio::test]
async fn aud_06_events_sent_again_after_a_lost_answer_are_stored_once() {
    let (directory, host) = directory_and_host().await;
    let events = chain(BOOT, 1, 100, "");
    for _ in 0..3 {
        let stored = send(&directory, &host, &events).await;
        assert_eq!((stored.boot.as_str(), stored.sequence), (BOOT, 100));
    }
    for window in events.windows(7) {
        send(&directory, &host, window).await;
    }
    assert_eq!(
        (logins(&directory).await, alarms(&directory).await),
        (100, 0)
    );
    let verified = directory_server::audit::verify(directory.app.store.read())
        .await
        .unwrap();
    assert!(verified.intact, "{verified:?}");
}

#[tokio::test]
async fn aud_06_events_out_of_order_have_no_second_effect() {
    let (directory, host) = directory_and_host().await;
    let mut events = chain(BOOT, 1, 50, "");
    events.reverse();
    send(&directory, &host, &events).await;
    assert_eq!(
        (logins(&directory).await, alarms(&directory).await),
        (50, 0)
    );
    send(&directory, &host, &events[..10]).await;
    assert_eq!(logins(&directory).await, 50);
}

#[tokio::test]
async fn aud_01_a_chain_goes_on_over_boots() {
    let (directory, host) = directory_and_host().await;
    let first = chain(BOOT, 1, 10, "");
    let second = chain("b2", 1, 10, &first[9].hash);
    send(&directory, &host, &first).await;
    send(&directory, &host, &second).await;
    assert_eq!(
        (logins(&directory).await, alarms(&directory).await),
        (20, 0)
    );
}

#[tokio::test]
async fn a_missing_event_shows() {
    let (directory, host) = directory_and_host().await;
    let events = chain(BOOT, 1, 10, "");
    send(&directory, &host, &events[..4]).await;
    send(&directory, &host, &events[6..]).await;
    assert_eq!((logins(&directory).await, alarms(&directory).await), (8, 1));
    // What was missing may still come.
    send(&directory, &host, &events).await;
    assert_eq!(logins(&directory).await, 10);
}

#[tokio::test]
async fn aud_03_a_changed_event_raises_an_alarm() {
    let (directory, host) = directory_and_host().await;
    let mut events = chain(BOOT, 1, 3, "");
    events[1].user = "user2".to_owned();
    send(&directory, &host, &events).await;
    assert_eq!(alarms(&directory).await, 1);
    // Another event in the place of one that is stored does not replace it.
    let other = chain(BOOT, 1, 1, "elsewhere");
    send(&directory, &host, &other).await;
    assert_eq!((logins(&directory).await, alarms(&directory).await), (3, 2));
}

#[tokio::test]
async fn aud_06_two_hosts_with_the_same_boot_id_do_not_mix() {
    let (directory, host) = directory_and_host().await;
    let other = directory.host("web-2", "[]").await;
    let events = chain(BOOT, 1, 5, "");
    send(&directory, &host, &events).await;
    send(&directory, &other, &events).await;
    assert_eq!(
        (logins(&directory).await, alarms(&directory).await),
        (10, 0)
    );
    let own = "SELECT COUNT(DISTINCT host_id) FROM host_events";
    assert_eq!(directory.count(own).await, 2);
}

#[tokio::test]
async fn what_is_no_event_of_a_host_is_refused_as_a_whole() {
    let (directory, host) = directory_and_host().await;
    let good = chain(BOOT, 1, 2, "");
    let mut bad = vec![good.clone(); 6];
    bad[0][1].kind = "x\ny".to_owned();
    bad[1][1].outcome = "maybe".to_owned();
    bad[2][1].boot = "../../etc".to_owned();
    bad[3][1].sequence = 0;
    bad[4][1].details = json!("text");
    bad[5][1].user = "x".repeat(70_000);
    for events in bad {
        let batch = EventBatch {
            boot: BOOT.to_owned(),
            events,
        };
        let refused = directory.post(&host, "events", &batch).await;
        assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    }
    assert_eq!(logins(&directory).await, 0);
}

#[tokio::test]
async fn an_event_that_hosts_do_not_write_is_kept_under_another_name() {
    let (directory, host) = directory_and_host().await;
    let mut events = chain(BOOT, 1, 1, "");
    events[0].kind = "role.assigned".to_owned();
    events[0].hash = String::new();
    let digest = Sha256::digest(events[0].hashed_bytes());
    events[0].hash = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(send(&directory, &host, &events).await.sequence, 1);
    let forged = "SELECT COUNT(*) FROM events WHERE kind = 'role.assigned'";
    assert_eq!(directory.count(forged).await, 0);
    let kept = "SELECT COUNT(*) FROM events
                WHERE kind = 'host.event_unknown' AND body LIKE '%role.assigned%'";
    assert_eq!(directory.count(kept).await, 1);
    assert_eq!(alarms(&directory).await, 0);
}
