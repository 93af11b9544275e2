//! What the directory looks after by itself: old revocations, alarms, confirmed removals, and which
//! hosts are there.

use axum::http::StatusCode;
use directory_api::agent::Acknowledgement;
use directory_server::presence::note_comings_and_goings;
use jiff::Timestamp;

use crate::agent_world::*;

const MONTH_MS: i64 = 31 * 24 * 3_600_000;
const REVOCATIONS: &str = "SELECT COUNT(*) FROM fast_lane";

async fn acknowledge(directory: &Directory, host: &Host, version: u64) {
    let ack = Acknowledgement {
        bundle_version: version,
        fast_lane_sequence: 0,
        host_time_ms: directory.now_ms(),
        ended: Vec::new(),
        refused: None,
    };
    let response = directory.post(host, "acks", &ack).await;
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
}

/// Two people, of whom both are suspended, and a host that both can reach.
async fn with_two_revocations() -> (Directory, Host) {
    let mut directory = Directory::new().await;
    for (number, rule) in [(1, "acc_1"), (2, "acc_2")] {
        let user = directory.user(number, None).await;
        directory.allow(rule, &user, "env=prod").await;
    }
    let host = directory.host("web-1", r#"["env=prod"]"#).await;
    directory.publish_all().await;
    directory.suspend("usr_1").await;
    directory.suspend("usr_2").await;
    directory
        .sql("UPDATE fast_lane SET message = ''", &[])
        .await;
    (directory, host)
}

#[tokio::test]
async fn an_old_revocation_goes_when_every_host_has_it_in_its_bundle() {
    let (mut directory, host) = with_two_revocations().await;
    let version = directory.publish_all().await[&host.id];
    directory.pass_ms(MONTH_MS);
    directory.publish_all().await;
    assert_eq!(directory.count(REVOCATIONS).await, 2, "not in force yet");
    acknowledge(&directory, &host, version).await;
    directory.publish_all().await;
    assert_eq!(directory.count(REVOCATIONS).await, 1);
    let left = "SELECT sequence FROM fast_lane";
    assert_eq!(directory.count(left).await, 2, "the newest number stays");
    let (manifest, _, _) = directory.bundle(&host).await;
    assert_eq!(manifest.fast_lane_sequence, 2);
}

#[tokio::test]
async fn a_young_revocation_stays() {
    let (mut directory, host) = with_two_revocations().await;
    let version = directory.publish_all().await[&host.id];
    acknowledge(&directory, &host, version).await;
    directory.publish_all().await;
    assert_eq!(directory.count(REVOCATIONS).await, 2);
}

#[tokio::test]
async fn a_confirmed_removal_is_in_the_bundle_until_the_host_has_it_in_force() {
    let mut directory = Directory::new().await;
    directory.user(1, None).await;
    directory.allow("acc_1", "usr_1", "env=prod").await;
    let host = directory.host("web-1", r#"["env=prod"]"#).await;
    let refused = directory.publish_all().await[&host.id];
    directory
        .sql(
            "UPDATE hosts SET confirmed_removals = 12, confirmed_over = bundle_version",
            &[],
        )
        .await;
    acknowledge(&directory, &host, refused).await;
    let version = directory.publish_all().await[&host.id];
    let (manifest, _, _) = directory.bundle(&host).await;
    assert_eq!(manifest.confirmed_removals, 12);
    acknowledge(&directory, &host, version).await;
    directory.publish_all().await;
    let (manifest, _, _) = directory.bundle(&host).await;
    assert_eq!(manifest.confirmed_removals, 0);
}

#[tokio::test]
async fn every_version_of_a_bundle_is_an_event_and_nothing_else_is() {
    let mut directory = Directory::new().await;
    directory.user(1, None).await;
    directory.allow("acc_1", "usr_1", "env=prod").await;
    let host = directory.host("web-1", r#"["env=prod"]"#).await;
    let version = directory.publish_all().await[&host.id];
    assert!(directory.publish_all().await.is_empty(), "nothing is new");
    let told = "SELECT COUNT(*) FROM events WHERE kind = 'bundle.published'";
    assert_eq!(directory.count(told).await, 1);
    let told = "SELECT json_extract(body, '$.details.version') FROM events
                WHERE kind = 'bundle.published'";
    assert_eq!(directory.count(told).await.unsigned_abs(), version);
}

#[tokio::test]
async fn a_host_that_falls_silent_and_comes_back_is_told_of_once_each_time() {
    let directory = Directory::new().await;
    let host = directory.host("web-1", r#"["env=prod"]"#).await;
    let start = Timestamp::from_millisecond(directory.now_ms()).unwrap();
    let seen = "UPDATE hosts SET last_seen = $1";
    let passes = async |minutes: i64, heard: bool| {
        directory.pass_ms(minutes * 60_000);
        if heard {
            let mut tx = directory.app.store.write().await.unwrap();
            let now = directory.now_ms();
            sqlx::query(seen).bind(now).execute(&mut *tx).await.unwrap();
            tx.commit().await.unwrap();
        }
        note_comings_and_goings(&directory.app, start)
            .await
            .unwrap()
    };
    assert_eq!(passes(0, true).await, 0);
    assert_eq!(passes(4, false).await, 0, "a reboot is no news");
    assert_eq!(passes(2, false).await, 1);
    assert_eq!(passes(60, false).await, 0, "once");
    assert_eq!(passes(1, true).await, 1);
    assert_eq!(passes(1, true).await, 0, "once");
    let told: Vec<(String, String, Option<i64>)> = sqlx::query_as(
        "SELECT kind, host_id, json_extract(body, '$.details.offline_seconds') FROM events
         WHERE kind LIKE 'host.o%' ORDER BY seq",
    )
    .fetch_all(directory.app.store.read())
    .await
    .unwrap();
    let expected = [
        ("host.offline".to_owned(), host.id.clone(), None),
        ("host.online".to_owned(), host.id, Some(67 * 60)),
    ];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn silence_while_the_directory_was_away_itself_is_no_news() {
    let directory = Directory::new().await;
    directory.host("web-1", r#"["env=prod"]"#).await;
    directory
        .sql("UPDATE hosts SET last_seen = created_at", &[])
        .await;
    directory.pass_ms(MONTH_MS);
    let start = Timestamp::from_millisecond(directory.now_ms()).unwrap();
    let noted = note_comings_and_goings(&directory.app, start).await;
    assert_eq!(noted.unwrap(), 0);
    directory.pass_ms(6 * 60_000);
    let noted = note_comings_and_goings(&directory.app, start).await;
    assert_eq!(noted.unwrap(), 1);
}
